"""Rate limit for log lines about events that unauthenticated callers can trigger."""

from __future__ import annotations

from bridge.ports import Clock

LINE_SECONDS = 60.0
"""A flood writes one line in this time; its first line is written at once."""


class LogLimiter:
    """Counts events and says when a line is due. Events after the last line count towards the next one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._count = 0
        self._next = float("-inf")

    def due(self) -> int:
        """Count one more event; the number of events that a line now stands for, 0 when none is due."""
        self._count += 1
        now = self._clock.monotonic()
        if now < self._next:
            return 0
        count, self._count, self._next = self._count, 0, now + LINE_SECONDS
        return count
