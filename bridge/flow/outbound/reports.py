"""What is told to people: notices, statuses and receipts, both ways. Each is an entry until it is done."""

from __future__ import annotations

import structlog

from bridge.flow import outbox
from bridge.flow.connections.registry import Connections
from bridge.flow.contacts.contacts import Contact, People
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Unlocked
from bridge.flow.outbound.sealed_message import SealedOut
from bridge.flow.rooms.management import EVENT, Reception
from bridge.flow.transitions import change_out, message_id_out
from bridge.flow.unknown_outcomes import Doubts
from bridge.ids import Jid, RoomId, StanzaId, stanza_id
from bridge.lifecycle.message import OUTGOING, OutEvent, OutState
from bridge.matrix import events
from bridge.matrix.errors import Rejected, tolerated
from bridge.policy import Act, Allow
from bridge.ports import Step
from bridge.sentences import Sentence, render, say
from bridge.store import kinds
from bridge.store.journal import Entry, EntryState, New
from bridge.store.tables import contacts, messages
from bridge.store.tables.messages import Message
from bridge.store.vault import Unreadable
from bridge.wire import stanza as codec
from bridge.wire.vocabulary import ack, receipt

LOG = structlog.get_logger()

RECEIPT_IN = "receipt-in"

DELIVERED_TYPES = (receipt.DELIVERED, receipt.INACTIVE)
READ_TYPES = (receipt.READ, receipt.PLAYED)


class Reports:
    """Tells people on both sides what became of messages."""

    def __init__(
        self,
        parts: Parts,
        keyring: Keyring,
        people: People,
        connections: Connections,
        doubts: Doubts,
        reception: Reception,
    ) -> None:
        self._parts = parts
        self._doubts = doubts
        self._reception = reception
        self._keyring = keyring
        self._people = people
        self._connections = connections

    async def tell(self, entry: Entry) -> None:
        """The step for a notice. A room that refuses it for good is left alone."""
        notice = outbox.Notice.from_bytes(self._parts.journal.read(entry))
        with tolerated():
            if notice.room_id:
                await self._say_there(entry, notice)
            else:
                await self._say_anywhere(entry, notice)
        await self._settle(entry)

    async def _say_there(self, entry: Entry, notice: outbox.Notice) -> None:
        """In the room it is for; where a portal refuses the bot's words, its owner hears them elsewhere."""
        try:
            await self._say(entry, notice, notice.room_id)
            return
        except Rejected as refusal:
            row = await contacts.by_room(self._parts.store, notice.room_id)
            if row is None or refusal.concerns_registration:
                raise
        unlocked = await self._keyring.unlock(row.account_id)
        if unlocked is not None:
            name = self._people.read(unlocked, row).shown_name
            said = say("notice.elsewhere", name=name, said=notice.sentence)
            await self._say_anywhere(entry, outbox.to_owner(unlocked.account, said))

    async def _say_anywhere(self, entry: Entry, notice: outbox.Notice) -> None:
        """Where the user talks to the bot; a room that refuses the words is tried once, and then another."""
        assert notice.user_id is not None
        refused: list[RoomId] = []
        while (room_id := await self._reception.room_for(notice.user_id, refused)) not in refused:
            try:
                await self._say(entry, notice, room_id)
            except Rejected as refusal:
                if refusal.concerns_registration:
                    raise
                await self._reception.refused(room_id)
                refused.append(room_id)
            else:
                return
        LOG.warning("a notice is refused in every room", user=self._parts.log_id(notice.user_id))

    async def _say(self, entry: Entry, notice: outbox.Notice, room_id: RoomId) -> None:
        bot, marker = self._parts.settings.bot, entry.entry_id.hex()
        if self._doubts.about(entry) and await self._doubts.find(room_id, bot, marker) is not None:
            return
        body = events.notice_content(
            render(notice.sentence),
            reply_to=notice.event_id,
            mentions=(notice.user_id,) if notice.user_id else (),
            marker=marker,
        )
        await self._parts.homeserver.send(
            bot,
            room_id,
            events.MESSAGE,
            body,
            transaction_id=self._parts.transaction("notice", entry.entry_id),
            step=Step.NOTICE,
        )

    async def _settle(self, entry: Entry) -> None:
        await self._parts.journal.settle(entry)
        self._doubts.over(entry)

    async def status(self, entry: Entry) -> None:
        """The step for a status of an event (com.beeper.message_send_status)."""
        status = outbox.Status.from_bytes(self._parts.journal.read(entry))
        body = events.status_content(
            status.event_id,
            status.status,
            network=self._parts.profile.id,
            reason=status.reason,
            message=None if status.sentence is None else render(status.sentence),
            delivered_to=status.delivered_to,
        )
        with tolerated():
            await self._parts.homeserver.send(
                self._parts.settings.bot,
                status.room_id,
                events.STATUS,
                body,
                transaction_id=self._parts.transaction("status", entry.entry_id),
                step=Step.NOTICE,
            )
        await self._parts.journal.settle(entry)

    async def send_receipt(self, entry: Entry) -> None:
        """The step for a receipt that is owed to a contact; it stays owed until it is acknowledged."""
        assert entry.account_id is not None
        out = outbox.ReceiptOut.from_bytes(entry.account_id, self._parts.journal.read(entry))
        stanza = receipt.Receipt(tuple(out.stanza_ids), Jid.parse(out.jid), out.kind, int(out.at)).to_stanza(
            "to"
        )
        awaited = (ack.RECEIPT, str(out.stanza_ids[0]), out.kind)
        with tolerated():  # the user is told by the account's state, not once a receipt
            await self._connections.deliver(entry.account_id, stanza, awaited, step=Step.RECEIPT)
        await self._parts.journal.settle(entry)

    def receipt_entry(self, unlocked: Unlocked, arrived: receipt.Receipt, raw: bytes) -> New:
        """The entry for a receipt of a contact, in the lane of what arrives from them."""
        account_id = unlocked.account.account_id
        digest = self._people.digest(unlocked, arrived.peer)
        key = digest + f"/{arrived.type}/{','.join(arrived.ids)}".encode()
        return New(RECEIPT_IN, f"in:{account_id.hex()}:{digest.hex()}", key, raw, account_id)

    async def receipt_in(self, entry: Entry) -> None:
        """The step for a contact's receipt: delivered is the bot's read receipt, read is the ghost's.

        Where the admin wants no receipts of the bot, delivered changes the message's state only.
        """
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        arrived = receipt.parse(codec.decode(self._parts.journal.read(entry)), "from")
        assert isinstance(arrived, receipt.Receipt)
        event = OutEvent.READ if arrived.type in READ_TYPES else OutEvent.DELIVERED
        known = arrived.type in (*READ_TYPES, *DELIVERED_TYPES)
        contact = await self._people.by_jid(unlocked, arrived.peer) if unlocked and known else None
        if unlocked is None or contact is None or not self._may_show(unlocked, contact):
            await self._parts.journal.settle(entry)
            return
        reported = await self._reported(contact, arrived, event)
        shown = event is OutEvent.READ or self._parts.settings.delivery_receipts
        if reported and shown and contact.row.room_id is not None:
            reader = contact.ghost if event is OutEvent.READ else self._parts.settings.bot
            newest = max(reported, key=lambda message: message.sent_at)
            assert newest.event_id is not None
            with tolerated():
                await self._parts.homeserver.mark_read(reader, contact.row.room_id, newest.event_id)
        await self._keep_reported(entry, contact, reported, event)

    def _may_show(self, unlocked: Unlocked, contact: Contact) -> bool:
        account = unlocked.account
        facts = self._parts.facts(account.user_id, account.state, service=contact.person.service)
        return isinstance(self._parts.decide(Act.RECEIPT_IN, facts), Allow)

    async def _reported(self, contact: Contact, arrived: receipt.Receipt, event: OutEvent) -> list[Message]:
        """The messages a receipt is about and that it is news for."""
        found = []
        for each in dict.fromkeys(arrived.ids):
            key = message_id_out(self._parts, contact, StanzaId(each))
            message = await messages.by_id(self._parts.store, key)
            if message is not None and not OUTGOING.after(message.out_state, event).ignored:
                found.append(message)
        return found

    async def _keep_reported(
        self, entry: Entry, contact: Contact, reported: list[Message], event: OutEvent
    ) -> None:
        now = self._parts.clock.now()
        change = [
            row
            for message in reported
            for row in change_out(message.message_id, message.out_state, event, now).rows
        ]
        new: list[New] = []
        if self._parts.settings.status_events and contact.row.room_id is not None:
            new = [
                outbox.Status(
                    contact.row.room_id, message.event_id, "SUCCESS", delivered_to=(contact.ghost,)
                ).owed()
                for message in reported
                if message.event_id is not None
            ]
        rows = self._parts.journal.rows(*new)
        settle = [{"entry_id": entry.entry_id}]
        await self._parts.store.commit(
            kinds.unit(
                kinds.CHANGED, fence=[contact.fence], settle=settle, owe=rows, remember=rows, change=change
            )
        )

    async def put_aside(self, entry: Entry, sentence: Sentence) -> None:
        """End an entry that cannot go on; whoever waits for it in Matrix is told why."""
        if entry.kind == EVENT and entry.state is EntryState.SEALED:
            await self._give_up_sealed(entry, sentence)
            return
        new: list[New] = []
        if entry.kind == EVENT:
            new = self._about_event(entry, sentence)
        elif entry.account_id is not None:
            unlocked = await self._keyring.unlock(entry.account_id)
            if unlocked is not None:
                notice = outbox.to_owner(unlocked.account, sentence)
                new = [notice.owed(b"aside" + entry.entry_id)]
        await self._parts.journal.settle(entry, *new)

    async def _give_up_sealed(self, entry: Entry, sentence: Sentence) -> None:
        """A sealed message is not sent again: it may have arrived, and its sender is told so."""
        sealed = SealedOut.from_bytes(self._parts.journal.read(entry))
        told = sealed.not_sent(RoomId(entry.lane), sentence)
        row = await contacts.by_id(self._parts.store, sealed.contact_id)
        unlocked = await self._keyring.unlock(row.account_id) if row is not None else None
        if row is None or unlocked is None:  # the account left
            await self._parts.journal.settle(entry, told)
            return
        contact, key = self._people.read(unlocked, row), self._parts.account_key(row.account_id)
        message_id = message_id_out(self._parts, contact, stanza_id(key, sealed.event_id))
        known = await messages.by_id(self._parts.store, message_id)
        state = known.out_state if known is not None else OutState.SEALED
        change = change_out(message_id, state, OutEvent.GIVEN_UP, self._parts.clock.now())
        rows = self._parts.journal.rows(*([] if change.ignored else [told]))
        await self._parts.store.commit(
            kinds.unit(
                kinds.CHANGED,
                fence=[contact.fence],
                settle=[{"entry_id": entry.entry_id}],
                owe=rows,
                remember=rows,
                change=change.rows,
            )
        )

    def _about_event(self, entry: Entry, sentence: Sentence) -> list[New]:
        """The notice that answers the event an entry stands for, as far as it can still be told which."""
        try:
            event = events.parse(self._parts.journal.read(entry))
        except Unreadable:
            return []
        if isinstance(event, events.Odd):
            return []
        return [outbox.Notice(event.room, sentence, event.id, event.sender).owed(f"failed/{event.id}")]
