"""Identity keys of contacts: the first is noted, a change is noted and said in the chat, once."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.e2ee.session import Record
from bridge.flow import outbox
from bridge.flow.contacts.contacts import Contact
from bridge.flow.contacts.sessions import Held
from bridge.flow.context import Parts
from bridge.ports import Row
from bridge.sentences import say


def identity_noted(parts: Parts, contact: Contact, held: Held, record: Record) -> dict[str, Sequence[Row]]:
    """Rows for a unit that moves a session from what was ``held`` to ``record``.

    The record's identity is that of whoever we write to; a late message of an older one does not
    change it. Each change is news, also one back to an identity that was known before.
    """
    before = held.record.identity if held.record is not None else contact.row.identity
    if before == record.identity and contact.row.identity is not None:
        return {}
    noted: list[Row] = [{"contact_id": contact.contact_id, "identity": record.identity}]
    if before is None or before == record.identity or contact.row.room_id is None:
        return {"identity": noted}
    notice = outbox.Notice(contact.row.room_id, say("identity.changed", name=contact.shown_name))
    key = contact.contact_id + record.identity + held.version.to_bytes(8, "big")
    rows = parts.journal.rows(notice.owed(b"identity" + key))
    return {"identity": noted, "owe": rows, "remember": rows}
