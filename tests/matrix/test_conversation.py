"""The whole way through: from a Matrix client over Synapse, bridge and network to a contact, and back."""

from __future__ import annotations

from bridge.matrix.events import MARKER
from tests.matrix.world import BOT, SANDBOX_LABEL, SERVER, Network, User, World


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
    await network.advance(-90.0)  # the contact's clock is not the homeserver's
    id = await network.write(anna.jid, ada.id, "Good morning")
    seen = await ada.text("Good morning")
    sent = await network.sent_by(anna, id, lambda each: each["t"])
    assert seen.event["origin_server_ts"] == sent["t"] * 1000
    assert seen.sender.startswith("@ib_") and seen.sender.endswith(f":{SERVER}")
    assert "anna" not in seen.sender and anna.jid.partition("@")[0] not in seen.sender
    assert seen.event["content"][MARKER] and seen.event["content"]["m.mentions"] == {}
    name = (await ada.client.state(seen.room, "m.room.member", seen.sender))["displayname"]
    assert name == f"{anna.name} (BirdyChat, {SANDBOX_LABEL})"
    assert BOT in await ada.client.members(seen.room)
