"""Reading in Matrix reaches the contact, wherever the read marker stands."""

from __future__ import annotations

import pytest

from bridge.flow.rooms.read_markers import IDS_IN_A_RECEIPT
from bridge.wire.vocabulary import receipt
from tests.sim.homeserver import BOT, Event
from tests.sim.whole import Whole


def read(chat: Whole) -> list[str]:
    """The stanza ids that read receipts of ours name, in order."""
    found = [receipt.parse(stanza, "to") for stanza in chat.network.sent if stanza.tag == "receipt"]
    told = [each for each in found if isinstance(each, receipt.Receipt) and each.type == receipt.READ]
    assert all(len(each.ids) <= IDS_IN_A_RECEIPT for each in told)
    return [id for each in told for id in each.ids]


def shown(chat: Whole) -> list[Event]:
    """The contact's messages in the portal."""
    ghost = chat.home.ghost(chat.portal)
    return [event for event in chat.home.events if event.room == chat.portal and event.sender == ghost]


async def test_all_up_to_the_message_that_was_read_is_told_once(chat: Whole) -> None:
    await chat.hears("one")
    await chat.passes(1.0)
    await chat.hears("two")
    await chat.passes(1.0)
    await chat.hears("three")
    await chat.reads(chat.portal, shown(chat)[1].event_id)
    assert len(read(chat)) == 2
    await chat.reads(chat.portal, shown(chat)[2].event_id)
    assert len(set(read(chat))) == len(read(chat)) == 3


async def test_a_marker_at_ones_own_message_reads_what_was_shown_before_it(chat: Whole) -> None:
    await chat.hears("one", "two")
    mine = await chat.says("an answer")
    await chat.reads(chat.portal, mine.event_id)
    assert len(read(chat)) == 2


async def test_a_marker_at_a_notice_of_the_bot_reads_what_was_shown_before_it(chat: Whole) -> None:
    await chat.hears("one")
    chat.network.refuses = 479
    await chat.says("refused")
    notice = next(event for event in reversed(chat.home.events) if event.sender == BOT)
    await chat.reads(chat.portal, notice.event_id)
    assert len(read(chat)) == 1


@pytest.mark.parametrize("count", [IDS_IN_A_RECEIPT, IDS_IN_A_RECEIPT + 1])
async def test_many_that_were_read_at_once_are_told_in_several_receipts(chat: Whole, count: int) -> None:
    await chat.hears(*(f"message {number}" for number in range(count)))
    await chat.reads(chat.portal, shown(chat)[-1].event_id)
    assert len(set(read(chat))) == count
    assert await chat.entries() == []
