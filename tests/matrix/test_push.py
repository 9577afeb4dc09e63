"""What the real Synapse pushes to the endpoint."""

from __future__ import annotations

import json

import pytest

from bridge.content import Content, Text
from bridge.ids import RoomId
from bridge.matrix.events import Event, parse, to_content
from bridge.matrix.homeserver import HttpHomeserver
from demo.client import Client, Refused
from tests.matrix.conftest import BOT
from tests.matrix.support import Shelf
from tests.matrix.test_homeserver import ANNA, room_of, text


async def test_a_users_message_arrives_as_content(
    homeserver: HttpHomeserver, anna: Client, pushed: Shelf
) -> None:
    room, _ = await room_of(homeserver, "pushed")
    await anna.join(room)
    event = await anna.send_text(room, "hallo Welt")
    part = await pushed.wait_for(event)
    assert part.lane == room
    read = parse(part.body)
    assert isinstance(read, Event) and read.marker is None
    content = to_content(read)
    assert isinstance(content, Content)
    assert (content.sender, content.parts) == (ANNA, (Text("hallo Welt"),))


async def test_an_invite_to_the_bot_arrives_and_what_was_typed_before_it_joined_is_in_the_history(
    homeserver: HttpHomeserver, anna: Client, pushed: Shelf
) -> None:
    room = RoomId(await anna.start_dm(BOT))
    event = await anna.send_text(room, "are you there?")
    invite = await pushed.wait_until(
        lambda part: part.lane == room and f'"state_key":"{BOT}"' in part.body.decode()
    )
    read = parse(invite.body)
    assert isinstance(read, Event) and read.content["membership"] == "invite"
    await homeserver.join(BOT, room)
    history = [event["event_id"] async for event in homeserver.history(BOT, room, limit=50)]
    assert event in history and event not in pushed.stored()


async def test_our_own_messages_come_back_with_their_marker(
    homeserver: HttpHomeserver, pushed: Shelf
) -> None:
    room, its_ghost = await room_of(homeserver, "echo")
    event = await text(homeserver, its_ghost, room, "hallo", id_="t1")
    read = parse((await pushed.wait_for(event)).body)
    assert isinstance(read, Event) and read.marker == "marker of t1"


async def test_a_users_read_receipt_arrives(homeserver: HttpHomeserver, anna: Client, pushed: Shelf) -> None:
    room, its_ghost = await room_of(homeserver, "receipt")
    await anna.join(room)
    event = await text(homeserver, its_ghost, room, "hallo", id_="t1")
    await anna.read(room, event)
    fields = json.loads(
        (await pushed.wait_until(lambda part: part.kind == "receipt" and part.lane == room)).body
    )
    assert (fields["room_id"], fields["user_id"], fields["event_id"]) == (room, ANNA, event)


@pytest.mark.fault("F22")
async def test_what_was_answered_503_comes_again_at_once_after_a_ping(
    homeserver: HttpHomeserver, anna: Client, pushed: Shelf
) -> None:
    room, _ = await room_of(homeserver, "again")
    await anna.join(room)
    pushed.failure = RuntimeError("disk full")
    while pushed.waiting.locked() is False:
        await pushed.waiting.acquire()
    event = await anna.send_text(room, "do not lose me")
    await pushed.waiting.acquire()
    assert event not in pushed.stored()
    pushed.failure = None
    await homeserver.ping("recovered")
    assert (await pushed.wait_for(event)).lane == room


async def test_a_user_query_for_a_stranger_finds_nobody(
    homeserver: HttpHomeserver, anna: Client, pushed: Shelf
) -> None:
    with pytest.raises(Refused) as refused:
        await anna.call("GET", "profile", "@ib_stranger:hs.test")
    assert refused.value.status == 404
