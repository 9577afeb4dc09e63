"""A wall clock that leaps ends nothing; time that really passes does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.flow.reminders import DOUBTED_FOR_S, LOOK_EVERY_S
from tests.sim.whole import Whole, whole

DAY_S = 86_400.0


@pytest.fixture
async def away(tmp_path: Path) -> AsyncIterator[Whole]:
    """A chat whose connection has closed; the network cannot be reached any more."""
    async with whole(tmp_path, connection="on-demand") as made:
        await made.enlist()
        await made.chat()
        made.network.acknowledges = False
        await made.says("Kept for a retry")
        made.network.acknowledges = True
        await made.passes(600.0)
        made.network.up = False
        yield made


async def kept(bridge: Whole) -> bool:
    """Whether the text of a message is still there for a retry."""
    return bool(await bridge.database.read("SELECT 1 AS found FROM message WHERE body IS NOT NULL"))


@pytest.mark.fault("F45")
async def test_a_leap_of_the_clock_that_is_taken_back_ends_no_opt_in_and_forgets_no_text(away: Whole) -> None:
    away.clock.jump(31 * DAY_S)
    await away.passes(LOOK_EVERY_S)
    away.clock.jump(-31 * DAY_S)
    await away.passes(LOOK_EVERY_S)
    assert not away.home.heard("login.forgotten")
    assert await kept(away)


@pytest.mark.fault("F45")
async def test_a_clock_that_is_wrong_at_the_start_ends_nothing(away: Whole) -> None:
    away.clock.jump(31 * DAY_S)
    await away.restart()
    away.clock.jump(-31 * DAY_S)
    await away.passes(DOUBTED_FOR_S)
    assert not away.home.heard("login.forgotten")
    assert await kept(away)


@pytest.mark.fault("F45")
async def test_a_leap_that_stays_is_believed_ten_minutes_later(away: Whole) -> None:
    away.clock.jump(31 * DAY_S)
    await away.passes(LOOK_EVERY_S + DOUBTED_FOR_S)
    assert away.home.heard("login.forgotten")
    assert not await kept(away)


async def test_thirty_days_that_really_passed_end_the_opt_in(away: Whole) -> None:
    await away.passes(29 * DAY_S)
    assert not away.home.heard("login.forgotten")
    await away.passes(2 * DAY_S)
    assert away.home.heard("login.forgotten")
