"""Rooms people leave, share or misuse: the bot's words still reach whom they are for."""

from __future__ import annotations

import pytest

from demo.client import Client, Seen
from tests.matrix.world import BOT, Network, User, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY_S = 86_400.0


async def _react(client: Client, room: str, event: str, key: str) -> str:
    relation = {"rel_type": "m.annotation", "event_id": event, "key": key}
    return await client.send(room, "m.reaction", {"m.relates_to": relation})


async def test_a_reminder_goes_to_the_room_in_which_the_user_talks_now(
    world: World, network: Network, eva: User
) -> None:
    old = eva.talk
    await eva.client.leave(old)
    await eva.meet_bot("bot.greeting_again")
    await eva.says("status", "status.is")
    await network.asleep(eva.id)
    await network.advance(21 * DAY_S)
    reminder = await eva.hears("reminder.unenlist", meanwhile=lambda: network.advance(3_600.0))
    assert reminder.room == eva.talk != old


async def test_a_user_who_left_every_room_of_the_bot_is_invited_to_one(
    world: World, network: Network, eva: User
) -> None:
    old = eva.talk
    await eva.client.leave(old)
    await network.asleep(eva.id)
    await network.advance(21 * DAY_S)
    invited = await eva.until(
        lambda each: each.kind == "invite" and each.room != old,
        meanwhile=lambda: network.advance(3_600.0),
    )
    assert (await eva.hears("reminder.unenlist", room=invited.room)).sender == BOT


async def test_whoever_removes_the_bot_is_invited_to_a_room_of_its_own(
    world: World, network: Network, eva: User
) -> None:
    await eva.client.leave(eva.talk)
    made = await eva.client.call(
        "POST", "createRoom", body={"preset": "private_chat", "is_direct": True, "invite": [BOT]}
    )
    old = str(made["room_id"])
    await eva.hears("bot.greeting_again", room=old)
    await eva.client.call("POST", "rooms", old, "kick", body={"user_id": BOT})
    await network.asleep(eva.id)
    await network.advance(21 * DAY_S)
    invited = await eva.until(
        lambda each: each.kind == "invite" and each.room != old,
        meanwhile=lambda: network.advance(3_600.0),
    )
    assert (await eva.hears("reminder.unenlist", room=invited.room)).sender == BOT


async def test_what_is_about_a_message_sent_before_is_answered_there(
    world: World, network: Network, ada: User
) -> None:
    contact, portal = await world.chat(network, ada)
    sent = await ada.client.send_text(portal, "Written once")
    await network.read_by(contact, "Written once")
    await _react(ada.client, portal, sent, "👍")
    assert _answers(await ada.hears("outbound.reaction", room=portal)) == sent
    await ada.client.call("PUT", "rooms", portal, "redact", sent, "removed", body={})
    assert _answers(await ada.hears("outbound.removal", room=portal)) == sent


def _answers(seen: Seen) -> str:
    return str(seen.event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"])


async def test_the_bot_does_not_stay_in_a_group(world: World) -> None:
    async with world.user() as one, world.user() as other:
        answer = await one.client.call(
            "POST", "createRoom", body={"preset": "private_chat", "invite": [other.id, BOT]}
        )
        room = str(answer["room_id"])
        await one.hears("bot.not_in_groups", room=room)
        left = await one.until(
            lambda each: (
                each.room == room
                and each.event.get("state_key") == BOT
                and each.event["content"].get("membership") == "leave"
            )
        )
        assert left.sender == BOT


async def test_a_ghost_declines_rooms_that_are_no_portals(world: World, network: Network, ada: User) -> None:
    _, portal = await world.chat(network, ada)
    ghost = await ada.ghost_of(portal)
    room = await ada.client.start_dm(ghost)
    declined = await ada.until(
        lambda each: (
            each.room == room
            and each.event.get("state_key") == ghost
            and each.event["content"].get("membership") == "leave"
        )
    )
    assert declined.sender == ghost
