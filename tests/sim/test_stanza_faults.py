"""What the network does to stanzas: repeats, reorders and damages them; each text is shown once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bridge.e2ee.bundle import PreKeyBundle
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import message, receipt
from tests.sim.contact import bundle_of, damaged
from tests.sim.whole import Whole

HOUR_S, DAY_S = 3_600.0, 86_400.0


def bundle(bridge: Whole) -> PreKeyBundle:
    """What the network's directory hands out for the user."""
    assert bridge.network.directory is not None
    return bundle_of(*bridge.network.directory)


def written(bridge: Whole, *texts: str) -> list[Stanza]:
    """What the contact seals, in order; nothing of it is on its way yet."""
    return [bridge.contact.write(f"ID {text}", text, bundle(bridge)) for text in texts]


def under_id(stanza: Stanza, id_: str) -> Stanza:
    """The same message under another stanza id."""
    return replace(stanza, attributes={**stanza.attributes, "id": id_})


def shown(bridge: Whole) -> list[str]:
    """The ghost's texts in the chat."""
    return bridge.home.texts(bridge.portal, bridge.home.ghost(bridge.portal))


def asked_again(bridge: Whole) -> list[receipt.RetryReceipt]:
    """The retry receipts that the bridge sent."""
    found = [receipt.parse(each, "to") for each in bridge.network.sent if each.tag == "receipt"]
    return [each for each in found if isinstance(each, receipt.RetryReceipt)]


@pytest.fixture
async def talking(chat: Whole) -> Whole:
    """A chat in which both have written, so that ordinary messages follow."""
    await chat.says("Hello")
    await chat.hears("Hello yourself")
    return chat


@pytest.mark.fault("F32")
async def test_repeated_stanza_is_shown_once_and_acknowledged(talking: Whole) -> None:
    (stanza,) = written(talking, "Once")
    await talking.network.deliver(stanza, stanza)
    await talking.settled()
    await talking.network.deliver(under_id(stanza, "ANOTHER ID"))
    await talking.network.deliver(*written(talking, "Later"))
    await talking.passes(2 * HOUR_S)
    assert shown(talking) == ["Hello yourself", "Once", "Later"]
    assert not talking.network.waiting and not asked_again(talking)


@pytest.mark.fault("F33")
@pytest.mark.parametrize("order", [(4, 2, 0, 1, 3, 5), (5, 4, 3, 2, 1, 0), (2, 5, 0, 4, 1, 3)])
async def test_reordered_stanzas_are_shown_in_the_networks_order(
    talking: Whole, order: Sequence[int]
) -> None:
    chain = written(talking, "0", "1", "2")
    await talking.says("An answer begins another chain")
    stanzas = [*chain, *written(talking, "3", "4", "5")]
    for number in order:
        await talking.network.deliver(stanzas[number])
    await talking.passes(2 * HOUR_S)
    assert shown(talking)[1:] == [str(number) for number in order]
    assert not talking.network.waiting and not asked_again(talking)


@pytest.mark.fault("F34")
async def test_lost_acknowledgement_repeats_nothing(talking: Whole) -> None:
    talking.network.hears_acknowledgements = False
    await talking.network.deliver(*written(talking, "Did it arrive?"))
    await talking.settled()
    talking.network.lose_link()
    await talking.passes(60.0)
    talking.network.hears_acknowledgements = True
    talking.network.lose_link()
    await talking.passes(60.0)
    assert shown(talking) == ["Hello yourself", "Did it arrive?"]
    assert not talking.network.waiting and not asked_again(talking)


@pytest.mark.fault("F35")
async def test_renewed_signed_prekey_still_opens_what_used_the_old_one(chat: Whole) -> None:
    stanzas = written(chat, "Written a month ago")
    old = chat.network.directory
    await chat.passes(30 * DAY_S)
    assert chat.network.directory != old
    await chat.network.deliver(*stanzas)
    await chat.settled()
    assert shown(chat) == ["Written a month ago"]


@pytest.mark.fault("F35")
async def test_unknown_one_time_prekey_is_answered_with_keys_for_a_new_session(chat: Whole) -> None:
    used = chat.network.one_time[-1]
    stale = replace(bundle(chat), prekey_id=used.id + 1_000, prekey=used.pair.public)
    chat.contact.answers = True
    await chat.network.deliver(chat.contact.write("STALE", "Under a key that is gone", stale))
    await chat.passes(HOUR_S / 2)
    assert shown(chat) == ["Under a key that is gone"]
    assert [each.count for each in asked_again(chat)] == [1, 2]
    assert asked_again(chat)[-1].keys is not None


@pytest.mark.fault("F36")
async def test_damaged_message_is_asked_for_and_the_session_stays(talking: Whole) -> None:
    talking.contact.answers = True
    broken, whole = written(talking, "Broken on the way", "Whole")
    await talking.network.deliver(damaged(broken), whole)
    await talking.passes(HOUR_S / 2)
    assert sorted(shown(talking)[1:]) == ["Broken on the way", "Whole"]
    assert [each.count for each in asked_again(talking)] == [1]


@pytest.mark.fault("F36")
async def test_message_that_stays_damaged_ends_in_one_notice(talking: Whole) -> None:
    broken = damaged(written(talking, "Broken")[0])
    await talking.network.deliver(broken)
    for _ in range(10):
        await talking.passes(60.0)
        arrived = message.parse(talking.contact.write_again(asked_again(talking)[-1]), "from")
        await talking.network.deliver(damaged(arrived.to_stanza("from")))
    await talking.passes(2 * HOUR_S)
    assert [each.count for each in asked_again(talking)] == [1, 2, 3, 4]
    assert len(talking.home.heard("inbound.unreadable")) == 1
    assert shown(talking) == ["Hello yourself"]
    await talking.network.deliver(*written(talking, "Whole"))
    await talking.settled()
    assert shown(talking) == ["Hello yourself", "Whole"]


@pytest.mark.fault("F37")
async def test_message_without_a_session_is_asked_for_with_keys(talking: Whole) -> None:
    await talking.forget_sessions()
    talking.contact.answers = True
    await talking.network.deliver(*written(talking, "In a session you lost"))
    await talking.settled()
    assert not talking.network.waiting
    await talking.passes(HOUR_S / 2)
    assert shown(talking) == ["Hello yourself", "In a session you lost"]
    assert [each.keys is not None for each in asked_again(talking)] == [False, True]


@pytest.mark.fault("F38")
async def test_retry_is_sealed_anew_under_the_same_id_and_a_new_key(talking: Whole) -> None:
    talking.network.deaf = True
    await talking.says("Again, please")
    talking.network.deaf = False
    sent = [each for each in talking.network.sent if each.tag == "message"][-1]
    id_ = str(sent.attributes["id"])
    talking.contact.forget_sessions()
    for count in range(1, 14):
        await talking.network.deliver(talking.contact.ask_again(id_, count))
        await talking.settled()
    again = [each for each in talking.network.sent if each.attributes.get("id") == id_]
    assert len(again) == 1 + talking.profile.limits.retry_answers
    assert len({message.parse(each, "to").ciphertext for each in again}) == len(again)
    assert talking.contact.received[1:] == ["Again, please"] * (len(again) - 2)  # the first came without keys


@pytest.mark.fault("F38")
async def test_retry_is_answered_for_thirty_days_only(talking: Whole) -> None:
    talking.network.deaf = True
    await talking.says("Kept for a month")
    talking.network.deaf = False
    sent = [each for each in talking.network.sent if each.tag == "message"][-1]
    await talking.passes(31 * DAY_S)
    assert not await talking.database.read("SELECT 1 AS found FROM message WHERE body IS NOT NULL")
    count = len(talking.network.sent)
    await talking.network.deliver(talking.contact.ask_again(str(sent.attributes["id"]), 1))
    await talking.settled()
    assert [each.tag for each in talking.network.sent[count:]].count("message") == 0
