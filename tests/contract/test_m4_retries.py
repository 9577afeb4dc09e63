"""Retry receipts both ways and identity changes (dossier 4.8, 12.11: the retry matrix)."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.e2ee.errors import BadMessage, KeyGone
from bridge.ids import Jid
from bridge.sandbox.rules.faults import corrupt_mac
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.notification import IdentityChanged
from bridge.wire.vocabulary.receipt import Receipt, RetryReceipt
from tests.contract.bare_client import BareClient
from tests.contract.support import Running, SandboxControl


async def friend(control: SandboxControl, client: BareClient) -> tuple[str, Jid]:
    made = await control.add_person("whatsapp", f"+49{client.jid.user}", "Mira")
    return made["jid"], Jid.parse(made["jid"])


def own_bundle(client: BareClient) -> PublicBundle:
    made = client.keys(1)
    return PublicBundle(
        registration_id=made.registration_id,
        identity=made.identity,
        signed_prekey_id=made.signed.id,
        signed_prekey=made.signed.public,
        signature=made.signed.signature,
        prekey_id=made.one_time[0].id,
        prekey=made.one_time[0].public,
    )


def asking(client: BareClient, message: Message, count: int, *, with_keys: bool) -> RetryReceipt:
    keys = own_bundle(client) if with_keys else None
    return RetryReceipt(message.id, message.peer, count, client.own.registration_id, keys, message.t)


@pytest.mark.parametrize("with_keys", [True, False])
async def test_person_answers_a_retry_with_same_id_and_new_bytes(
    alice: BareClient, control: SandboxControl, with_keys: bool
) -> None:
    mira, _ = await friend(control, alice)
    await control.write(mira, str(alice.jid), "read me")
    first = await alice.next(Message)
    await alice.acknowledge(first)
    await alice.send(asking(alice, first, 1, with_keys=with_keys).to_stanza("to"))
    again = await alice.next(Message)
    assert (again.id, again.count) == (first.id, 1)
    assert again.ciphertext != first.ciphertext
    assert alice.open_message(again) == "read me"


async def test_person_answers_a_limited_number_of_retries(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    mira, _ = await friend(control, alice)
    written = await control.write(mira, str(alice.jid), "again and again")
    first = await alice.next(Message)
    most = running.profile.limits.retry_answers
    for count in range(1, most + 3):
        await alice.send(asking(alice, first, count, with_keys=False).to_stanza("to"))
    await alice.count()
    answers = [word for word in alice.seen if isinstance(word, Message) and word.id == written]
    assert len(answers) == 1 + most
    assert len({answer.ciphertext for answer in answers}) == 1 + most


async def test_retry_for_another_members_message_is_not_answered(
    alice: BareClient, control: SandboxControl
) -> None:
    mira = (await friend(control, alice))[0]
    anna = (await control.add_person("birdychat", f"{alice.jid.user}@firm.example", "Anna"))["jid"]
    await control.write(mira, str(alice.jid), "from Mira")
    first = await alice.next(Message)
    other = asking(alice, Message(first.id, Jid.parse(anna), "msg", b""), 1, with_keys=False)
    await alice.send(other.to_stanza("to"))
    await alice.count()
    assert len([word for word in alice.seen if isinstance(word, Message)]) == 1


async def test_person_adds_keys_to_its_second_retry_receipt(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    mira, jid = await friend(control, alice)
    await alice.write(jid, "a session begins")
    message = alice.seal(jid, "garbled")
    spoiled = corrupt_mac(message.kind, message.ciphertext)
    garbled = Message(message.id, jid, message.kind, spoiled)
    await alice.send(garbled.to_stanza("to"))
    first = await alice.next(RetryReceipt)
    assert (first.id, first.count, first.keys) == (message.id, 1, None)
    await alice.send(garbled.to_stanza("to"))
    second = await alice.next(RetryReceipt)
    assert second.count == 2 and second.keys is not None
    alice.begin_from(jid, second.keys)
    answer = alice.seal(jid, "readable", id=message.id, count=2)
    await alice.send(answer.to_stanza("to"))
    assert [each["text"] for each in await control.received(mira, 2)] == ["a session begins", "readable"]
    assert (await alice.next(Receipt)).type is None


async def test_person_stops_retrying_after_the_limit(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    mira, jid = await friend(control, alice)
    most = running.profile.limits.retry_asks
    for _ in range(most + 2):
        await alice.send(Message("never", jid, "msg", b"\x33 nonsense").to_stanza("to"))
    await alice.count()
    asked = [word for word in alice.seen if isinstance(word, RetryReceipt)]
    assert [each.count for each in asked] == list(range(1, most + 1))
    assert [each.keys is not None for each in asked] == [False] + [True] * (most - 1)
    (held,) = (await control.person(mira))["received"]
    assert held["state"] == "failed"


async def test_person_without_sessions_recovers_by_retry(alice: BareClient, control: SandboxControl) -> None:
    mira, jid = await friend(control, alice)
    await alice.write(jid, "before")
    await control.write(mira, str(alice.jid), "answered")
    await alice.read()
    await control.do(mira, "forget_sessions")
    await alice.write(jid, "after")
    asked = await alice.next(RetryReceipt)
    assert asked.keys is not None
    alice.begin_from(jid, asked.keys)
    await alice.send(alice.seal(jid, "after", id=asked.id, count=1).to_stanza("to"))
    assert [each["text"] for each in await control.received(mira, 2)] == ["before", "after"]


async def test_reinstall_is_announced_and_used_by_the_next_session(
    alice: BareClient, control: SandboxControl
) -> None:
    mira, jid = await friend(control, alice)
    await alice.write(jid, "before")
    old = alice.records[jid].identity
    fresh = (await control.do(mira, "reinstall"))["identity"]
    assert (await alice.next(IdentityChanged)).peer == jid
    await alice.begin(jid)
    assert alice.records[jid].identity.hex() == fresh != old.hex()
    await alice.write(jid, "after")
    assert [each["text"] for each in await control.received(mira, 2)] == ["before", "after"]


async def test_signed_prekey_rotated_after_fetch_leads_to_a_retry(
    alice: BareClient, control: SandboxControl
) -> None:
    _, jid = await friend(control, alice)
    await control.fault("rotate_after_fetch")
    await alice.begin(jid)
    message = alice.seal(jid, "too late")
    await alice.send(message.to_stanza("to"))
    asked = await alice.next(RetryReceipt)
    assert (asked.id, asked.keys is not None) == (message.id, True)


async def test_reinstall_after_fetch_leads_to_retry_and_notice(
    alice: BareClient, control: SandboxControl
) -> None:
    _, jid = await friend(control, alice)
    await control.fault("reinstall_after_fetch")
    await alice.begin(jid)
    assert (await alice.next(IdentityChanged)).peer == jid
    message = alice.seal(jid, "too late")
    await alice.send(message.to_stanza("to"))
    assert (await alice.next(RetryReceipt)).id == message.id


async def test_retry_storm_sends_the_requested_number(alice: BareClient, control: SandboxControl) -> None:
    _, jid = await friend(control, alice)
    await control.fault("retry_storm", count=12)
    accepted = await alice.write(jid, "once")
    await alice.count()
    asked = [word for word in alice.seen if isinstance(word, RetryReceipt)]
    assert [(each.id, each.count) for each in asked] == [(accepted.id, count) for count in range(1, 13)]


async def test_bad_mac_leads_to_a_retry_that_can_be_read(alice: BareClient, control: SandboxControl) -> None:
    mira, _ = await friend(control, alice)
    await control.fault("bad_mac", account=alice.identifier)
    await control.write(mira, str(alice.jid), "whole")
    bad = await alice.next(Message)
    before: Any = dict(alice.records)
    with pytest.raises(BadMessage):
        alice.open_message(bad)
    assert alice.records == before
    await alice.acknowledge(bad)
    await alice.send(asking(alice, bad, 1, with_keys=False).to_stanza("to"))
    assert alice.open_message(await alice.next(Message)) == "whole"


@pytest.mark.parametrize("new_id", [True, False])
async def test_replayed_message_is_not_opened(
    alice: BareClient, control: SandboxControl, new_id: bool
) -> None:
    mira, _ = await friend(control, alice)
    await control.write(mira, str(alice.jid), "once")
    first, _ = await alice.read()
    await control.act(alice.identifier, "replay", new_id=new_id)
    again = await alice.next(Message)
    assert again.ciphertext == first.ciphertext and (again.id == first.id) is not new_id
    with pytest.raises(KeyGone):
        alice.open_message(again)
