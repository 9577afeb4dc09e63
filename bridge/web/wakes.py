"""Waking accounts: after the answer, by a task, and not more often than every half minute each (S9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from bridge.ports import Clock

Wake = Callable[[str], Awaitable[None]]
"""Wakes the account of a visible identifier; an unknown one is ignored."""

BETWEEN_WAKES_SECONDS = 30.0
"""A connection lingers about as long, so a second wake-up would find it open."""
MAX_REMEMBERED = 10_000
"""Identifiers woken in the last half minute; the network names nobody but our accounts."""

_log = structlog.get_logger(__name__)


class Wakes:
    """Remembers who was woken when. A wake-up that comes too soon is done when its time has come."""

    def __init__(self, wake: Wake, clock: Clock) -> None:
        self._wake = wake
        self._clock = clock
        self._woken_at: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, identifier: str) -> None:
        """Wake ``identifier``, now or when it may be; returns at once, for anybody."""
        now = self._clock.monotonic()
        due = self._woken_at.get(identifier, now - BETWEEN_WAKES_SECONDS) + BETWEEN_WAKES_SECONDS
        if due <= now:
            self._remember(identifier, now)
            self._spawn(self._do(identifier))
        elif identifier not in self._waiting and len(self._waiting) < MAX_REMEMBERED:
            self._waiting.add(identifier)
            self._spawn(self._do_later(identifier, due - now))

    async def stop(self) -> None:
        """Drop what has not been done: after the next start every account is looked after anyway."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do_later(self, identifier: str, seconds: float) -> None:
        try:
            await self._clock.sleep(seconds)
        finally:
            self._waiting.discard(identifier)
        self._remember(identifier, self._clock.monotonic())
        await self._do(identifier)

    async def _do(self, identifier: str) -> None:
        try:
            await self._wake(identifier)
        except Exception as error:  # noqa: BLE001 - nobody waits for this task: the log is all there is
            _log.exception("wake failed", error=type(error).__name__)

    def _remember(self, identifier: str, now: float) -> None:
        if len(self._woken_at) >= MAX_REMEMBERED:
            recent = now - BETWEEN_WAKES_SECONDS
            self._woken_at = {who: at for who, at in self._woken_at.items() if at > recent}
            if len(self._woken_at) >= MAX_REMEMBERED:
                self._woken_at.clear()
        self._woken_at[identifier] = now

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
