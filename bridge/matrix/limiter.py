"""What all callers of one homeserver share: its calls in flight and the wait it asked for (fault F16)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.errors import LONGEST_ASKED_SECONDS, TryAgain
from bridge.ports import Clock

MAX_IN_FLIGHT = 8
"""A single-process Synapse is saturated by about 8; more of them only wait longer (measured)."""
DEFAULT_WAIT_SECONDS = 5.0
"""For a homeserver that says 429 and no time."""


class Limiter:
    """One for each homeserver, shared by all that call it.

    While a wait lasts, calls fail at once with ``TryAgain`` and what is left of it: nothing reaches
    the homeserver, and each lane keeps its order because its head is what fails.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._until = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A place among the calls in flight."""
        self._check()
        async with self._places:
            self._check()
            yield

    def wait(self, seconds: float | None) -> float:
        """Let nobody call for ``seconds`` from now (None: not named); returns the wait that holds."""
        wait = DEFAULT_WAIT_SECONDS if seconds is None else min(max(seconds, 0.0), LONGEST_ASKED_SECONDS)
        self._until = max(self._until, self._clock.monotonic() + wait)
        return wait

    def _check(self) -> None:
        left = self._until - self._clock.monotonic()
        if left > 0:
            raise TryAgain("the homeserver asked us to wait", after=left)
