"""The two logs that the checker reads: what went to the bridge and was answered, and what it stored here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

Entry = dict[str, Any]


class Log:
    """Entries in order, each with its number ``n``; readers can wait.

    Kinds: ``push`` (H_in: transaction ``txn`` with ``events`` and their ``answer``, an HTTP status or
    None when none came), ``out`` (H_out: an ``event`` the bridge made, ``txn`` its id), ``repeat`` (a
    known transaction id of the bridge), ``receipt`` (a read receipt of the bridge), ``fault`` (one was used).
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._waiters: list[asyncio.Event] = []

    def add(self, kind: str, **fields: Any) -> Entry:
        entry = {"n": len(self.entries), "kind": kind, **fields}
        self.entries.append(entry)
        self.changed()
        return entry

    def changed(self) -> None:
        """Wake who waits; also called when an entry got its answer."""
        for waiter in self._waiters:
            waiter.set()

    async def after(self, n: int, seconds: float) -> list[Entry]:
        """Entries from number ``n`` on, as soon as there is one; none when there is none in time."""
        await self.until(lambda: len(self.entries) > n, seconds)
        return self.entries[n:]

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds, looking again whenever anything changed; False when time is over."""
        waiter = asyncio.Event()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    waiter.clear()
                    await waiter.wait()
        except TimeoutError:
            pass
        finally:
            self._waiters.remove(waiter)
        return holds()
