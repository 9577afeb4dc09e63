"""The owner of a chat read it in Matrix: read receipts are owed to the contact."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.flow import outbox
from bridge.flow.contacts.contacts import Contact, People
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Unlocked
from bridge.flow.transitions import change_in
from bridge.ids import EventId, RoomId
from bridge.lifecycle.message import Direction, InEvent
from bridge.policy import Act, Allow
from bridge.store import kinds
from bridge.store.journal import Entry
from bridge.store.tables import contacts, messages
from bridge.store.tables.contacts import ContactRow
from bridge.store.tables.messages import Message
from bridge.wire.vocabulary import receipt

READ_IN_MATRIX = "receipt"
"""The endpoint's word for a read receipt of the homeserver."""

IDS_IN_A_RECEIPT = 256
"""A stanza holds only so many; who comes back after weeks may have thousands to read."""


class Reading:
    """Turns read receipts of Matrix into those of the network."""

    def __init__(self, parts: Parts, keyring: Keyring, people: People) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people

    async def in_matrix(self, entry: Entry, user: str, event_id: EventId, read_at: float | None) -> None:
        """Somebody read up to an event (the entry's lane is its room): all before it is read as well."""
        target = await messages.by_event(self._parts.store, event_id)
        row = await self._contact_of(target, RoomId(entry.lane))
        unlocked = await self._keyring.unlock(row.account_id) if row is not None else None
        if row is None or unlocked is None:
            await self._parts.journal.settle(entry)
            return
        contact, account = self._people.read(unlocked, row), unlocked.account
        facts = self._parts.facts(
            account.user_id,
            account.state,
            service=contact.person.service,
            is_owner=user == account.user_id,
        )
        if not isinstance(self._parts.decide(Act.RECEIPT_OUT, facts), Allow):
            await self._parts.journal.settle(entry)
            return
        await self._owe_all(entry, unlocked, contact, target, read_at)

    async def _contact_of(self, target: Message | None, room_id: RoomId) -> ContactRow | None:
        if target is not None:
            return await contacts.by_id(self._parts.store, target.contact_id)
        return await contacts.by_room(self._parts.store, room_id)

    async def _owe_all(
        self,
        entry: Entry,
        unlocked: Unlocked,
        contact: Contact,
        target: Message | None,
        read_at: float | None,
    ) -> None:
        """Receipt by receipt; the entry ends with the last one."""
        until = read_at if read_at is not None else self._parts.clock.now()
        while True:
            if target is not None and target.direction is Direction.IN:
                unread = await messages.unread_until(
                    self._parts.store, contact.contact_id, target.sent_at, IDS_IN_A_RECEIPT
                )
            else:  # a message of the owner's own, or of the bot: what was shown by then was read
                unread = await messages.unread_shown_until(
                    self._parts.store, contact.contact_id, until, IDS_IN_A_RECEIPT
                )
            is_last = len(unread) < IDS_IN_A_RECEIPT
            await self._owe(entry, unlocked, contact, unread, is_last=is_last)
            if is_last:
                return

    async def _owe(
        self, entry: Entry, unlocked: Unlocked, contact: Contact, unread: Sequence[Message], *, is_last: bool
    ) -> None:
        now = self._parts.clock.now()
        ids = tuple(message.stanza_id for message in unread)
        changes = [change_in(each.message_id, each.in_state, InEvent.READ, now) for each in unread]
        out = outbox.ReceiptOut(unlocked.account.account_id, str(contact.person.jid), ids, receipt.READ, now)
        rows = self._parts.journal.rows(out.owed(contact.contact_id)) if ids else ()
        change = [row for each in changes for row in each.rows]
        settle = [{"entry_id": entry.entry_id}] if is_last else []
        await self._parts.store.commit(
            kinds.unit(
                kinds.CHANGED, fence=[contact.fence], settle=settle, owe=rows, remember=rows, change=change
            )
        )
