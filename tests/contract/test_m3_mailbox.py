"""M3.3: mailbox and push: preview, batches, redelivery until acknowledged (dossier 2.8, 12.3)."""

from __future__ import annotations

import jwt
import pytest

from bridge.ids import Jid
from bridge.wire.vocabulary.info import OfflineBatch, OfflineDone, OfflinePreview
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.receipt import Receipt
from tests.contract.bare_client import BareClient
from tests.contract.support import Partner, Running, SandboxControl
from tests.contract.web_keys import fetch_key_set


async def mailbox(control: SandboxControl, client: BareClient) -> int:
    return int((await control.account(client.identifier))["mailbox"])


async def test_push_then_login_drains_the_mailbox_in_order(
    alice: BareClient, partner: Partner, control: SandboxControl
) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await alice.close()
    texts = ["one", "two", "three"]
    for text in texts:
        await control.write(mira["jid"], str(alice.jid), text)
    push = await partner.next_push()
    assert push.body == {"to": alice.identifier}
    await alice.connect()
    messages = [await alice.read() for _ in texts]
    assert [text for _, text in messages] == texts
    assert all(message.offline for message, _ in messages)
    assert OfflinePreview(3, 3) in alice.seen
    assert await alice.next(OfflineDone) == OfflineDone(3)


async def test_push_token_names_issuer_audience_and_one_hour(
    alice: BareClient, partner: Partner, control: SandboxControl
) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await alice.close()
    await control.write(mira["jid"], str(alice.jid), "wake up")
    kind, token = (await partner.next_push()).authorization.split()
    keys = await fetch_key_set(partner.profile.push.jwks)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token, key, algorithms=["RS256"], audience=partner.profile.push.aud, issuer=partner.profile.push.iss
    )
    assert (kind, claims["exp"] - claims["iat"]) == ("Bearer", 3600)
    assert set(claims) == {"iss", "aud", "iat", "exp"}


async def test_unacknowledged_message_is_redelivered_unchanged(
    alice: BareClient, control: SandboxControl
) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await control.write(mira["jid"], str(alice.jid), "first")
    await control.write(mira["jid"], str(alice.jid), "second")
    first, second = await alice.next(Message), await alice.next(Message)
    await alice.acknowledge(second)
    await alice.count()
    assert await mailbox(control, alice) == 1
    await alice.connect()
    again = await alice.next(Message)
    assert (again.id, again.ciphertext, again.offline) == (first.id, first.ciphertext, True)
    assert await alice.next(OfflineDone) == OfflineDone(1)
    await alice.acknowledge(again)
    await alice.connect()
    assert await alice.next(OfflineDone) == OfflineDone(0)


async def test_ack_with_another_sender_or_class_removes_nothing(
    alice: BareClient, control: SandboxControl
) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await control.write(mira["jid"], str(alice.jid), "here")
    message = await alice.next(Message)
    await alice.acknowledge(Message(message.id, Jid("1", "s.whatsapp.net"), "msg", b""))
    await alice.acknowledge(Receipt((message.id,), message.peer))
    await alice.count()
    assert await mailbox(control, alice) == 1
    await alice.acknowledge(message)
    await alice.count()
    assert await mailbox(control, alice) == 0


async def test_receipts_are_kept_in_the_mailbox(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira", opted_in=True)
    await control.change_person(mira["jid"], online=False)
    accepted = await alice.write(Jid.parse(mira["jid"]), "later")
    await alice.close()
    await control.change_person(mira["jid"], online=True)
    await alice.connect()
    await alice.next(Receipt)
    await alice.connect()
    receipt = await alice.next(Receipt)
    assert (receipt.ids, receipt.offline) == ((accepted.id,), True)
    await alice.acknowledge(receipt)
    await alice.connect()
    assert await alice.next(OfflineDone) == OfflineDone(0)


@pytest.mark.parametrize("asking", [True, False], ids=["asked for", "acknowledged"])
async def test_long_mailbox_is_drained_in_batches(
    alice: BareClient, control: SandboxControl, running: Running, asking: bool
) -> None:
    size = running.variant.allowances.offline_batch
    texts = [f"text {number}" for number in range(size + 3)]
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await alice.close()
    await control.do(mira["jid"], "write", to=str(alice.jid), texts=texts)
    await alice.connect()
    messages = [await alice.next(Message) for _ in range(size)]
    await alice.count()
    assert not [word for word in alice.seen if isinstance(word, OfflineDone)]
    assert len([word for word in alice.seen if isinstance(word, Message)]) == size
    if asking:
        await alice.send(OfflineBatch(size).to_stanza())
    else:
        for message in messages:
            await alice.acknowledge(message)
    messages += [await alice.next(Message) for _ in range(3)]
    assert await alice.next(OfflineDone) == OfflineDone(size + 3)
    assert [alice.open_message(message) for message in messages] == texts


async def test_new_message_waits_for_the_drain(alice: BareClient, control: SandboxControl) -> None:
    size = alice.partner.profile.limits.prekeys_low
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    await alice.close()
    for number in range(size):
        await control.write(mira["jid"], str(alice.jid), f"text {number}")
    await alice.connect()
    await control.write(mira["jid"], str(alice.jid), "the newest")
    texts = [(await alice.read())[1] for _ in range(size + 1)]
    assert texts == [*(f"text {number}" for number in range(size)), "the newest"]
