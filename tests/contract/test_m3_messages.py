"""M3 and M4.2: text out and in, receipts, typing, refusals (dossier 12.11)."""

from __future__ import annotations

from dataclasses import replace

from bridge.ids import Jid
from bridge.sandbox.rules.reasons import SendRefusal
from bridge.wire.vocabulary.ack import RECEIPT, Ack
from bridge.wire.vocabulary.chatstate import ChatState
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.receipt import READ, Receipt
from tests.contract.bare_client import BareClient
from tests.contract.conftest import NewClient
from tests.contract.support import Running, SandboxControl


async def test_text_to_a_person_gets_a_delivery_receipt(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    person = await alice.resolve("whatsapp", f"+49 {alice.jid.user}")
    assert person is not None and str(person.jid) == mira["jid"]
    accepted = await alice.write(person.jid, "Hello there")
    assert accepted.error is None and accepted.t
    (held,) = await control.received(mira["jid"])
    assert (held["text"], held["name"]) == ("Hello there", "Alice")
    receipt = await alice.next(Receipt)
    assert (receipt.ids, receipt.peer, receipt.type) == ((accepted.id,), person.jid, None)


async def test_text_from_a_person_can_be_opened(alice: BareClient, control: SandboxControl) -> None:
    anna = await control.add_person("birdychat", f"{alice.jid.user}@firm.example", "Anna")
    written = await control.write(anna["jid"], str(alice.jid), "Good morning")
    message, text = await alice.read()
    assert (message.id, message.peer, text) == (written, Jid.parse(anna["jid"]), "Good morning")
    assert (message.notify, message.kind, message.offline) == ("Anna", "pkmsg", False)

    async def delivered() -> bool:
        return bool((await control.person(anna["jid"]))["sent"][0]["delivered"])

    assert await control.until(delivered)


async def test_conversation_keeps_order_and_shows_the_registered_name(
    alice: BareClient, control: SandboxControl
) -> None:
    tom = await control.add_person("haiket", f"@tom{alice.jid.user}", "Tom")
    jid = Jid.parse(tom["jid"])
    for number in range(5):
        if jid not in alice.records:
            await alice.begin(jid)
        message = replace(alice.seal(jid, f"text {number}"), notify="Somebody Else")
        await alice.send(message.to_stanza("to"))
        assert (await alice.acked(message.id)).error is None
        if number == 2:
            await control.write(tom["jid"], str(alice.jid), "an answer")
            assert (await alice.read())[1] == "an answer"
    held = await control.received(tom["jid"], 5)
    assert [each["text"] for each in held] == [f"text {number}" for number in range(5)]
    assert {each["name"] for each in held} == {"Alice"}


async def test_person_dedupes_a_repeated_message_id(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    jid = Jid.parse(mira["jid"])
    await alice.begin(jid)
    message = alice.seal(jid, "once")
    for _ in range(2):
        await alice.send(message.to_stanza("to"))
        assert (await alice.acked(message.id)).error is None
    (held,) = await control.received(mira["jid"])
    assert (held["text"], held["repeats"], len(held["ciphertexts"])) == ("once", 1, 2)


async def test_message_to_unknown_member_or_device_gets_one_error(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    code = running.variant.acks[SendRefusal.NOT_REACHABLE].code
    shy = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Shy")
    angry = await control.add_person("whatsapp", f"+48{alice.jid.user}", "Angry")
    jids = [Jid.parse(shy["jid"]), Jid.parse(angry["jid"])]
    for jid in jids:
        await alice.begin(jid)
    await control.change_person(shy["jid"], opted_in=False)
    await control.do(angry["jid"], "block", member=str(alice.jid))
    messages = [alice.seal(jid, "hello?") for jid in jids]
    messages.append(replace(messages[0], peer=Jid("99", jids[0].server), id="nobody"))
    messages.append(replace(messages[0], peer=replace(alice.jid, integrator=999, device=1), id="device"))
    for message in messages:
        await alice.send(message.to_stanza("to"))
        assert (await alice.acked(message.id)).error == code
    assert str(code) in running.profile.ack_errors
    assert await alice.resolve("whatsapp", shy["identifier"]) is None
    assert await alice.resolve("whatsapp", angry["identifier"]) is None


async def test_malformed_message_is_refused_and_connection_stays(alice: BareClient, running: Running) -> None:
    person = await alice.resolve("whatsapp", "+491510000001")
    assert person is not None
    stanza = Message("bad", person.jid, "msg", b"x").to_stanza("to")
    await alice.send(replace(stanza, content=()))
    assert (await alice.acked("bad")).error == running.variant.acks[SendRefusal.MALFORMED].code
    assert await alice.count() == 20


async def test_restricted_account_cannot_start_new_chats(
    alice: BareClient, control: SandboxControl, running: Running
) -> None:
    one = await control.add_person("whatsapp", f"+49{alice.jid.user}", "One")
    other = await control.add_person("whatsapp", f"+48{alice.jid.user}", "Other")
    assert (await alice.write(Jid.parse(one["jid"]), "hello")).error is None
    await control.act(alice.identifier, "restrict")
    assert (await alice.write(Jid.parse(one["jid"]), "again")).error is None
    refused = await alice.write(Jid.parse(other["jid"]), "hello")
    assert refused.error == running.variant.acks[SendRefusal.RESTRICTED].code


async def test_one_read_receipt_covers_several_messages(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    jid = Jid.parse(mira["jid"])
    ids = [(await alice.write(jid, text)).id for text in ("one", "two", "three")]
    await control.received(mira["jid"], 3)
    await control.do(mira["jid"], "read", sender=str(alice.jid), ids=ids)
    receipt = await alice.first(lambda word: isinstance(word, Receipt) and word.type == READ)
    assert (receipt.ids, receipt.peer) == (tuple(ids), jid)
    written = [await control.write(mira["jid"], str(alice.jid), text) for text in ("four", "five")]
    for _ in written:
        await alice.read()
    await alice.send(Receipt(tuple(written), jid, READ).to_stanza("to"))
    answer = await alice.first(lambda word: isinstance(word, Ack) and word.type == READ)
    assert (answer.cls, answer.id, answer.peer) == (RECEIPT, written[0], jid)
    assert [each["read"] for each in (await control.person(mira["jid"]))["sent"]] == [1, 1]


async def test_login_without_read_receipts_suppresses_them(
    new_client: NewClient, control: SandboxControl
) -> None:
    quiet = new_client()
    quiet.read_receipts = False
    await quiet.start()
    mira = await control.add_person("whatsapp", f"+49{quiet.jid.user}", "Mira")
    written = await control.write(mira["jid"], str(quiet.jid), "hello")
    await quiet.read()
    await quiet.send(Receipt((written,), Jid.parse(mira["jid"]), READ).to_stanza("to"))
    await quiet.first(lambda word: isinstance(word, Ack) and word.type == READ)
    (sent,) = (await control.person(mira["jid"]))["sent"]
    assert (sent["delivered"], sent["read"]) == (1, 0)


async def test_typing_goes_both_ways_and_is_not_stored(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    jid = Jid.parse(mira["jid"])
    await alice.send(ChatState(jid, True).to_stanza("to"))
    await alice.count()
    assert (await control.person(mira["jid"]))["typing"] == {str(alice.jid): True}
    await control.do(mira["jid"], "type", to=str(alice.jid), composing=True)
    assert await alice.next(ChatState) == ChatState(jid, True)
    await alice.close()
    await control.do(mira["jid"], "type", to=str(alice.jid), composing=False)
    await alice.connect()
    await alice.count()
    assert not [word for word in alice.seen if isinstance(word, ChatState)]


async def test_answering_person_reads_types_and_answers(alice: BareClient) -> None:
    jonas = await alice.resolve("whatsapp", "+491510000001")
    assert jonas is not None
    asked = await alice.write(jonas.jid, "Are you there?")
    read = await alice.first(lambda word: isinstance(word, Receipt) and word.type == READ)
    assert read.ids == (asked.id,)
    assert await alice.next(ChatState) == ChatState(jonas.jid, True)
    assert (await alice.read())[1] == "Got it: Are you there?"


async def test_two_users_of_one_contact_are_isolated(
    alice: BareClient, new_client: NewClient, control: SandboxControl
) -> None:
    bob = new_client("Bob")
    await bob.start()
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    jid = Jid.parse(mira["jid"])
    await alice.write(jid, "from Alice")
    await bob.write(jid, "from Bob")
    await control.write(mira["jid"], str(bob.jid), "for Bob")
    assert (await bob.read())[1] == "for Bob"
    await alice.count()
    assert not [word for word in alice.seen if isinstance(word, Message)]
    held = await control.received(mira["jid"], 2)
    assert [(each["sender"], each["text"]) for each in held] == [
        (str(alice.jid), "from Alice"),
        (str(bob.jid), "from Bob"),
    ]
