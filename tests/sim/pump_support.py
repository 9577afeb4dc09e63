"""A pump on a real journal, a clock that tests move, and steps that do what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bridge.flow.pump import Pump
from bridge.ports import Row, Store, Unit, Value
from bridge.sentences import Sentence
from bridge.store.database import Database
from bridge.store.journal import Entry, Journal
from tests.network.clock import ManualClock
from tests.store.journal_support import load, open_bridge_database

HALF = 0.5
"""What the dice say: each wait is half of its ceiling."""

Act = Callable[[Entry], Awaitable[None]]


class Leave(Exception):
    """Raised by an act: the step returns, and its entry stays."""


class HalfDice:
    """The ``Random`` port that always says one half."""

    def bytes(self, count: int, /) -> bytes:
        return (1 << (8 * count - 1)).to_bytes(count, "big")


class WatchedStore(Store):
    """The store; ``before_read`` may fail a read, ``after_read`` may let something happen behind it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.before_read: Callable[[str], None] = lambda sql: None
        self.after_read: Callable[[str, Sequence[Row]], Awaitable[None]] | None = None

    async def commit(self, unit: Unit) -> None:
        await self._database.commit(unit)

    async def truncate_log(self) -> None:
        await self._database.truncate_log()

    async def read(self, sql: str, **parameters: Value) -> Sequence[Row]:
        self.before_read(sql)
        found = await self._database.read(sql, **parameters)
        if self.after_read is not None:
            await self.after_read(sql, found)
        return found


@dataclass
class Bench:
    """Everything a test of the pump holds."""

    database: Database
    store: WatchedStore
    journal: Journal
    clock: ManualClock
    handled: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """Bodies of entries, as their steps begin."""
    aside: list[tuple[str, Sentence]] = field(default_factory=list)
    plans: dict[str, list[Exception]] = field(default_factory=dict)
    """Errors that the step for a body raises, one each time, before it settles the entry."""
    act: Act | None = None
    """Done in each step before the entry is settled."""
    aside_plans: list[Exception] = field(default_factory=list)
    """Errors that putting an entry aside raises, one each time."""

    async def step(self, entry: Entry) -> None:
        """Handle an entry as the test planned it."""
        said = self.journal.read(entry).decode().removeprefix("body of ")
        self.handled.put_nowait(said)
        if self.act is not None:
            try:
                await self.act(entry)
            except Leave:
                return
        if plan := self.plans.get(said):
            raise plan.pop(0)
        await self.journal.settle(entry)

    async def put_aside(self, entry: Entry, sentence: Sentence) -> None:
        """End an entry openly."""
        if self.aside_plans:
            raise self.aside_plans.pop(0)
        self.aside.append((self.journal.read(entry).decode().removeprefix("body of "), sentence))
        await self.journal.settle(entry)

    def pump(self) -> Pump:
        """A pump whose only kind of entry is ``test``."""
        steps = {"test": self.step}
        return Pump(self.journal, self.database, self.clock, HalfDice(), steps, self.put_aside)

    async def next(self, count: int = 1) -> list[str]:
        """The next entries that steps begin with."""
        return [await self.handled.get() for _ in range(count)]

    async def waits(self, seconds: float) -> None:
        """Return once a lane waits for just so long, then let it pass."""
        await self.clock.waited_for(seconds)
        await self.clock.advance(seconds)


async def until(condition: Callable[[], bool]) -> None:
    """Let the others run until it is so."""
    while not condition():  # noqa: ASYNC110  # what is looked at tells nobody when it changes
        await asyncio.sleep(0)


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """A journal in ``folder``; no pump runs yet."""
    clock = ManualClock()
    database = await open_bridge_database(f"sqlite3-fk-wal:{folder / 'bridge.db'}", clock)
    store = WatchedStore(database)
    try:
        yield Bench(database, store, await load(store, clock), clock)
    finally:
        await database.close()


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Pump]:
    """A pump at work; stopped at the end, and with it every lane."""
    pump = bench.pump()
    task = asyncio.create_task(pump.run())
    try:
        yield pump
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        if pump.failed.done():
            pump.failed.exception()
    assert pump.lanes_at_work == 0
