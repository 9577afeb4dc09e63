"""The whole way through: from a Matrix client over Synapse, bridge and network to a contact, and back."""

from __future__ import annotations

import pytest

from bridge.matrix.events import MARKER
from tests.matrix.world import BOT, SANDBOX_LABEL, SERVER, Network, User, World

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_text_reaches_the_contact_under_the_users_name(
    world: World, network: Network, ada: User
) -> None:
    jonas = await world.contact(network)
    portal = await ada.start_chat(jonas)
    await ada.client.send_text(portal, "Hello Jonas, żółw 🐢")
    held = await network.read_by(jonas, "Hello Jonas, żółw 🐢")
    assert held["sender"] == (await network.account(ada.id))["jid"]
    assert held["name"] == ada.id[1:].partition(":")[0]
    assert (held["kind"], held["repeats"], len(held["ciphertexts"])) == ("text", 0, 1)


async def test_a_text_of_a_contact_comes_from_their_labelled_ghost_with_its_marker_and_original_time(
    world: World, network: Network, ada: User
) -> None:
    anna = await world.contact(network, "birdychat")
    await network.asleep(ada.id)  # moved on, the network's time is not the homeserver's
    id = await network.write(anna.jid, ada.id, "Good morning")
    seen = await ada.text("Good morning")
    sent = await network.sent_by(anna, id, lambda each: each["t"])
    assert seen.event["origin_server_ts"] == sent["t"] * 1000
    assert seen.sender.startswith("@ib_") and seen.sender.endswith(f":{SERVER}")
    assert anna.jid.partition("@")[0] not in seen.sender
    assert seen.event["content"][MARKER] and seen.event["content"]["m.mentions"] == {}
    name = (await ada.client.state(seen.room, "m.room.member", seen.sender))["displayname"]
    assert name == f"{anna.name} (BirdyChat, {SANDBOX_LABEL})"
    assert BOT in await ada.client.members(seen.room)


async def test_a_conversation_keeps_its_order_both_ways(world: World, network: Network, ada: User) -> None:
    jonas = await world.contact(network, answer="Got it: {text}")
    portal = await ada.start_chat(jonas)
    written = [f"line {number}" for number in range(12)]
    for text in written:
        await ada.client.send_text(portal, text)
    await ada.text("Got it: line 11", room=portal)
    held = (await network.person(jonas.jid))["received"]
    assert [each["text"] for each in held] == written
    answers = [body for body in await ada.bodies(portal) if body.startswith("Got it")]
    assert answers == [f"Got it: {text}" for text in written]


async def test_a_text_too_long_for_an_event_comes_in_several(
    world: World, network: Network, ada: User
) -> None:
    anna = await world.contact(network)
    text = "".join(f"{number:05} " for number in range(10_000)) + "end"
    await network.write(anna.jid, ada.id, text)
    last = await ada.until(lambda each: (each.body or "").endswith("end") and each.sender != BOT)
    assert "".join(await ada.bodies(last.room)) == text


async def test_delivered_is_the_bots_read_receipt_and_read_is_the_ghosts(
    world: World, network: Network, ada: User
) -> None:
    mira = await world.contact(network)
    portal = await ada.start_chat(mira)
    event = await ada.client.send_text(portal, "Are you there?")
    held = await network.read_by(mira, "Are you there?")
    await ada.receipt(BOT, event)
    ghost = await ada.ghost_of(portal)
    assert not [each for each in ada.seen if each.kind == "receipt" and each.sender == ghost]
    await network.do(mira.jid, "read", sender=ada.id, ids=[held["id"]])
    await ada.receipt(ghost, event)


async def test_the_contact_hears_that_a_text_was_delivered_and_then_that_it_was_read(
    world: World, network: Network, ada: User
) -> None:
    anna = await world.contact(network)
    first = await network.write(anna.jid, ada.id, "One")
    second = await network.write(anna.jid, ada.id, "Two")
    seen = await ada.text("Two")
    delivered = await network.sent_by(anna, second, lambda each: each["delivered"])
    assert (delivered["delivered"], delivered["read"]) == (1, 0)
    await ada.client.read(seen.room, str(seen.event["event_id"]))
    for id in (first, second):
        read = await network.sent_by(anna, id, lambda each: each["read"])
        assert (read["delivered"], read["read"]) == (1, 1)


async def test_a_reply_names_the_same_message_on_both_sides(
    world: World, network: Network, ada: User
) -> None:
    anna = await world.contact(network)
    question = await network.write(anna.jid, ada.id, "Tea or coffee?")
    seen = await ada.text("Tea or coffee?")
    answer = await ada.client.send_text(seen.room, "Tea", reply_to=str(seen.event["event_id"]))
    held = await network.read_by(anna, "Tea")
    assert held["reply_to"] == question
    await network.do(anna.jid, "write", to=ada.id, text="With milk?", reply_to=held["id"])
    asked = await ada.text("With milk?")
    assert asked.event["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": answer}}


async def test_a_reply_to_what_the_contact_never_saw_goes_without_its_reference(
    world: World, network: Network, ada: User
) -> None:
    mira = await world.contact(network)
    portal = await ada.start_chat(mira)
    said = await ada.client.send_text(portal, "!interop help")
    listed = await ada.hears("help.list", room=portal, after=said)
    await ada.client.send_text(portal, "Look at this", reply_to=str(listed.event["event_id"]))
    held = await network.read_by(mira, "Look at this")
    assert held["reply_to"] is None


UNKNOWN = (
    ("m.room.message", {"msgtype": "m.image", "body": "cat.png", "url": "mxc://hs.test/cat"}),
    ("m.sticker", {"body": "cat", "url": "mxc://hs.test/cat", "info": {}}),
    ("m.room.message", {"msgtype": "m.from.the.future", "body": "beep"}),
)


@pytest.mark.parametrize(("type_", "content"), UNKNOWN, ids=["image", "sticker", "future"])
async def test_a_message_of_an_unknown_kind_is_refused_with_a_notice_and_nothing_is_sent(
    world: World, network: Network, ada: User, type_: str, content: dict[str, object]
) -> None:
    mira = await world.contact(network)
    portal = await ada.start_chat(mira)
    event = await ada.client.send(portal, type_, content)
    notice = await ada.hears("outbound.not_sent", room=portal)
    assert notice.event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == event
    status = await ada.until(
        lambda each: each.room == portal and each.event.get("type") == "com.beeper.message_send_status"
    )
    assert status.event["content"]["m.relates_to"]["event_id"] == event
    assert status.event["content"]["status"] == "FAIL_PERMANENT"
    await ada.client.send_text(portal, "Then in words")
    await network.read_by(mira, "Then in words")
    assert len(await network.out_of(ada.id, mira)) == 1


async def test_what_a_program_says_in_a_portal_is_not_passed_on(
    world: World, network: Network, ada: User
) -> None:
    mira = await world.contact(network)
    portal = await ada.start_chat(mira)
    await ada.client.send(portal, "m.room.message", {"msgtype": "m.notice", "body": "I am a bot"})
    await ada.client.send_text(portal, "I am not")
    await network.read_by(mira, "I am not")
    assert len(await network.out_of(ada.id, mira)) == 1


async def test_a_text_to_somebody_who_opted_out_is_refused_openly(
    world: World, network: Network, ada: User
) -> None:
    mira = await world.contact(network)
    portal = await ada.start_chat(mira)
    await ada.client.send_text(portal, "Hello")
    await network.read_by(mira, "Hello")
    await network.change_person(mira.jid, opted_in=False)
    event = await ada.client.send_text(portal, "Still there?")
    notice = await ada.hears("outbound.not_sent", room=portal)
    assert notice.event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == event
    assert notice.event["content"]["m.mentions"] == {"user_ids": [ada.id]}
