"""Faults and actions on demand (dossier 12.9)."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.sandbox.rules.accounts.push import Forgery
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.reasons import EndReason, SendRefusal
from bridge.wire.vocabulary import UnknownStanza, iq
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.iq import Result
from bridge.wire.vocabulary.login import CONFLICT_REPLACED
from bridge.wire.vocabulary.message import Message
from tests.contract.bare_client import BareClient, Ended
from tests.contract.support import Partner, Refused, Running, SandboxControl


async def friend(control: SandboxControl, client: BareClient) -> tuple[str, Jid]:
    made = await control.add_person("whatsapp", f"+49{client.jid.user}", "Mira")
    return made["jid"], Jid.parse(made["jid"])


def acks(client: BareClient, id: str) -> list[Ack]:
    return [word for word in client.seen if isinstance(word, Ack) and word.id == id]


async def send(client: BareClient, to: Jid, text: str) -> str:
    if to not in client.records:
        await client.begin(to)
    message = client.seal(to, text)
    await client.send(message.to_stanza("to"))
    await client.count()
    return message.id


@pytest.mark.parametrize(
    ("fault", "acknowledged", "arrives"),
    [("duplicate_ack", 2, True), ("missing_ack", 0, True), ("swallow_message", 0, False)],
)
async def test_duplicate_and_missing_acks(
    alice: BareClient, control: SandboxControl, fault: str, acknowledged: int, arrives: bool
) -> None:
    mira, jid = await friend(control, alice)
    await control.fault(fault, account=alice.identifier)
    id = await send(alice, jid, "hello")
    assert len(acks(alice, id)) == acknowledged
    assert bool((await control.person(mira))["received"]) is arrives
    assert len(acks(alice, await send(alice, jid, "and on"))) == 1


@pytest.mark.parametrize("condition", list(SendRefusal), ids=lambda each: each.value)
async def test_every_ack_error_can_be_forced(
    alice: BareClient, control: SandboxControl, running: Running, condition: SendRefusal
) -> None:
    mira, jid = await friend(control, alice)
    await control.fault("ack_error", account=alice.identifier, condition=condition.value)
    assert (await alice.write(jid, "no")).error == running.variant.acks[condition].code
    assert (await control.person(mira))["received"] == []


async def test_close_on_message_loses_only_the_ack(alice: BareClient, control: SandboxControl) -> None:
    mira, jid = await friend(control, alice)
    await control.fault("close_on_message", account=alice.identifier)
    with pytest.raises(Ended):
        await alice.write(jid, "did it arrive?")
    assert (await control.received(mira))[0]["text"] == "did it arrive?"


async def test_reorder_and_duplicate_stanza(alice: BareClient, control: SandboxControl) -> None:
    mira, _ = await friend(control, alice)
    await control.fault("reorder", account=alice.identifier)
    ids = [await control.write(mira, str(alice.jid), text) for text in ("one", "two")]
    assert [(await alice.next(Message)).id for _ in ids] == ids[::-1]
    await control.fault("duplicate_stanza", account=alice.identifier)
    again = await control.write(mira, str(alice.jid), "three")
    assert [(await alice.next(Message)).id for _ in range(2)] == [again, again]


async def test_held_back_message_comes_on_the_next_connection(
    alice: BareClient, control: SandboxControl
) -> None:
    mira, _ = await friend(control, alice)
    await control.fault("reorder", account=alice.identifier)
    id = await control.write(mira, str(alice.jid), "alone")
    await alice.connect()
    assert (await alice.next(Message)).id == id


@pytest.mark.parametrize("kind", ["cut_outgoing", "cut_incoming"])
@pytest.mark.parametrize("after_bytes", [0, 3, 100])
async def test_cut_breaks_the_next_connection_inside_a_frame(
    alice: BareClient, control: SandboxControl, kind: str, after_bytes: int
) -> None:
    await control.fault(kind, after_bytes=after_bytes)
    with pytest.raises((Ended, RemoteProtocolError)):
        await alice.connect()
    await alice.connect()


async def test_cut_and_disconnect_end_a_live_connection(alice: BareClient, control: SandboxControl) -> None:
    await control.act(alice.identifier, "cut", after_bytes=2)
    with pytest.raises((Ended, RemoteProtocolError)):
        await alice.ask(iq.ping)
    for act in ("disconnect", "cut"):
        await alice.connect()
        await control.act(alice.identifier, act)
        assert await alice.ended() is None


@pytest.mark.parametrize("why", list(EndReason), ids=lambda each: each.value)
async def test_end_sends_every_stream_error(
    alice: BareClient, control: SandboxControl, running: Running, why: EndReason
) -> None:
    await control.act(alice.identifier, "end", why=why.value)
    word = await alice.ended()
    assert word is not None and word.code == running.variant.endings[why]
    assert word.conflict == (CONFLICT_REPLACED if why is EndReason.REPLACED else None)


async def test_silent_skips_one_ping(alice: BareClient, control: SandboxControl) -> None:
    await control.fault("silent", account=alice.identifier)
    await alice.send(iq.ping("unanswered"))
    assert isinstance(await alice.ask(iq.ping), Result)
    assert not [word for word in alice.seen if isinstance(word, Result) and word.id == "unanswered"]


async def test_unknown_stanza_arrives_as_a_stanza(alice: BareClient, control: SandboxControl) -> None:
    await control.act(alice.identifier, "unknown_stanza")
    assert (await alice.next(UnknownStanza)).tag


@pytest.mark.parametrize("act", ["malformed_message", "malformed_bytes", "zip_bomb", "deep_nesting"])
async def test_malformed_input_reaches_the_client(
    alice: BareClient, control: SandboxControl, act: str
) -> None:
    await control.act(alice.identifier, act)
    with pytest.raises(RemoteProtocolError):
        await alice.next(Message)
    await alice.connect()


async def test_missing_and_duplicate_push(
    alice: BareClient, partner: Partner, control: SandboxControl
) -> None:
    mira, _ = await friend(control, alice)
    await alice.close()
    await control.fault("missing_push", account=alice.identifier)
    await control.write(mira, str(alice.jid), "not announced")
    await control.fault("duplicate_push", account=alice.identifier)
    await control.write(mira, str(alice.jid), "announced twice")
    assert [(await partner.next_push()).body for _ in range(2)] == [{"to": alice.identifier}] * 2

    async def answered() -> list[Any]:
        pushes = [p for p in (await control.log())["pushes"] if p["account"] == str(alice.jid)]
        return pushes if all(push["status"] is not None for push in pushes) else []

    assert [push["status"] for push in await control.until(answered)] == [200, 200]


@pytest.mark.parametrize("how", list(Forgery), ids=lambda each: each.value)
async def test_every_forged_push_is_sent(
    alice: BareClient, partner: Partner, control: SandboxControl, how: Forgery
) -> None:
    await control.act(alice.identifier, "forged_push", how=how.value)
    push = await partner.next_push()
    assert push.body == {"to": alice.identifier}
    assert (push.authorization == "") is (how is Forgery.NO_TOKEN)
    await control.act(alice.identifier, "wake")
    assert (await partner.next_push()).authorization


async def test_action_without_account_or_connection_is_refused(
    alice: BareClient, control: SandboxControl
) -> None:
    await alice.close()

    async def gone() -> bool:
        return not (await control.account(alice.identifier))["connected"]

    await control.until(gone)
    for member, act, status in (
        (alice.identifier, "zip_bomb", 409),
        (alice.identifier, "no such act", 404),
        ("@nobody:hs.example", "cut", 404),
    ):
        with pytest.raises(Refused) as refused:
            await control.act(member, act)
        assert refused.value.status == status


async def test_faults_are_listed_and_cleared(control: SandboxControl) -> None:
    first = await control.fault("silent", times=3)
    await control.fault("missing_ack", account="+491510000001")
    armed = (await control.call("GET", "/faults"))["armed"]
    assert [(each["kind"], each["times"]) for each in armed] == [("silent", 3), ("missing_ack", 1)]
    await control.call("DELETE", f"/faults/{first}")
    assert len((await control.call("GET", "/faults"))["armed"]) == 1
    await control.clear_faults()
    assert (await control.call("GET", "/faults"))["armed"] == []
    with pytest.raises(Refused):
        await control.fault("no such fault")


def test_every_fault_is_tested() -> None:
    """Each kind stands as a literal in a test of this folder."""
    from pathlib import Path

    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    missing = [kind.value for kind in Kind if f'"{kind.value}"' not in tests]
    assert missing == []
