"""M3: text out, text in, receipts, mailbox (dossier 12.11)."""

from __future__ import annotations

from bridge.ids import Jid
from bridge.wire.vocabulary.receipt import Receipt
from tests.contract.bare_client import BareClient
from tests.contract.support import SandboxControl


async def test_a_text_reaches_a_person_and_is_confirmed_by_a_delivery_receipt(
    alice: BareClient, control: SandboxControl
) -> None:
    mira = await control.add_person("whatsapp", "+491510000077", "Mira")
    person = await alice.resolve("whatsapp", "+49 151 0000077")
    assert person is not None and str(person.jid) == mira["jid"]
    accepted = await alice.write(person.jid, "Hello there")
    assert accepted.error is None and accepted.t
    (held,) = [each for each in await control.received(mira["jid"]) if each["sender"] == str(alice.jid)]
    assert (held["text"], held["name"]) == ("Hello there", "Alice")
    receipt = await alice.next(Receipt)
    assert (receipt.ids, receipt.peer, receipt.type) == ((accepted.id,), person.jid, None)


async def test_a_person_writes_first_and_the_text_is_opened(
    alice: BareClient, control: SandboxControl
) -> None:
    anna = await control.add_person("birdychat", "anna.new@firm.example", "Anna")
    written = await control.write(anna["jid"], str(alice.jid), "Good morning")
    message, text = await alice.read()
    assert (message.id, message.peer, text) == (written, Jid.parse(anna["jid"]), "Good morning")
    assert (message.notify, message.kind, message.offline) == ("Anna", "pkmsg", False)
