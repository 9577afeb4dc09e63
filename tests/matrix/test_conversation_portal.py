"""Portals as Synapse holds them: what kind of room they are, who may do what, and whose they are."""

from __future__ import annotations

import pytest

from demo.client import Refused
from tests.matrix.world import BOT, SANDBOX_LABEL, SERVER, Network, User, World

BRIDGE_KEY = f"{SERVER}/interop"
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_portal_is_a_closed_direct_chat_that_never_leaves_the_homeserver(
    world: World, network: Network, ada: User
) -> None:
    anna = await world.contact(network)
    await network.write(anna.jid, ada.id, "Hello")
    room = (await ada.text("Hello")).room
    invite = await ada.until(lambda each: each.kind == "invite" and each.room == room)
    assert invite.event["content"]["is_direct"] is True
    client = ada.client
    created = await client.state(room, "m.room.create")
    assert (created["room_version"], created["m.federate"]) == ("11", False)
    assert await client.state(room, "m.room.join_rules") == {"join_rule": "invite"}
    assert await client.state(room, "m.room.guest_access") == {"guest_access": "forbidden"}
    assert await client.state(room, "m.room.history_visibility") == {"history_visibility": "invited"}
    assert await client.state(room, "io.element.functional_members") == {"service_members": [BOT]}
    name = f"{anna.name} (WhatsApp, {SANDBOX_LABEL})"
    assert (await client.state(room, "m.room.name"))["name"] == name
    topic = (await client.state(room, "m.room.topic"))["topic"]
    assert SANDBOX_LABEL in topic and "can read along" in topic
    assert set((await client.members(room)).items()) == {
        (ada.id, "join"),
        (BOT, "join"),
        (await ada.ghost_of(room), "join"),
    }


async def test_only_the_bot_has_power_over_a_portal(world: World, network: Network, ada: User) -> None:
    mira = await world.contact(network)
    room = await ada.start_chat(mira)
    levels = await ada.client.state(room, "m.room.power_levels")
    assert levels["users"] == {BOT: 100, ada.id: 50}
    needed = [levels[act] for act in ("invite", "kick", "ban", "state_default")]
    assert (needed, levels["users_default"], levels["events_default"]) == ([100] * 4, 0, 0)
    name = {"name": "Mira from work"}
    await ada.client.call("PUT", "rooms", room, "state", "m.room.name", "", body=name)
    closed = ("m.room.power_levels", "m.room.join_rules", "m.room.encryption", "m.room.canonical_alias")
    for event_type in closed:
        with pytest.raises(Refused) as refused:
            await ada.client.call("PUT", "rooms", room, "state", event_type, "", body={})
        assert refused.value.status == 403


async def test_clients_are_told_what_a_portal_bridges_under_both_names(
    world: World, network: Network, ada: User
) -> None:
    tom = await world.contact(network, "haiket")
    room = await ada.start_chat(tom)
    told = await ada.client.state(room, "m.bridge", BRIDGE_KEY)
    assert await ada.client.state(room, "uk.half-shot.bridge", BRIDGE_KEY) == told
    assert told["bridgebot"] == BOT
    assert told["protocol"] == {"id": "sandbox", "displayname": SANDBOX_LABEL}
    assert told["network"] == {"id": "haiket", "displayname": f"Haiket, {SANDBOX_LABEL}"}
    shown = str(told)
    assert tom.identifier.lstrip("@") not in shown.replace(tom.name, "")
    assert tom.jid.partition("@")[0] not in shown


@pytest.mark.parametrize("accepts", [False, True])
async def test_a_chat_the_user_started_is_joined_and_marked_as_direct_for_them(
    world: World, network: Network, eva: User, accepts: bool
) -> None:
    eva.accepts = accepts
    mira = await world.contact(network)
    room = await eva.start_chat(mira)
    assert room in await eva.client.joined_rooms()
    assert await eva.client.account_data("m.direct") == {await eva.ghost_of(room): [room]}


async def test_a_chat_that_somebody_else_started_waits_as_an_invitation(
    world: World, network: Network, eva: User
) -> None:
    eva.accepts = False
    anna = await world.contact(network)
    id = await network.write(anna.jid, eva.id, "Hello stranger")
    invite = await eva.until(lambda each: each.kind == "invite")
    await network.sent_by(anna, id, lambda each: each["delivered"])
    assert invite.room not in await eva.client.joined_rooms()
    (rooms,) = (await eva.client.account_data("m.direct")).values()
    assert rooms == [invite.room]
    await eva.client.join(invite.room)
    assert (await eva.text("Hello stranger")).room == invite.room


async def test_a_portal_that_was_left_is_offered_again_when_there_is_something_new(
    world: World, network: Network, eva: User
) -> None:
    anna = await world.contact(network)
    await network.write(anna.jid, eva.id, "Hello")
    room = (await eva.text("Hello")).room
    await eva.client.leave(room)
    await eva.says("status", "status.is")
    await network.write(anna.jid, eva.id, "Are you ignoring me?")
    assert (await eva.text("Are you ignoring me?")).room == room
    assert (await eva.client.members(room))[eva.id] == "join"


@pytest.mark.threat("S31")
async def test_no_stranger_gets_into_a_portal(world: World, network: Network, ada: User) -> None:
    mira = await world.contact(network)
    room = await ada.start_chat(mira)
    await ada.client.send_text(room, "Between us")
    await network.read_by(mira, "Between us")
    async with world.user("eve") as eve:
        with pytest.raises(Refused) as invited:
            await ada.client.call("POST", "rooms", room, "invite", body={"user_id": eve.id})
        with pytest.raises(Refused) as joined:
            await eve.client.join(room)
        with pytest.raises(Refused) as written:
            await eve.client.send_text(room, "Let me in")
        with pytest.raises(Refused) as read:
            await eve.client.timeline(room)
        refusals = [each.value.status for each in (invited, joined, written, read)]
        assert refusals == [403] * 4
    assert [each["text"] for each in (await network.person(mira.jid))["received"]] == ["Between us"]


async def test_two_users_who_know_the_same_contact_share_nothing(
    world: World, network: Network, eva: User
) -> None:
    anna = await world.contact(network)
    async with world.user("bob") as bob:
        await bob.opt_in()
        rooms, ghosts, profiles, receivers, rows, identities = [], [], [], [], [], []
        for user in (eva, bob):
            text = f"Only for {user.id}"
            await network.write(anna.jid, user.id, text)
            seen = await user.text(text)
            await user.client.send_text(seen.room, f"From {user.id}")
            await network.read_by(anna, f"From {user.id}")
            rooms.append(seen.room)
            ghosts.append(seen.sender)
            profiles.append(await user.client.call("GET", "profile", seen.sender))
            told = await user.client.state(seen.room, "m.bridge", BRIDGE_KEY)
            receivers.append(told["channel"]["fi.mau.receiver"])
            identities.append((await network.account(user.id))["identity"])
            rows += world.rows(
                "SELECT contact.*, session.record FROM contact JOIN account USING (account_id)"
                " JOIN session USING (contact_id) WHERE user_id = ?",
                user.id,
            )
        ours, theirs = rows
        private = ("contact_id", "account_id", "jid_digest", "facts", "ghost", "alias", "room_id", "record")
        assert not {str(ours[name]) for name in private} & {str(theirs[name]) for name in private}
        for each in (rooms, ghosts, receivers, identities):
            assert len(set(each)) == 2
        assert all(profile.get("avatar_url") is None for profile in profiles)
        with pytest.raises(Refused):
            await bob.client.timeline(rooms[0])
        held = (await network.person(anna.jid))["received"]
        assert len({each["sender"] for each in held}) == 2
    log = world.bridge.log(lines=100_000)
    for secret in (anna.jid, anna.identifier.lstrip("+"), anna.name, "Only for", eva.id):
        assert secret not in log
