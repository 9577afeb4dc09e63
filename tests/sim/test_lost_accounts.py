"""An account that the network forgets: what is queued is told in time, and nobody knocks without end."""

from __future__ import annotations

import pytest

from bridge.network.errors import LoginRefused
from bridge.profile import Reason, Refusal
from tests.sim.whole import Whole

HOUR_S = 3_600.0
UNKNOWN = Reason(state=Refusal.ENLIST_AGAIN, sentence="network.unknown_account")


@pytest.mark.fault("F40")
async def test_unenlisted_account_fails_its_queue_and_stops_knocking(chat: Whole) -> None:
    chat.network.up = False
    chat.network.lose_link()
    queued = [await chat.says(f"Queued {number}") for number in range(3)]
    await chat.passes(600.0)
    chat.network.up, chat.network.refuses_login = True, LoginRefused("404", UNKNOWN)
    logins = chat.network.logins
    await chat.passes(24 * HOUR_S)
    assert len(chat.home.heard("network.unknown_account")) >= 1
    told = [
        said.content["m.relates_to"]["m.in_reply_to"]["event_id"]
        for said in chat.home.heard("outbound.not_sent")
    ]
    assert told == [event.event_id for event in queued]
    assert chat.network.logins - logins <= len(queued) + 1
    assert await chat.entries() == []


@pytest.mark.fault("F40")
async def test_one_command_brings_an_unenlisted_account_back(chat: Whole) -> None:
    chat.network.refuses_login = LoginRefused("404", UNKNOWN)
    chat.network.lose_link()
    await chat.passes(HOUR_S)
    logins = chat.network.logins
    await chat.passes(48 * HOUR_S)
    assert chat.network.logins == logins
    chat.network.refuses_login = None
    await chat.says("opt-in", chat.talk)
    await chat.says("Here I am")
    assert chat.contact.received == ["Here I am"]
