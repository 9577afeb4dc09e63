"""A clock that only moves when a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass(eq=False)
class Timer:
    """Somebody who waits: for how long they asked, and until when."""

    seconds: float
    deadline: float
    timeout: asyncio.Timeout


class ManualClock:
    """The ``Clock`` port for tests. Timers fire in order of time, when ``advance`` passes them."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self._now = now
        self._elapsed = 0.0
        self._timers: list[Timer] = []
        self._changed = asyncio.Event()

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with self.limit(seconds):
                await asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(0 if seconds <= 0 else None) as timeout:
            timer = Timer(seconds, self._elapsed + seconds, timeout)
            self._timers.append(timer)
            self._changed.set()
            try:
                yield
            finally:
                self._timers.remove(timer)

    def jump(self, seconds: float) -> None:
        """The wall clock alone is set anew."""
        self._now += seconds

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        end = self._elapsed + seconds
        while due := [timer for timer in self._timers if timer.deadline <= end]:
            first = min(due, key=lambda timer: timer.deadline)
            self._move(first.deadline)
            first.deadline = float("inf")
            first.timeout.reschedule(asyncio.get_running_loop().time())
            for _ in range(10):  # whoever was woken may set a timer that falls into the same time
                await asyncio.sleep(0)
        self._move(end)

    def next_in(self) -> float | None:
        """How many seconds the next timer is away; None when nobody waits."""
        due = [timer.deadline for timer in self._timers if timer.deadline < float("inf")]
        return max(0.0, min(due) - self._elapsed) if due else None

    async def waited_for(self, seconds: float) -> None:
        """Return when somebody waits for just so long."""
        while not any(timer.seconds == seconds for timer in self._timers):
            self._changed.clear()
            await self._changed.wait()

    def _move(self, elapsed: float) -> None:
        self._now += elapsed - self._elapsed
        self._elapsed = elapsed
