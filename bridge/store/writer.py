"""The one writer: commits everything queued, without a timer (group commit).

A unit is in the queue or committed as soon as ``commit`` was called, whatever becomes of the caller:
its task is not the writer's. Units are committed in the order in which they were given.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.errors import TryAgain
from bridge.ports import Unit
from bridge.store.engine import Engine, Outcome
from bridge.store.errors import StoreError

BATCH_UNITS = 256
BATCH_BYTES = 8 * 1024 * 1024
"""These bound how long one commit keeps others waiting (reliability.md, 4.5)."""
QUEUE_UNITS = 8_192
QUEUE_BYTES = 64 * 1024 * 1024
"""Beyond these a unit is refused: its caller slows down and memory stays bounded."""
ROW_BYTES = 64
"""The size of a row besides its values."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    unit: Unit
    size: int
    done: asyncio.Future[None]


class Writer:
    """A queue of units and the task that commits them. ``commits`` and ``units`` count what was committed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="store writer")
        self.commits = 0
        self.units = 0

    async def commit(self, unit: Unit) -> None:
        """See ``bridge.ports.Store``; ``TryAgain`` also when the queue is full or closed."""
        size = size_of(unit)
        if self._closing:
            raise TryAgain("the store is closing")
        if len(self._queue) >= QUEUE_UNITS or self._bytes + size > QUEUE_BYTES:
            raise TryAgain("too much is waiting for the database")
        waiting = _Waiting(unit, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._bytes += size
        self._filled.set()
        await waiting.done

    async def close(self) -> None:
        """Refuse new units, commit the queue, end."""
        self._closing = True
        self._filled.set()
        await asyncio.shield(self._task)

    async def _run(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._filled.clear()
                await self._filled.wait()
                continue
            await self._write(self._take())

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < BATCH_UNITS:
            size += self._queue[0].size
            if batch and size > BATCH_BYTES:
                break
            waiting = self._queue.popleft()
            self._bytes -= waiting.size
            batch.append(waiting)
        return batch

    async def _write(self, batch: list[_Waiting]) -> None:
        try:
            outcomes: Sequence[Outcome] = await self._engine.write([waiting.unit for waiting in batch])
        except Exception as error:  # noqa: BLE001  # every caller must hear of it
            # The outcome of all of them is unknown. The engine reconnects.
            outcomes = [_why(error) for _ in batch]
        else:
            self.commits += 1
            self.units += len(batch)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.done.done():
                continue  # its caller was cancelled, or its loop is ending
            if outcome is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(outcome)


def _why(error: Exception) -> Exception:
    """The exception for one caller of a batch that failed as a whole."""
    if isinstance(error, StoreError):
        return type(error)(str(error))
    told = TryAgain(f"the database did not confirm the commit ({type(error).__name__})")
    told.__cause__ = error
    return told


def size_of(unit: Unit) -> int:
    """The approximate size of a unit in bytes."""
    return sum(
        ROW_BYTES + sum(len(value) for value in row.values() if isinstance(value, bytes | str))
        for rows in unit.rows.values()
        for row in rows
    )
