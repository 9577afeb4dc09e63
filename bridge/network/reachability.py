"""Whether the network's chat server can be reached, and why not: for the log, the metrics and the admin."""

from __future__ import annotations

import errno
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import structlog

from bridge.errors import RemoteProtocolError, TryAgain
from bridge.log_limiter import LogLimiter
from bridge.ports import Clock

LOG = structlog.get_logger()


class Trouble(Enum):
    """Why a connection could not be opened; the words are those of log and metrics."""

    REFUSED = "connection-refused"
    TIMED_OUT = "timed-out"
    NAME = "name-not-resolved"
    NO_ROUTE = "no-route"
    CLOSED = "connection-closed"
    HANDSHAKE = "handshake-failed"
    """Something answers, but it is not the network's server, or a proxy changes the bytes."""
    OTHER = "other"


_BY_NUMBER: Mapping[int, Trouble] = {
    errno.ECONNREFUSED: Trouble.REFUSED,
    errno.ETIMEDOUT: Trouble.TIMED_OUT,
    errno.EHOSTUNREACH: Trouble.NO_ROUTE,
    errno.ENETUNREACH: Trouble.NO_ROUTE,
    errno.ENETDOWN: Trouble.NO_ROUTE,
    errno.ECONNRESET: Trouble.CLOSED,
    errno.ECONNABORTED: Trouble.CLOSED,
    errno.EPIPE: Trouble.CLOSED,
}
_NUMBER = re.compile(r"\[Errno (\d+)\]")


def trouble_of(error: TryAgain) -> Trouble:
    """The trouble behind a failed attempt to connect and log in."""
    cause = error.__cause__
    if cause is None:
        return Trouble.CLOSED  # the server ended it before the login was answered
    if isinstance(cause, RemoteProtocolError):
        return Trouble.HANDSHAKE
    if isinstance(cause, TimeoutError):
        return Trouble.TIMED_OUT
    if isinstance(cause, UnicodeError):
        return Trouble.NAME
    if not isinstance(cause, OSError):
        return Trouble.OTHER
    number = cause.errno
    if number is None and (first := _NUMBER.search(str(cause))):
        number = int(first[1])  # a host with several addresses fails with one text about all of them
    if number is not None and number < 0:
        return Trouble.NAME  # of the name's resolution, whose numbers are negative
    return _BY_NUMBER.get(number or 0, Trouble.OTHER)


@dataclass(frozen=True)
class Outage:
    """The outage of the moment. ``since`` is in unix seconds, ``failures`` are attempts of all accounts."""

    trouble: Trouble
    since: float
    failures: int


class Reachability:
    """Keeps what attempts to connect met. Many accounts fail at once, so lines are rate-limited."""

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self.host, self.port = host, port
        self.outage: Outage | None = None
        self.counts: Counter[Trouble] = Counter()
        """Failed attempts since the start."""
        self._clock = clock
        self._limiter = LogLimiter(clock)

    def failed(self, error: TryAgain) -> None:
        """An attempt failed."""
        trouble, before = trouble_of(error), self.outage
        self.counts[trouble] += 1
        since = self._clock.now() if before is None else before.since
        self.outage = Outage(trouble, since, 1 if before is None else before.failures + 1)
        is_new = before is None or before.trouble is not trouble
        if self._limiter.due() or is_new:
            LOG.warning(
                "network not reachable",
                host=self.host,
                port=self.port,
                reason=trouble.value,
                failures=self.outage.failures,
            )

    def reached(self) -> None:
        """The network answered, whatever it said."""
        before, self.outage = self.outage, None
        if before is not None:
            LOG.info(
                "network reachable again",
                host=self.host,
                port=self.port,
                failures=before.failures,
                seconds=round(self._clock.now() - before.since),
            )
