"""The one writer: group commit, cancellation, bounds and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from bridge.errors import TryAgain
from bridge.ports import Row, Unit, Value
from bridge.store import writer
from bridge.store.database import Database
from bridge.store.engine import Outcome
from bridge.store.errors import Fenced
from bridge.store.writer import Writer
from tests.store.support import THING, open_at, put, thing, unit, versions


class HeldEngine:
    """An engine whose writes wait until the test lets them through, or makes them fail."""

    def __init__(self) -> None:
        self.batches: list[list[Unit]] = []
        self.gate = asyncio.Event()
        self.failures: list[Exception] = []

    async def write(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        self.batches.append(list(units))
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return [None] * len(units)

    async def read(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Row]:
        raise AssertionError("the writer reads nothing")


def held() -> tuple[HeldEngine, Writer]:
    engine = HeldEngine()
    return engine, Writer(engine)  # type: ignore[arg-type]  # only what the writer uses


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_waiting_units_are_committed_together(database: Database) -> None:
    before = database.writer.commits
    await asyncio.gather(*(database.commit(put(key)) for key in range(100)))
    assert database.writer.commits - before <= 2
    assert len(await versions(database)) == 100


async def test_units_arriving_during_a_commit_form_the_next_batch() -> None:
    engine, one = held()
    first = asyncio.create_task(one.commit(put(0)))
    await settle()
    rest = [asyncio.create_task(one.commit(put(key))) for key in range(1, 6)]
    await settle()
    engine.gate.set()
    await asyncio.gather(first, *rest)
    assert [len(batch) for batch in engine.batches] == [1, 5]
    await one.close()


async def test_batch_is_bounded_in_units_and_bytes() -> None:
    engine, one = held()
    engine.gate.set()
    await asyncio.gather(*(one.commit(put(key)) for key in range(writer.BATCH_UNITS + 1)))
    assert [len(batch) for batch in engine.batches] == [writer.BATCH_UNITS, 1]
    engine.batches.clear()
    half = bytes(writer.BATCH_BYTES // 2)
    await asyncio.gather(*(one.commit(unit(THING, put=[thing(key, body=half)])) for key in range(3)))
    assert [len(batch) for batch in engine.batches] == [1, 1, 1]
    engine.batches.clear()
    await one.commit(unit(THING, put=[thing(1, body=bytes(writer.BATCH_BYTES + 1))]))
    assert [len(batch) for batch in engine.batches] == [1]
    await one.close()


async def test_full_queue_refuses_new_units() -> None:
    engine, one = held()
    first = asyncio.create_task(one.commit(put(0)))
    await settle()
    waiting = [asyncio.create_task(one.commit(put(key))) for key in range(writer.QUEUE_UNITS)]
    await settle()
    with pytest.raises(TryAgain):
        await one.commit(put(1))
    engine.gate.set()
    await asyncio.gather(first, *waiting)
    await one.commit(put(1))
    await one.close()


async def test_queue_is_bounded_in_bytes() -> None:
    engine, one = held()
    first = asyncio.create_task(one.commit(put(0)))
    await settle()
    big = unit(THING, put=[thing(1, body=bytes(writer.QUEUE_BYTES - 1000))])
    waiting = asyncio.create_task(one.commit(big))
    await settle()
    with pytest.raises(TryAgain):
        await one.commit(unit(THING, put=[thing(2, body=bytes(2000))]))
    engine.gate.set()
    await asyncio.gather(first, waiting)
    await one.close()


@pytest.mark.fault("F30")
@pytest.mark.parametrize("steps", range(8))
async def test_cancelled_caller_does_not_cancel_its_commit(database: Database, steps: int) -> None:
    task = asyncio.create_task(database.commit(put(1)))
    for _ in range(steps + 1):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.commit(put(2))
    assert await versions(database) == {1: 1, 2: 1}


@pytest.mark.fault("F26")
async def test_unknown_outcome_is_try_again_for_every_unit_of_a_batch() -> None:
    engine, one = held()
    engine.failures.append(OSError("the cable"))
    tasks = [asyncio.create_task(one.commit(put(key))) for key in range(3)]
    await settle()
    engine.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [TryAgain] * 3
    assert len({id(result) for result in results}) == 3
    await one.commit(put(4))
    await one.close()


async def test_fenced_batch_raises_fenced() -> None:
    engine, one = held()
    engine.gate.set()
    engine.failures.append(Fenced("gone"))
    with pytest.raises(Fenced, match="gone"):
        await one.commit(put(1))
    await one.close()


async def test_close_commits_the_queue_and_accepts_no_more(url: str) -> None:
    database = await open_at(url)
    tasks = [asyncio.create_task(database.commit(put(key))) for key in range(5)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*tasks)
    with pytest.raises(TryAgain):
        await database.commit(put(9))
    again = await open_at(url)
    assert len(await versions(again)) == 5
    await again.close()


async def test_woken_consumer_misses_no_commit(database: Database) -> None:
    def intake(key: int) -> Unit:
        from tests.store.support import INTAKE

        return unit(INTAKE, put=[thing(key)], remember=[{"thing_id": bytes([key])}])

    await database.commit(intake(1))
    await database.changed()  # committed before the call
    waiting = asyncio.create_task(database.changed())
    await database.commit(put(7))
    await settle()
    assert not waiting.done(), "a kind that does not wake woke"
    await database.commit(intake(2))
    await waiting
