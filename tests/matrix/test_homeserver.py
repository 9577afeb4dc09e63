"""The homeserver port against a real Synapse: every call of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.content import Text
from bridge.errors import TryAgain
from bridge.ids import EventId, NetworkId, RoomId, ServiceId, UserId
from bridge.matrix.errors import AliasTaken, Rejected
from bridge.matrix.events import MARKER, text_content
from bridge.matrix.homeserver import HttpHomeserver
from bridge.matrix.rooms import BridgeInfo, Portal, management_room, portal_room, with_direct
from bridge.ports import Homeserver
from demo.client import Client, Refused
from tests.matrix.conftest import BOT, SERVER, RealSynapse, port_to

ANNA = UserId(f"@anna:{SERVER}")
BEN = UserId(f"@ben:{SERVER}")


def ghost(name: str) -> UserId:
    return UserId(f"@ib_{name}:{SERVER}")


def portal(name: str, *, room_version: str = "11") -> Portal:
    info = BridgeInfo(
        "interop", NetworkId("sandbox"), "Sandbox", ServiceId("whatsapp"), "WhatsApp", "ib_receiver"
    )
    return Portal(
        BOT, ANNA, ghost(name), f"ib_{name}", "Anna (WhatsApp)", "Who can read along", room_version, info
    )


async def room_of(homeserver: Homeserver, name: str, *, room_version: str = "11") -> tuple[RoomId, UserId]:
    """A portal in which bot and ghost are."""
    await homeserver.register(f"ib_{name}")
    room = await homeserver.create_room(BOT, portal_room(portal(name, room_version=room_version)))
    await homeserver.join(ghost(name), room)
    return room, ghost(name)


async def text(
    homeserver: Homeserver, user: UserId, room: RoomId, words: str, *, id_: str, at: int | None = None
) -> EventId:
    content = text_content(Text(words), marker=f"marker of {id_}")
    return await homeserver.send(user, room, "m.room.message", content, transaction_id=id_, sent_at_ms=at)


async def test_the_registration_is_accepted_and_its_sender_is_not_the_bot(
    homeserver: HttpHomeserver, real_synapse: RealSynapse
) -> None:
    assert await homeserver.whoami() == f"@{real_synapse.main.sender_localpart}:{SERVER}"
    assert "v1.11" in await homeserver.versions()


async def test_a_token_of_no_registration_is_rejected_as_a_matter_of_the_registration(
    real_synapse: RealSynapse,
) -> None:
    port = port_to(real_synapse, replace(real_synapse.main, as_token="x" * 64))
    try:
        with pytest.raises(Rejected) as refused:
            await port.whoami()
    finally:
        await port.close()
    assert refused.value.errcode == "M_UNKNOWN_TOKEN" and refused.value.concerns_registration


@pytest.mark.fault("F48")
async def test_registering_twice_is_harmless(homeserver: HttpHomeserver, anna: Client) -> None:
    await homeserver.register("ib_twice")
    await homeserver.set_display_name(ghost("twice"), "Ben (WhatsApp)")
    await homeserver.register("ib_twice")
    profile = await anna.call("GET", "profile", ghost("twice"))
    assert profile["displayname"] == "Ben (WhatsApp)"


async def test_a_name_outside_our_namespace_is_exclusive_to_others(homeserver: HttpHomeserver) -> None:
    with pytest.raises(Rejected) as refused:
        await homeserver.register("carla")
    assert refused.value.errcode == "M_EXCLUSIVE"


async def test_an_unregistered_ghost_is_registered_and_the_call_repeated(
    homeserver: HttpHomeserver, anna: Client
) -> None:
    await homeserver.set_display_name(ghost("fresh"), "Ben (WhatsApp)")
    profile = await anna.call("GET", "profile", ghost("fresh"))
    assert profile["displayname"] == "Ben (WhatsApp)"


async def test_the_port_for_double_puppets_registers_nobody(puppets: HttpHomeserver) -> None:
    with pytest.raises(Rejected):
        await puppets.set_display_name(UserId(f"@nobody:{SERVER}"), "Nobody")
    with pytest.raises(Rejected):
        await puppets.set_display_name(UserId(f"@nobody:{SERVER}"), "Nobody")


@pytest.mark.threat("S31")
@pytest.mark.parametrize("room_version", ["11", "12"])
async def test_a_portal_is_closed_to_all_but_its_people(
    homeserver: HttpHomeserver, anna: Client, room_version: str
) -> None:
    room, its_ghost = await room_of(homeserver, f"closed{room_version}", room_version=room_version)
    await anna.join(room)
    assert await anna.members(room) == {BOT: "join", ANNA: "join", its_ghost: "join"}
    assert await anna.state(room, "m.room.join_rules") == {"join_rule": "invite"}
    assert await anna.state(room, "m.room.guest_access") == {"guest_access": "forbidden"}
    assert await anna.state(room, "m.room.history_visibility") == {"history_visibility": "invited"}
    assert await anna.state(room, "io.element.functional_members") == {"service_members": [BOT]}
    created = await anna.state(room, "m.room.create")
    assert created["m.federate"] is False and created["room_version"] == room_version
    for event_type in ("m.bridge", "uk.half-shot.bridge"):
        bridge = await anna.state(room, event_type, f"{SERVER}/interop")
        assert bridge["bridgebot"] == BOT and bridge["com.beeper.room_type"] == "dm"
    with pytest.raises(Refused):
        await anna.call("POST", "rooms", room, "invite", body={"user_id": BEN})
    with pytest.raises(Refused):
        await anna.call("POST", "rooms", room, "kick", body={"user_id": its_ghost})
    with pytest.raises(Refused):
        await anna.call("PUT", "rooms", room, "state", "m.room.join_rules", "", body={"join_rule": "public"})
    await anna.call("PUT", "rooms", room, "state", "m.room.name", "", body={"name": "my own name for it"})


async def test_the_invite_to_a_portal_is_direct(homeserver: HttpHomeserver, anna: Client) -> None:
    await anna.sync(timeout=0)
    room, _ = await room_of(homeserver, "direct")
    invites = [seen for seen in await anna.sync() if seen.kind == "invite" and seen.room == room]
    assert [invite.event["content"]["is_direct"] for invite in invites] == [True]
    assert invites[0].sender == BOT


async def test_a_half_made_portal_is_adopted_by_its_alias(homeserver: HttpHomeserver) -> None:
    room, _ = await room_of(homeserver, "adopted")
    with pytest.raises(AliasTaken):
        await homeserver.create_room(BOT, portal_room(portal("adopted")))
    assert await homeserver.resolve_alias(f"#ib_adopted:{SERVER}") == room
    assert await homeserver.resolve_alias(f"#ib_none:{SERVER}") is None


async def test_a_room_for_the_bot_to_write_to_a_user_is_made(
    homeserver: HttpHomeserver, anna: Client
) -> None:
    spec = management_room(
        BOT, ANNA, alias_localpart="ib_notices", name="Interop", topic="", room_version="11"
    )
    room = await homeserver.create_room(BOT, spec)
    await anna.join(room)
    assert await homeserver.members(BOT, room) == {BOT: "join", ANNA: "join"}


async def test_inviting_who_is_invited_or_joined_is_success(homeserver: HttpHomeserver, anna: Client) -> None:
    room, _ = await room_of(homeserver, "invited")
    await homeserver.invite(BOT, room, ANNA)
    await anna.join(room)
    await homeserver.invite(BOT, room, ANNA)
    await anna.leave(room)
    await homeserver.invite(BOT, room, ANNA)
    assert (await homeserver.members(BOT, room))[ANNA] == "invite"


async def test_an_invite_that_is_not_allowed_is_rejected(homeserver: HttpHomeserver) -> None:
    room, its_ghost = await room_of(homeserver, "powerless")
    with pytest.raises(Rejected) as refused:
        await homeserver.invite(its_ghost, room, BEN)
    assert (refused.value.errcode, refused.value.status) == ("M_FORBIDDEN", 403)


async def test_joining_and_leaving_twice_are_success(homeserver: HttpHomeserver) -> None:
    room, its_ghost = await room_of(homeserver, "twice")
    await homeserver.join(its_ghost, room)
    await homeserver.leave(its_ghost, room)
    await homeserver.leave(its_ghost, room)
    assert (await homeserver.members(BOT, room))[its_ghost] == "leave"


async def test_the_same_transaction_id_gives_the_same_event(homeserver: HttpHomeserver, anna: Client) -> None:
    room, its_ghost = await room_of(homeserver, "idempotent")
    await anna.join(room)
    first = await text(homeserver, its_ghost, room, "hallo", id_="t1")
    assert await text(homeserver, its_ghost, room, "hallo", id_="t1") == first
    assert await text(homeserver, its_ghost, room, "hallo", id_="t2") != first
    bodies = [event for event in await anna.timeline(room) if event["type"] == "m.room.message"]
    assert len(bodies) == 2 and bodies[0]["content"][MARKER] == "marker of t1"


async def test_a_message_has_the_time_it_was_written(homeserver: HttpHomeserver, anna: Client) -> None:
    room, its_ghost = await room_of(homeserver, "earlier")
    await anna.join(room)
    event = await text(homeserver, its_ghost, room, "yesterday", id_="t1", at=1_700_000_000_123)
    shown = next(e for e in await anna.timeline(room) if e["event_id"] == event)
    assert shown["origin_server_ts"] == 1_700_000_000_123


async def test_state_is_set_and_found_or_none(homeserver: HttpHomeserver) -> None:
    room, _ = await room_of(homeserver, "state")
    await homeserver.set_state(BOT, room, "m.room.topic", "", {"topic": "new"})
    assert await homeserver.state(BOT, room, "m.room.topic", "") == {"topic": "new"}
    assert await homeserver.state(BOT, room, "m.room.avatar", "") is None


async def test_a_redacted_event_loses_its_content(homeserver: HttpHomeserver, anna: Client) -> None:
    room, its_ghost = await room_of(homeserver, "redacted")
    await anna.join(room)
    event = await text(homeserver, its_ghost, room, "waiting", id_="t1")
    first = await homeserver.redact(its_ghost, room, event, transaction_id="r1")
    assert await homeserver.redact(its_ghost, room, event, transaction_id="r1") == first
    shown = next(e for e in await anna.timeline(room) if e["event_id"] == event)
    assert shown["content"] == {}


async def test_a_receipt_of_the_ghost_is_seen_by_the_user(homeserver: HttpHomeserver, anna: Client) -> None:
    room, its_ghost = await room_of(homeserver, "read")
    await anna.join(room)
    event = await anna.send_text(room, "hallo?")
    await anna.sync(timeout=0)
    await homeserver.mark_read(its_ghost, room, EventId(event))
    async for seen in anna.watch():
        if seen.kind == "receipt" and seen.sender == its_ghost and seen.room == room:
            assert seen.event["event_id"] == event
            break


async def test_history_comes_newest_first_and_ends(homeserver: HttpHomeserver, anna: Client) -> None:
    room, its_ghost = await room_of(homeserver, "history")
    sent = [await text(homeserver, its_ghost, room, str(n), id_=f"t{n}") for n in range(3)]
    newest = [event["event_id"] async for event in homeserver.history(BOT, room, limit=2)]
    assert newest == [sent[2], sent[1]]
    everything = [event async for event in homeserver.history(BOT, room, limit=1000)]
    assert everything[-1]["type"] == "m.room.create"


async def test_our_own_token_cannot_act_as_a_real_user(homeserver: HttpHomeserver) -> None:
    with pytest.raises(Rejected):
        await homeserver.account_data(ANNA, "m.direct")


async def test_a_double_puppet_joins_marks_the_chat_direct_and_writes_with_its_time(
    homeserver: HttpHomeserver, puppets: HttpHomeserver, anna: Client
) -> None:
    room, its_ghost = await room_of(homeserver, "puppet")
    await puppets.join(ANNA, room)
    direct = with_direct(await puppets.account_data(ANNA, "m.direct"), its_ghost, room)
    assert direct is not None
    await puppets.set_account_data(ANNA, "m.direct", direct)
    assert (await anna.account_data("m.direct"))[its_ghost] == [room]
    assert with_direct(await puppets.account_data(ANNA, "m.direct"), its_ghost, room) is None
    event = await text(puppets, ANNA, room, "from my other phone", id_="t1", at=1_700_000_000_000)
    shown = next(e for e in await anna.timeline(room) if e["event_id"] == event)
    assert (shown["sender"], shown["origin_server_ts"]) == (ANNA, 1_700_000_000_000)


async def test_account_data_that_was_never_set_is_empty(puppets: HttpHomeserver) -> None:
    assert await puppets.account_data(BEN, "eu.interop-bridge.nothing") == {}


async def test_a_homeserver_that_cannot_reach_us_says_so_in_the_ping(homeserver: HttpHomeserver) -> None:
    with pytest.raises(TryAgain, match="M_CONNECTION_FAILED"):
        await homeserver.ping("nobody listens")
