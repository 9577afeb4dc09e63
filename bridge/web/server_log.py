"""The web server's own log: unreadable requests are their senders' faults and are rate-limited."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from bridge.log_limiter import LogLimiter
from bridge.ports import Clock

_log = structlog.get_logger(__name__)


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """Logs requests that are not HTTP at info, at most once a minute, and passes on everything else."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(logging.getLogger("aiohttp.server"), {})
        self._unreadable = LogLimiter(clock)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """See ``logging.LoggerAdapter``."""
        error = kwargs.get("exc_info")
        if not isinstance(error, HttpProcessingError):
            super().log(level, msg, *args, **kwargs)
        elif count := self._unreadable.due():
            _log.info("unreadable requests refused", error=type(error).__name__, count=count)

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """See ``logging.LoggerAdapter``; adds nothing."""
        return msg, kwargs
