"""A wall clock that leaps ends nothing; time that really passes does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.backoff import LONGEST_SECONDS
from bridge.flow.accounts.reminders import DOUBTED_FOR_S, LOOK_EVERY_S
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


YEARS_S = 10 * 365 * DAY_S
LEAPS = pytest.mark.parametrize("leap", [3_600.0, -3_600.0, YEARS_S, -YEARS_S, 8 * 3_600.0])
"""An hour, ten years, and the night that a suspended machine slept: the monotonic clock stood still."""


@LEAPS
@pytest.mark.fault("F45")
async def test_a_leap_interrupts_no_conversation(chat: Whole, leap: float) -> None:
    await chat.says("before")
    chat.clock.jump(leap)
    await chat.says("after")
    await chat.hears("and back")
    assert chat.contact.received == ["before", "after"]
    assert chat.home.texts(chat.portal, chat.home.ghost(chat.portal)) == ["and back"]
    assert await chat.entries() == []


@LEAPS
@pytest.mark.fault("F45")
async def test_a_leap_neither_hastens_nor_delays_a_retry(chat: Whole, leap: float) -> None:
    chat.network.up = False
    chat.network.lose_link()
    await chat.says("held up")
    await chat.passes(60.0)
    logins = chat.network.logins
    chat.clock.jump(leap)
    await chat.settled()
    assert chat.network.logins == logins
    chat.network.up = True
    await chat.passes(LONGEST_SECONDS)
    assert chat.contact.received == ["held up"]


@pytest.mark.fault("F45")
@pytest.mark.parametrize("leap", [YEARS_S, -YEARS_S])
async def test_a_leap_that_is_taken_back_leaves_no_trace(chat: Whole, leap: float) -> None:
    chat.clock.jump(leap)
    await chat.hears("meanwhile")
    chat.clock.jump(-leap)
    await chat.says("here again")
    await chat.hears("so am I")
    await chat.passes(DOUBTED_FOR_S)
    assert chat.contact.received == ["here again"]
    assert chat.home.texts(chat.portal, chat.home.ghost(chat.portal)) == ["meanwhile", "so am I"]
    assert not chat.home.heard("login.forgotten")
