"""Identity keys of contacts: the first is noted, a change is noted and said in the chat, once."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.flow import owed
from bridge.flow.parts import Parts
from bridge.flow.people import Contact
from bridge.ports import Row
from bridge.sentences import say


def identity_noted(parts: Parts, contact: Contact, identity: bytes) -> dict[str, Sequence[Row]]:
    """Rows for a unit that moves a session: the identity it is with, and the news of it, if it is news."""
    if contact.row.identity == identity:
        return {}
    noted: list[Row] = [{"contact_id": contact.contact_id, "identity": identity}]
    if contact.row.identity is None or contact.row.room_id is None:
        return {"identity": noted}
    notice = owed.Notice(contact.row.room_id, say("identity.changed", name=contact.shown_name))
    rows = parts.journal.rows(notice.owed(b"identity" + contact.contact_id + identity))
    return {"identity": noted, "owe": rows, "remember": rows}
