"""Messages that one end cannot read, and contacts with new keys: what people at both ends see of it."""

from __future__ import annotations

import pytest

from tests.matrix.world import Network, User, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR_S = 3_600.0
ANSWERS_AT_MOST = 10
ASKS_AT_MOST = 4


# The contact cannot read


async def test_a_message_the_contact_cannot_open_is_sealed_anew_under_its_own_id(
    world: World, network: Network, ada: User
) -> None:
    mira, portal = await world.chat(network, ada)
    await network.do(mira.jid, "forget_sessions")
    await ada.client.send_text(portal, "Can you read this?")
    held = await network.read_by(mira, "Can you read this?")
    sent = [each for each in await network.out_of(ada.id, mira) if each["id"] == held["id"]]
    assert len(sent) >= 2 and len({each["ciphertext"] for each in sent}) == len(sent)
    assert (sent[0]["kind"], sent[-1]["kind"]) == ("msg", "pkmsg")
    assert [each["count"] for each in sent] == list(range(len(sent)))
    assert (held["state"], held["repeats"]) == ("read", 0)
    await ada.client.send_text(portal, "And this?")
    assert len((await network.read_by(mira, "And this?"))["ciphertexts"]) == 1


async def test_a_message_is_sealed_anew_ten_times_at_most(world: World, network: Network, ada: User) -> None:
    mira, portal = await world.chat(network, ada)
    await network.change_person(mira.jid, sends_receipts=False)
    await network.fault("retry_storm", account=ada.id, count=ANSWERS_AT_MOST + 2)
    await ada.client.send_text(portal, "Once is enough")
    stormed = await network.read_by(mira, "Once is enough")
    await ada.client.send_text(portal, "Something else")
    other = await network.read_by(mira, "Something else")
    await network.do(mira.jid, "ask_again", sender=ada.id, id=other["id"])

    async def answered() -> bool:
        return len([each for each in await network.out_of(ada.id, mira) if each["id"] == other["id"]]) == 2

    await network.until(answered)  # questions of one contact are answered in their order
    sent = [each for each in await network.out_of(ada.id, mira) if each["id"] == stormed["id"]]
    assert len(sent) == 1 + ANSWERS_AT_MOST
    assert len({each["ciphertext"] for each in sent}) == len(sent)


async def test_only_who_a_message_was_for_and_who_did_not_get_it_is_answered(
    world: World, network: Network, ada: User
) -> None:
    mira, portal = await world.chat(network, ada)
    other, their_portal = await world.chat(network, ada)
    for contact in (mira, other):
        await network.change_person(contact.jid, sends_receipts=False)
    await ada.client.send_text(portal, "For Mira alone")
    await ada.client.send_text(their_portal, "For the other one")
    not_theirs = await network.read_by(mira, "For Mira alone")
    theirs = await network.read_by(other, "For the other one")
    delivered = (await network.person(other.jid))["received"][0]
    for id in (not_theirs["id"], delivered["id"], theirs["id"]):
        await network.do(other.jid, "ask_again", sender=ada.id, id=id, with_keys=True)

    async def answered() -> bool:
        return len(await network.out_of(ada.id, other)) == 3

    await network.until(answered)  # questions of one contact are answered in their order
    sent = [each["id"] for each in await network.out_of(ada.id, other)]
    assert sent == [delivered["id"], theirs["id"], theirs["id"]]


async def test_a_contact_who_reinstalled_is_written_to_under_new_keys_and_the_user_is_told_once(
    world: World, network: Network, ada: User
) -> None:
    mira, portal = await world.chat(network, ada)
    await network.do(mira.jid, "reinstall")
    await network.write(mira.jid, ada.id, "New phone")
    seen = await ada.text("New phone")
    await ada.hears("identity.changed", room=portal)
    await ada.client.send_text(seen.room, "Nice")
    await network.read_by(mira, "Nice")
    await network.write(mira.jid, ada.id, "Indeed")
    await ada.text("Indeed")
    told = [body for body in await ada.bodies(portal) if "safety number" in body]
    assert len(told) == 1 and mira.name in told[0]


async def test_a_contact_who_reinstalled_in_silence_gets_the_next_message_all_the_same(
    world: World, network: Network, ada: User
) -> None:
    mira, portal = await world.chat(network, ada)
    await network.do(mira.jid, "reinstall")
    await ada.client.send_text(portal, "Are you still you?")
    held = await network.read_by(mira, "Are you still you?")
    assert held["state"] == "read"
    await ada.hears("identity.changed", room=portal)


# The bridge cannot read


async def test_a_message_the_bridge_cannot_open_is_asked_for_and_shown_once(
    world: World, network: Network, ada: User
) -> None:
    anna, portal = await world.chat(network, ada)
    await network.fault("bad_mac", account=ada.id)
    id = await network.write(anna.jid, ada.id, "Broken on the way")
    await ada.text("Broken on the way")
    sent = await network.sent_by(anna, id, lambda each: each["delivered"])
    assert (sent["answered_retries"], sent["delivered"]) == (1, 1)
    assert await ada.count(portal, "Broken on the way") == 1


async def test_after_four_questions_one_notice_stands_in_the_messages_place(
    world: World, network: Network, ada: User
) -> None:
    anna, portal = await world.chat(network, ada)
    await network.fault("bad_mac", account=ada.id, times=1 + ASKS_AT_MOST)
    id = await network.write(anna.jid, ada.id, "Broken again and again")
    notice = await ada.hears("inbound.unreadable", room=portal)
    sent = await network.sent_by(anna, id, lambda each: each["t"])
    assert notice.event["origin_server_ts"] == sent["t"] * 1000
    log = await network.log()
    asked = [each for each in log["receipts"] if each["type"] == "retry" and each["ids"] == [id]]
    assert [each["count"] for each in asked] == list(range(1, ASKS_AT_MOST + 1))
    await network.write(anna.jid, ada.id, "Clear again")
    await ada.text("Clear again")
    assert len([body for body in await ada.bodies(portal) if "decrypted" in body]) == 1
    assert await ada.count(portal, "Broken again and again") == 0


async def test_an_answer_that_comes_late_takes_the_notices_place(
    world: World, network: Network, ada: User
) -> None:
    anna, portal = await world.chat(network, ada)
    await network.fault("bad_mac", account=ada.id)
    await network.change_person(anna.jid, online=False)
    id = await network.write(anna.jid, ada.id, "Sorry, no signal here")

    async def asked() -> bool:
        receipts = (await network.log())["receipts"]
        return any(each["type"] == "retry" and each["ids"] == [id] for each in receipts)

    await network.until(asked)
    await network.advance(HOUR_S)
    notice = await ada.hears("inbound.unreadable", room=portal)
    await network.connected(ada.id, wanted=False)
    await network.change_person(anna.jid, online=True)
    await ada.text("Sorry, no signal here", room=portal)
    await ada.redaction(notice)
    bodies = await ada.bodies(portal)
    assert "Sorry, no signal here" in bodies and notice.body not in bodies
