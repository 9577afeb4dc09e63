"""The whole bridge in memory: a conversation both ways, its receipts, a restart, a while without network."""

from __future__ import annotations

from bridge.wire.vocabulary import receipt
from tests.sim.homeserver import BOT
from tests.sim.whole import ADA, Whole


async def test_a_chat_goes_both_ways(chat: Whole) -> None:
    await chat.says("hello")
    assert chat.contact.received == ["hello"]
    await chat.hears("hello yourself", "how are you?")
    ghost = chat.home.ghost(chat.portal)
    assert chat.home.texts(chat.portal, ghost) == ["hello yourself", "how are you?"]
    assert await chat.entries() == []


async def test_a_contact_who_writes_first_gets_a_room_to_which_the_user_is_invited(enlisted: Whole) -> None:
    await enlisted.hears("first words")
    assert enlisted.home.texts(enlisted.portal) == ["first words"]
    assert enlisted.home.rooms[enlisted.portal][ADA] == "invite"


async def test_what_the_contact_has_and_read_is_seen_in_matrix(chat: Whole) -> None:
    event = await chat.says("hello")
    await chat.told_by_contact(receipt.DELIVERED)
    await chat.told_by_contact(receipt.READ)
    assert chat.home.read == [(BOT, event.event_id), (chat.home.ghost(chat.portal), event.event_id)]


async def test_a_conversation_goes_on_after_a_restart(chat: Whole) -> None:
    await chat.says("before")
    await chat.restart()
    await chat.says("after")
    await chat.hears("still here")
    assert chat.contact.received == ["before", "after"]
    assert "still here" in chat.home.texts(chat.portal)


async def test_what_was_written_while_the_network_was_away_arrives_later(chat: Whole) -> None:
    chat.network.up = False
    chat.network.lose_link()
    await chat.says("hello?")
    await chat.passes(60.0)
    assert chat.contact.received == []
    assert len(chat.home.heard("outbound.waiting")) == 1
    chat.network.up = True
    await chat.passes(600.0)
    assert chat.contact.received == ["hello?"]
    assert await chat.entries() == []


async def test_html_only_message_reaches_the_contact_as_text(chat: Whole) -> None:
    await chat.says_in_html("<p>Bring:</p><ul><li><b>bread</b></li><li>salt &amp; oil</li></ul>")
    assert chat.contact.received == ["Bring:\n- bread\n- salt & oil"]
    assert await chat.entries() == []
