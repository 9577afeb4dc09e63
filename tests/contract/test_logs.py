"""The logs that a checker reads, in one order (reliability section 1)."""

from __future__ import annotations

from typing import Any

from bridge.ids import Jid
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.receipt import Receipt
from tests.contract.bare_client import BareClient
from tests.contract.support import SandboxControl


async def own(control: SandboxControl, client: BareClient, name: str) -> list[Any]:
    return [each for each in (await control.log())[name] if each["account"] == str(client.jid)]


async def test_log_has_every_transmission_and_ack(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    id = await control.write(mira["jid"], str(alice.jid), "hello")
    await alice.next(Message)
    (entry,) = await own(control, alice, "n_in")
    assert (entry["id"], entry["sender"], entry["acked_order"]) == (id, mira["jid"], None)
    await alice.connect()
    message = await alice.next(Message)
    await alice.acknowledge(message)
    await alice.count()
    (entry,) = await own(control, alice, "n_in")
    first, second = entry["sent"]
    assert (first["offline"], second["offline"]) == (False, True)
    assert first["connection"] != second["connection"]
    assert first["order"] < second["order"] < entry["acked_order"]
    assert entry["ciphertext"] == message.ciphertext.hex()


async def test_log_has_ratchet_key_and_counter_of_each_message(
    alice: BareClient, control: SandboxControl
) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    jid = Jid.parse(mira["jid"])
    await alice.write(jid, "one")
    await alice.write(jid, "two")
    await control.write(mira["jid"], str(alice.jid), "three")
    await alice.read()
    await alice.write(jid, "four")
    entries = await own(control, alice, "n_out")
    assert [(each["kind"], each["counter"]) for each in entries] == [("pkmsg", 0), ("pkmsg", 1), ("msg", 0)]
    assert entries[0]["base_key"] == entries[1]["base_key"] is not None
    assert entries[2]["base_key"] is None
    assert entries[0]["ratchet_key"] == entries[1]["ratchet_key"] != entries[2]["ratchet_key"]
    assert [each["order"] for each in entries] == sorted(each["order"] for each in entries)
    assert all(each["to"] == mira["jid"] and each["acked"] and each["error"] is None for each in entries)


async def test_log_has_receipts_logins_and_enlistments(alice: BareClient, control: SandboxControl) -> None:
    mira = await control.add_person("whatsapp", f"+49{alice.jid.user}", "Mira")
    id = await control.write(mira["jid"], str(alice.jid), "hello")
    await alice.read()
    await alice.send(Receipt((id,), Jid.parse(mira["jid"]), "read").to_stanza("to"))
    await alice.count()
    receipts = await own(control, alice, "receipts")
    assert [(each["type"], each["ids"]) for each in receipts] == [(None, [id]), ("read", [id])]
    await control.fault("refuse_login", account=alice.identifier)
    await alice.log_in()
    logins = await own(control, alice, "logins")
    assert [each["refused"] for each in logins] == [None, "unavailable"]
    after = (await control.log())["order"]
    assert (await control.call("GET", f"/log?after={after}"))["logins"] == []
