"""The pump: lanes are independent, a lane keeps its order, and nothing accepted is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bridge.ports import Row
from bridge.store.journal import Entry
from bridge.store.tables import entries
from tests.sim import pump_support
from tests.sim.pump_support import Bench, Leave, running, until
from tests.store.journal_support import bodies, new


async def test_entries_of_a_lane_are_handled_in_their_order(bench: Bench) -> None:
    async with running(bench):
        await bench.journal.accept(new("a"), new("b"))
        await bench.journal.accept(new("c"))
        assert await bench.next(3) == ["a", "b", "c"]


async def test_one_entry_of_a_lane_is_handled_at_a_time(bench: Bench) -> None:
    at_work: list[int] = []
    count = 0

    async def note(entry: Entry) -> None:
        nonlocal count
        count += 1
        at_work.append(count)
        await bench.journal.head(entry.lane)  # the others may run meanwhile
        count -= 1

    bench.act = note
    async with running(bench):
        await asyncio.gather(*(bench.journal.accept(new(f"{n}")) for n in range(8)))
        await bench.next(8)
    assert set(at_work) == {1}


async def test_a_lane_that_waits_holds_up_no_other(bench: Bench) -> None:
    released = asyncio.Event()

    async def wait(entry: Entry) -> None:
        if entry.lane == "slow":
            await released.wait()

    bench.act = wait
    async with running(bench) as pump:
        await bench.journal.accept(new("slow 1", "slow"), new("slow 2", "slow"), new("quick 1", "quick"))
        assert sorted(await bench.next(2)) == ["quick 1", "slow 1"]
        await bench.journal.accept(new("quick 2", "quick"), new("quick 3", "other"))
        assert sorted(await bench.next(2)) == ["quick 2", "quick 3"]
        await until(lambda: pump.lanes_at_work == 1)
        released.set()
        assert await bench.next() == ["slow 2"]


async def test_a_lane_ends_when_it_is_empty_and_begins_again_with_work(bench: Bench) -> None:
    async with running(bench) as pump:
        await bench.journal.accept(new("a"))
        assert await bench.next() == ["a"]
        await until(lambda: pump.lanes_at_work == 0)
        await bench.journal.accept(new("b"))
        assert await bench.next() == ["b"]


async def test_what_a_step_leaves_owed_is_work_at_once(bench: Bench) -> None:
    async def owe(entry: Entry) -> None:
        if entry.lane == "lane":
            await bench.journal.owe(new("owed", "people"))

    bench.act = owe
    async with running(bench):
        await bench.journal.accept(new("a"))
        assert await bench.next(2) == ["a", "owed"]


async def test_an_entry_added_while_its_lane_ends_is_not_forgotten(bench: Bench) -> None:
    looked = asyncio.Event()
    empty = 0

    async def add_behind(sql: str, found: Sequence[Row]) -> None:
        """The lane has read that it is empty; before it ends, an entry comes and the pump sees it."""
        nonlocal empty
        if sql == entries.NEW_LANES and empty:
            looked.set()
        if sql == entries.HEAD and not found:
            empty += 1
            if empty == 1:
                await bench.journal.accept(new("b"))
                await looked.wait()

    bench.store.after_read = add_behind
    async with running(bench) as pump:
        await bench.journal.accept(new("a"))
        assert await bench.next(2) == ["a", "b"]
        await until(lambda: pump.lanes_at_work == 0)
    assert empty == 2


async def test_an_entry_is_left_alone_before_its_time(bench: Bench) -> None:
    async with running(bench):
        later = bench.clock.now() + 60.0
        await bench.journal.accept(new("early", not_before=later), new("behind it"), new("other", "other"))
        assert await bench.next() == ["other"]
        await bench.clock.waited_for(60.0)
        await bench.clock.advance(59.5)
        assert bench.handled.empty()
        await bench.clock.advance(0.5)
        assert await bench.next(2) == ["early", "behind it"]


async def test_a_clock_set_back_makes_an_entry_wait_for_the_rest(bench: Bench) -> None:
    async with running(bench):
        await bench.journal.accept(new("a", not_before=bench.clock.now() + 60.0))
        await bench.clock.waited_for(60.0)
        bench.clock.jump(-30.0)
        await bench.clock.advance(60.0)
        await bench.waits(30.0)
        assert await bench.next() == ["a"]


async def test_a_postponed_entry_is_taken_again_in_its_time(bench: Bench) -> None:
    async def postpone(entry: Entry) -> None:
        bench.act = None
        await bench.journal.postpone(entry, bench.clock.now() + 10.0)
        raise Leave

    bench.act = postpone
    async with running(bench):
        await bench.journal.accept(new("a"), new("b"))
        assert await bench.next() == ["a"]
        await bench.clock.waited_for(10.0)
        assert bench.handled.empty()
        await bench.clock.advance(10.0)
        assert await bench.next(2) == ["a", "b"]


async def test_a_start_finds_what_an_earlier_run_left(tmp_path: Path) -> None:
    async with pump_support.bench(tmp_path) as bench:
        await bench.journal.accept(new("a", "one"), new("b", "two"), new("c", "one"))
    async with pump_support.bench(tmp_path) as bench, running(bench):
        found = await bench.next(3)
        assert sorted(found) == ["a", "b", "c"]
        assert found.index("a") < found.index("c")
        await bench.journal.accept(new("d", "one"))
        assert await bench.next() == ["d"]


async def test_an_entry_whose_step_was_interrupted_stays_in_the_journal(tmp_path: Path) -> None:
    async def hang(entry: Entry) -> None:
        await asyncio.get_running_loop().create_future()

    async with pump_support.bench(tmp_path) as bench:
        bench.act = hang
        async with running(bench) as pump:
            await bench.journal.accept(new("a"), new("b"))
            assert await bench.next() == ["a"]
            assert pump.lanes_at_work == 1
        assert await bodies(bench.journal) == [b"body of a", b"body of b"]
    async with pump_support.bench(tmp_path) as bench, running(bench):
        assert await bench.next(2) == ["a", "b"]
