"""A network that repeats, loses, breaks off, falls silent or talks nonsense: what people see of it."""

from __future__ import annotations

import pytest

from tests.matrix.world import BOT, Network, User, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

MINUTE_S, HOUR_S = 60.0, 3_600.0


# Repetitions


@pytest.mark.parametrize("kind", ["duplicate_stanza", "reorder"])
async def test_what_the_network_repeats_or_reorders_is_shown_once(
    world: World, network: Network, ada: User, kind: str
) -> None:
    anna, portal = await world.chat(network, ada)
    await network.fault(kind, account=ada.id)
    texts = [f"{kind} {number}" for number in range(3)]
    for text in texts:
        await network.write(anna.jid, ada.id, text)
    for text in texts:
        await ada.text(text, room=portal)
    assert [await ada.count(portal, text) for text in texts] == [1, 1, 1]


async def test_what_is_played_again_is_shown_once(world: World, network: Network, ada: User) -> None:
    anna, portal = await world.chat(network, ada)
    await network.write(anna.jid, ada.id, "Said once")
    await ada.text("Said once")
    await network.act(ada.id, "replay")
    await network.act(ada.id, "replay", new_id=True)
    await network.write(anna.jid, ada.id, "Said later")
    await ada.text("Said later")
    assert await ada.count(portal, "Said once") == 1
    assert not [body for body in await ada.bodies(portal) if "decrypted" in body]


@pytest.mark.parametrize("kind", ["duplicate_ack", "close_on_message"])
async def test_what_is_sent_again_after_a_doubt_is_the_very_same(
    world: World, network: Network, ada: User, kind: str
) -> None:
    mira, portal = await world.chat(network, ada)
    await network.fault(kind, account=ada.id)
    await ada.client.send_text(portal, f"Did {kind} arrive?")
    event = await ada.client.send_text(portal, f"After {kind}")
    await network.read_by(mira, f"After {kind}")
    await ada.receipt(BOT, event)
    held = await network.read_by(mira, f"Did {kind} arrive?")
    assert len(set(held["ciphertexts"])) == 1
    assert len((await network.person(mira.jid))["received"]) == 3


@pytest.mark.parametrize("kind", ["missing_ack", "swallow_message"])
async def test_what_is_never_acknowledged_is_sent_again_as_it_was(
    world: World, network: Network, ada: User, kind: str
) -> None:
    mira, portal = await world.chat(network, ada)
    await network.fault(kind, account=ada.id)
    await ada.client.send_text(portal, f"Did {kind} take it?")

    async def sent_again() -> bool:
        await network.pass_time(2 * MINUTE_S)
        return len(await network.out_of(ada.id, mira)) > 2

    await network.until(sent_again)
    sent = (await network.out_of(ada.id, mira))[1:]
    assert len({(each["id"], each["ciphertext"]) for each in sent}) == 1
    await network.read_by(mira, f"Did {kind} take it?")
    held = (await network.person(mira.jid))["received"]
    assert [each["text"] for each in held].count(f"Did {kind} take it?") == 1


@pytest.mark.fault("F31")
@pytest.mark.parametrize("kind", ["cut_incoming", "cut_outgoing"])
async def test_a_connection_that_breaks_off_anywhere_loses_and_doubles_nothing(
    world: World, network: Network, eva: User, kind: str
) -> None:
    anna, portal = await world.chat(network, eva)
    await network.act(eva.id, "disconnect")
    await network.connected(eva.id, wanted=False)
    for after_bytes in range(60, 1_800, 435):
        await network.fault(kind, after_bytes=after_bytes)
    await network.write(anna.jid, eva.id, "Through the thicket")
    await eva.client.send_text(portal, "And back")
    seen = await eva.until(
        lambda each: each.body == "Through the thicket", meanwhile=lambda: network.advance(10 * MINUTE_S)
    )
    await network.clear_faults()
    await eva.client.send_text(portal, "At last")
    await network.read_by(anna, "At last")
    assert await eva.count(seen.room, "Through the thicket") == 1
    held = (await network.person(anna.jid))["received"]
    assert [each["text"] for each in held][1:] == ["And back", "At last"]
    assert (await network.log())["faults"][kind] > 1


NONSENSE = (
    "unknown_stanza",
    "malformed_message",
    "malformed_bytes",
    "zip_bomb",
    "deep_nesting",
    "cut",
    "end",
)


async def test_nonsense_of_the_network_ends_no_conversation(
    world: World, network: Network, ada: User, eva: User
) -> None:
    anna, portal = await world.chat(network, ada)
    await network.connected(eva.id)
    theirs = await network.logins(eva.id)
    for act in NONSENSE:
        await network.connected(ada.id)
        await network.act(ada.id, act)
        await network.write(anna.jid, ada.id, f"After {act}")
        await ada.until(
            lambda each, act=act: each.body == f"After {act}",  # type: ignore[misc]
            meanwhile=lambda: network.advance(2.0),
        )
        await ada.client.send_text(portal, f"Behind {act}")
        await network.read_by(anna, f"Behind {act}")
        assert await ada.count(portal, f"After {act}") == 1
    assert await network.logins(eva.id) == theirs  # nobody else had to come again
    assert "Traceback" not in world.bridge.log(lines=100_000)


# Waiting


async def away(network: Network, user: User) -> None:
    """The network does not let a user's account in."""
    await network.connected(user.id)
    await network.fault("refuse_login", times=1_000_000)
    await network.act(user.id, "disconnect")
    await network.connected(user.id, wanted=False)


async def test_while_the_network_is_away_a_chat_is_marked_once_until_all_was_accepted(
    world: World, network: Network, ada: User
) -> None:
    mira, portal = await world.chat(network, ada)
    await away(network, ada)
    event = await ada.client.send_text(portal, "Is anybody there?")
    await ada.client.send_text(portal, "Hello?")
    mark = await ada.hears("outbound.waiting", room=portal, meanwhile=lambda: network.advance(11.0))
    assert mark.event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == event
    await network.clear_faults()
    await network.advance(HOUR_S)
    await network.read_by(mira, "Hello?")
    await ada.redaction(mark)
    assert not [body for body in await ada.bodies(portal) if body.startswith("Waiting")]


async def test_the_first_message_of_a_chat_is_marked_as_waiting_too(
    world: World, network: Network, ada: User
) -> None:
    mira = await world.contact(network)
    portal = await ada.start_chat(mira)
    await away(network, ada)
    await ada.client.send_text(portal, "The very first")
    mark = await ada.hears("outbound.waiting", room=portal, meanwhile=lambda: network.advance(11.0))
    await network.clear_faults()
    await network.advance(HOUR_S)
    held = await network.read_by(mira, "The very first")
    assert len(held["ciphertexts"]) == 1
    await ada.redaction(mark)


# Refusals of the network


@pytest.mark.parametrize(
    ("act", "parameters", "key"),
    [
        ("un_enlist", {}, "network.unknown_account"),
        ("ban", {"seconds": 3600}, "network.banned_for_now"),
        ("lock", {}, "network.locked"),
    ],
)
async def test_what_the_network_did_to_an_account_is_said_in_words_and_opt_in_comes_back(
    world: World, network: Network, eva: User, act: str, parameters: dict[str, int], key: str
) -> None:
    anna, portal = await world.chat(network, eva)
    await network.act(eva.id, act, **parameters)
    await eva.hears(key, meanwhile=lambda: network.advance(MINUTE_S / 2))
    await eva.client.send_text(portal, "Can I still write?")
    await eva.hears("outbound.not_sent", room=portal)
    if act == "ban":
        await network.act(eva.id, "ban", seconds=0)
    if act == "lock":
        await network.act(eva.id, "lock", on=False)
    await eva.says("opt-in", "enlist.invitation")
    await eva.client.send_text(portal, "Here I am")
    await network.read_by(anna, "Here I am")
    texts = [each["text"] for each in (await network.person(anna.jid))["received"]]
    assert "Can I still write?" not in texts


async def test_an_enlistment_that_the_network_refuses_is_explained(world: World, network: Network) -> None:
    async with world.user("eva") as eva:
        await network.registry(not_eligible=[eva.id])
        await eva.meet_bot()
        await eva.says("opt-in", "opt_in.ask_name")
        await eva.says("ok", "opt_in.ask_identifier")
        await eva.says("ok", "opt_in.confirm")
        refused = await eva.says("agree", "enlist.refused")
        assert "not eligible where you are" in (refused.body or "")
        await network.registry(not_eligible=[])
        await eva.says("opt-in", "enlist.invitation")


async def test_an_enlistment_that_the_network_cannot_take_now_is_tried_again(
    world: World, network: Network
) -> None:
    async with world.user("eva") as eva:
        await network.fault("refuse_enlistment", times=2, retry_after=30)
        await network.fault("jwks_outage")
        await eva.meet_bot()
        await eva.says("opt-in", "opt_in.ask_name")
        await eva.says("ok", "opt_in.ask_identifier")
        await eva.says("ok", "opt_in.confirm")
        await eva.says("agree", "opt_in.started")
        await eva.hears("enlist.invitation", meanwhile=lambda: network.advance(MINUTE_S))
        assert await eva.count(eva.talk, "opt-in") == 1 and await network.has_account(eva.id)
