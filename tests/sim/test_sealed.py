"""A message that was sealed is sent, or its sender is told, whatever became of account and room."""

from __future__ import annotations

from bridge.wire import stanza as codec
from tests.sim.contact import NUMBER
from tests.sim.homeserver import BOT
from tests.sim.whole import Whole


async def sealed_and_in_doubt(chat: Whole, text: str) -> None:
    """A message of the user was sent, and nobody says that it arrived."""
    chat.network.acknowledges = False
    await chat.says(text)
    assert [row["state"] for row in await chat.entries()] == ["sealed"]


async def test_whoever_opts_out_while_a_message_is_in_doubt_is_told_so(chat: Whole) -> None:
    await sealed_and_in_doubt(chat, "Did this arrive?")
    event = chat.home.events[-1]
    await chat.says("opt-out", chat.talk)
    await chat.says("leave", chat.talk)
    await chat.passes(600.0)
    (notice,) = chat.home.heard("outbound.not_sent")
    assert "may have arrived" in str(notice.content["body"])
    assert notice.content["m.relates_to"]["m.in_reply_to"]["event_id"] == event.event_id
    assert await chat.entries() == []


async def test_a_message_in_doubt_is_sent_on_although_its_room_was_replaced(chat: Whole) -> None:
    await sealed_and_in_doubt(chat, "Still on its way")
    old = chat.portal
    await chat.member(old, chat.home.ghost(old), "leave")
    await chat.member(old, BOT, "leave")
    await chat.hears("From a new room")
    assert chat.portal != old
    chat.network.acknowledges = True
    await chat.passes(600.0)
    assert chat.contact.received == ["Still on its way"]
    assert len({stanza.attributes["id"] for stanza in chat.network.sent if stanza.tag == "message"}) == 1
    assert await chat.entries() == []


async def test_a_message_in_doubt_goes_on_after_a_restart_with_the_very_same_bytes(chat: Whole) -> None:
    await sealed_and_in_doubt(chat, "Once")
    await chat.restart()
    chat.network.acknowledges = True
    await chat.passes(600.0)
    assert len({codec.encode(stanza) for stanza in chat.network.sent if stanza.tag == "message"}) == 1
    assert chat.contact.received == ["Once"]


async def test_what_waits_to_be_sent_names_nobody_in_the_database(chat: Whole) -> None:
    await sealed_and_in_doubt(chat, "To somebody")
    (row,) = await chat.database.read("SELECT body FROM entry WHERE state = 'sealed'")
    body = row["body"]
    assert isinstance(body, bytes)
    (sent,) = (stanza for stanza in chat.network.sent if stanza.tag == "message")
    packed = bytes.fromhex(f"{NUMBER}f")
    assert packed in codec.encode(sent)
    assert packed not in body and NUMBER.encode() not in body


async def test_sealed_message_that_is_put_aside_is_unsure_and_its_sender_is_told(chat: Whole) -> None:
    await sealed_and_in_doubt(chat, "Did this arrive?")
    chat.network.fault = ZeroDivisionError()
    await chat.passes(3600.0)
    (notice,) = chat.home.heard("outbound.not_sent")
    assert "may have arrived" in str(notice.content["body"])
    assert await chat.database.read("SELECT state FROM message") == [{"state": "unsure"}]
    assert await chat.entries() == []


async def test_receipt_for_a_message_that_is_unsure_says_that_it_arrived(chat: Whole) -> None:
    await sealed_and_in_doubt(chat, "Did this arrive?")
    chat.network.fault = ZeroDivisionError()
    await chat.passes(3600.0)
    chat.network.fault = None
    chat.contact.ids.append(str(chat.network.sent[-1].attributes["id"]))
    await chat.told_by_contact(None)
    assert await chat.database.read("SELECT state FROM message") == [{"state": "delivered"}]
