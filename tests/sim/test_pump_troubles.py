"""What the pump does when a step fails: each error is named for what happens next."""

from __future__ import annotations

import asyncio

import pytest

from bridge.backoff import LONGEST_SECONDS
from bridge.errors import GiveUp, Misconfigured, TryAgain
from bridge.flow.pump import MAX_MISTAKES, MAX_RACES
from bridge.sentences import say
from bridge.store.errors import AlreadySealed, AlreadySettled, AlreadyThere, Fenced, Stale
from bridge.store.journal import Entry
from tests.sim.pump_support import HALF, Bench, Leave, running, until
from tests.store.journal_support import bodies, new

MISTAKES: list[float] = [HALF * 2.0**n for n in range(MAX_MISTAKES - 1)]
"""The waits between the attempts with an entry that meets a mistake of ours."""


async def test_what_may_work_later_is_tried_again_after_longer_and_longer_waits(bench: Bench) -> None:
    bench.plans["a"] = [TryAgain("no answer") for _ in range(12)]
    async with running(bench):
        await bench.journal.accept(new("a"), new("b"))
        for wait in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 150.0, 150.0, 150.0]:
            assert wait <= LONGEST_SECONDS * HALF
            assert await bench.next() == ["a"]
            await bench.waits(wait)
        assert await bench.next(2) == ["a", "b"]


async def test_at_least_as_long_is_waited_as_the_other_side_said(bench: Bench) -> None:
    bench.plans["a"] = [TryAgain("too many requests", after=40.0)]
    async with running(bench):
        await bench.journal.accept(new("a"))
        await bench.next()
        await bench.waits(40.0 + HALF)
        assert await bench.next() == ["a"]


async def test_waits_begin_anew_with_the_next_entry(bench: Bench) -> None:
    bench.plans["a"] = [TryAgain("no answer"), TryAgain("no answer")]
    bench.plans["b"] = [TryAgain("no answer")]
    async with running(bench):
        await bench.journal.accept(new("a"), new("b"))
        await bench.waits(0.5)
        await bench.waits(1.0)
        await bench.waits(0.5)
        assert await bench.next(5) == ["a", "a", "a", "b", "b"]


async def test_waits_begin_anew_when_an_entry_has_moved_on(bench: Bench) -> None:
    attempts = 0

    async def move_on_at_the_third(entry: Entry) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 3:
            raise Leave
        if attempts < 5:
            raise TryAgain("no answer")

    bench.act = move_on_at_the_third
    async with running(bench):
        await bench.journal.accept(new("a"))
        for wait in (0.5, 1.0, 0.5):
            await bench.waits(wait)
        assert await bench.next(5) == ["a"] * 5


async def test_waits_begin_anew_when_somebody_else_settled_the_entry(bench: Bench) -> None:
    async def settle(entry: Entry) -> None:
        if not bench.plans["a"]:
            bench.act = None
            await bench.journal.settle(entry)

    bench.act = settle
    bench.plans["a"] = [TryAgain("no answer"), TryAgain("no answer")]
    bench.plans["b"] = [TryAgain("no answer")]
    async with running(bench):
        await bench.journal.accept(new("a"), new("b"))
        for wait in (0.5, 1.0, 0.5):
            await bench.waits(wait)
        assert await bench.next(5) == ["a", "a", "a", "b", "b"]


async def test_what_will_never_work_is_put_aside_openly_and_its_lane_goes_on(bench: Bench) -> None:
    never = say("outbound.restricted")
    bench.plans["a"] = [GiveUp(never)]
    async with running(bench):
        await bench.journal.accept(new("a"), new("b"))
        assert await bench.next(2) == ["a", "b"]
    assert bench.aside == [("a", never)]


async def test_an_entry_that_meets_too_many_mistakes_of_ours_is_put_aside(bench: Bench) -> None:
    bench.plans["a"] = [ZeroDivisionError() for _ in range(MAX_MISTAKES)]
    async with running(bench):
        await bench.journal.accept(new("a"), new("b"))
        for wait in MISTAKES:
            assert bench.aside == []
            await bench.waits(wait)
        assert await bench.next(MAX_MISTAKES + 1) == ["a"] * MAX_MISTAKES + ["b"]
    assert bench.aside == [("a", say("failure.our_mistake"))]


async def test_one_mistake_less_and_the_entry_is_handled(bench: Bench) -> None:
    bench.plans["a"] = [ZeroDivisionError() for _ in range(MAX_MISTAKES - 1)]
    async with running(bench) as pump:
        await bench.journal.accept(new("a"))
        for wait in MISTAKES:
            await bench.waits(wait)
        await bench.next(MAX_MISTAKES)
        await until(lambda: pump.lanes_at_work == 0)
    assert bench.aside == []
    assert await bodies(bench.journal) == []


async def test_an_entry_does_not_pay_for_the_mistakes_met_by_the_one_before(bench: Bench) -> None:
    sentence = say("outbound.malformed")
    bench.plans["a"] = [*(ZeroDivisionError() for _ in range(MAX_MISTAKES - 1)), GiveUp(sentence)]
    bench.plans["b"] = [ZeroDivisionError()]
    async with running(bench) as pump:
        await bench.journal.accept(new("a"), new("b"))
        for wait in (*MISTAKES, HALF):
            await bench.waits(wait)
        await bench.next(MAX_MISTAKES + 2)
        await until(lambda: pump.lanes_at_work == 0)
    assert bench.aside == [("a", sentence)]


async def test_an_entry_of_a_kind_without_a_step_is_put_aside(bench: Bench) -> None:
    async with running(bench):
        await bench.journal.accept(new("a", kind="of another version"), new("b"))
        for wait in MISTAKES:
            await bench.waits(wait)
        assert await bench.next() == ["b"]
    assert bench.aside == [("a", say("failure.our_mistake"))]


@pytest.mark.parametrize("error", [Stale, AlreadySealed, AlreadySettled, AlreadyThere])
async def test_what_somebody_else_moved_is_looked_at_again_at_once(
    bench: Bench, error: type[Exception]
) -> None:
    bench.plans["a"] = [error() for _ in range(MAX_RACES)]
    async with running(bench):
        await bench.journal.accept(new("a"), new("b"))
        assert await bench.next(MAX_RACES + 2) == ["a"] * (MAX_RACES + 1) + ["b"]
    assert bench.aside == []


async def test_a_step_that_is_stale_again_and_again_keeps_no_processor_busy(bench: Bench) -> None:
    bench.plans["a"] = [Stale() for _ in range(MAX_RACES + 2)]
    async with running(bench):
        await bench.journal.accept(new("a"))
        assert await bench.next(MAX_RACES + 1) == ["a"] * (MAX_RACES + 1)
        await bench.waits(0.5)
        await bench.waits(1.0)
        assert await bench.next(2) == ["a", "a"]


async def test_an_entry_that_was_settled_by_somebody_else_is_not_handled_again(bench: Bench) -> None:
    async def settle(entry: Entry) -> None:
        await bench.journal.settle(entry)

    bench.act = settle
    async with running(bench) as pump:
        await bench.journal.accept(new("a"), new("b"))
        assert await bench.next(2) == ["a", "b"]
        await until(lambda: pump.lanes_at_work == 0)
    assert bench.aside == []


@pytest.mark.parametrize("error", [Fenced(), Misconfigured("here", "this is wrong.", "Change it.")])
async def test_what_only_the_admin_can_mend_ends_the_pump_and_loses_nothing(
    bench: Bench, error: Exception
) -> None:
    bench.plans["a"] = [error]
    async with running(bench) as pump:
        await bench.journal.accept(new("a"))
        with pytest.raises(type(error)):
            await pump.failed
    assert await bodies(bench.journal) == [b"body of a"]
    assert bench.aside == []


async def test_putting_aside_is_tried_again_when_it_fails(bench: Bench) -> None:
    sentence = say("outbound.malformed")
    bench.plans["a"] = [GiveUp(sentence), GiveUp(sentence)]
    bench.aside_plans = [TryAgain("the database does not answer")]
    async with running(bench) as pump:
        await bench.journal.accept(new("a"), new("b"))
        await bench.waits(HALF)
        assert await bench.next(3) == ["a", "a", "b"]
        assert not pump.failed.done()
    assert bench.aside == [("a", sentence)]


async def test_a_database_that_does_not_answer_is_waited_for(bench: Bench) -> None:
    silent = True

    def fail(sql: str) -> None:
        if silent:
            raise TryAgain("the database does not answer")

    await bench.journal.accept(new("a"))
    bench.store.before_read = fail
    async with running(bench) as pump:
        await bench.waits(0.5)
        await bench.clock.waited_for(1.0)
        silent = False
        await bench.clock.advance(1.0)
        assert await bench.next() == ["a"]
        await until(lambda: pump.lanes_at_work == 0)
        silent = True
        await bench.journal.accept(new("b"))
        await bench.clock.waited_for(0.5)
        assert not pump.failed.done()
        silent = False
        await bench.clock.advance(0.5)
        assert await bench.next() == ["b"]


async def test_stopping_stops_every_lane_where_it_is(bench: Bench) -> None:
    bench.plans["a"] = [TryAgain("no answer")]

    async def hang(entry: Entry) -> None:
        if entry.lane == "hangs":
            await asyncio.get_running_loop().create_future()

    bench.act = hang
    async with running(bench) as pump:
        await bench.journal.accept(new("a", "waits"), new("b", "hangs"))
        await bench.clock.waited_for(HALF)
        await bench.next(2)
        assert pump.lanes_at_work == 2
    assert pump.lanes_at_work == 0
    assert sorted(await bodies(bench.journal)) == [b"body of a", b"body of b"]
