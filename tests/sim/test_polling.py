"""An account on demand connects for a push or for something owed, and by itself every few hours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.network.backoff import CONFLICT_SECONDS, MAX_CONFLICTS, Why
from tests.sim.whole import Whole, whole

HOUR_S, DAY_S = 3_600.0, 86_400.0


@pytest.fixture
async def asleep(tmp_path: Path) -> AsyncIterator[Whole]:
    """A chat whose connection has lingered to its end."""
    async with whole(tmp_path, connection="on-demand") as made:
        await made.enlist()
        await made.chat()
        await made.passes(600.0)
        assert made.network.link is not None and made.network.link.end is not None
        yield made


@pytest.mark.fault("F42")
async def test_missed_push_delays_a_message_by_six_hours_at_most(asleep: Whole) -> None:
    for text in ("Nobody woke you", "Nor this time"):
        await asleep.hears(text)
        assert text not in asleep.home.texts(asleep.portal)
        await asleep.passes(6 * HOUR_S)
        assert text in asleep.home.texts(asleep.portal)


@pytest.mark.fault("F42")
async def test_polls_keep_an_idle_account_enlisted_without_reminders(asleep: Whole) -> None:
    logins = asleep.network.logins
    await asleep.passes(45 * DAY_S)
    assert not asleep.home.heard("reminder.unenlist") and not asleep.home.heard("login.forgotten")
    assert 45 * 4 <= asleep.network.logins - logins <= 45 * 5
    await asleep.says("Still here")
    assert asleep.contact.received == ["Still here"]


@pytest.mark.fault("F41")
async def test_replaced_connection_backs_off_then_stops_and_is_not_polled(chat: Whole) -> None:
    network, replaced = chat.network, 0
    while not chat.home.heard("connection.conflict"):
        assert network.link is not None and replaced <= MAX_CONFLICTS
        logins, replaced = network.logins, replaced + 1
        network.link.cut(Why.REPLACED)
        await chat.passes(CONFLICT_SECONDS - 1.0)
        assert network.logins == logins
        while network.logins == logins and not chat.home.heard("connection.conflict"):
            await chat.passes(10.0)
    logins = network.logins
    await chat.passes(DAY_S)
    assert network.logins == logins
    await chat.says("Here I am")
    assert network.logins == logins + 1
