"""What strangers can cause as often as they like is written seldom: one line a minute, with a count."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog
from aiohttp.http_exceptions import HttpProcessingError

from bridge.ports import Clock

LINE_SECONDS = 60.0
"""A flood writes one line in this time, and the first of it at once."""

_log = structlog.get_logger(__name__)


class Seldom:
    """Counts what happens. What a flood's last line does not count, the next line does, whenever it comes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._next = float("-inf")

    def due(self) -> int:
        """Count one more; how many a line now would stand for, 0 when none is due yet."""
        self._count += 1
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        count, self._count, self._next = self._count, 0, now + LINE_SECONDS
        return count


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """What the web server reports: a request that is no HTTP is its sender's mistake, no error of ours."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(logging.getLogger("aiohttp.server"), {})
        self._unreadable = Seldom(clock)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Everything else goes where it would have gone."""
        error = kwargs.get("exc_info")
        if not isinstance(error, HttpProcessingError):
            super().log(level, msg, *args, **kwargs)
        elif count := self._unreadable.due():
            _log.info("requests that are no HTTP were refused", error=type(error).__name__, count=count)

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """Nothing is added."""
        return msg, kwargs
