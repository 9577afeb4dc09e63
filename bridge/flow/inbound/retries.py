"""Messages that could not be opened: asked for again a few times, then said to be unreadable."""

from __future__ import annotations

from dataclasses import replace

from bridge.flow import outbox
from bridge.flow.connections.registry import Connections
from bridge.flow.contacts.contacts import Contact, People
from bridge.flow.contacts.portals import Portals
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Unlocked
from bridge.flow.transitions import change_in, message_id_in
from bridge.ids import EventId, Jid, StanzaId
from bridge.lifecycle.message import Direction, InEffect, InEvent, InState
from bridge.matrix import events
from bridge.matrix.errors import Rejected, tolerated
from bridge.ports import Row, Step
from bridge.sentences import render, say
from bridge.store import kinds
from bridge.store.errors import Stale
from bridge.store.journal import Entry, New
from bridge.store.tables import accounts, messages
from bridge.store.tables.messages import Message
from bridge.wire.vocabulary import ack, receipt
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.message import Message as Arrived

GIVE_UP_WAITING_AFTER_S = 3_600.0
"""How long the answer to a retry receipt is waited for before the person is told: an hour covers a phone
that is away for a while, and the message is still shown when it comes later."""

FUTURE_S = 86_400
"""A clock may be wrong by a day; a time beyond that is no time, and a homeserver would refuse it."""

FIRST_ASK_WITH_KEYS = 2
"""From the second time on we send keys for a new session along (interop dossier 4.8)."""


def sent_at_ms(t: int | None, now: float) -> int:
    """When a message was sent, by the network's word (unix seconds), as far as that can be."""
    plausible = t is not None and 0 <= t <= now + FUTURE_S
    return (t if t is not None and plausible else int(now)) * 1000


class Awaiting:
    """Owes retry receipts, sends them, and gives up openly."""

    def __init__(
        self, parts: Parts, keyring: Keyring, people: People, portals: Portals, connections: Connections
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people
        self._portals = portals
        self._connections = connections

    async def owe_retry(
        self, entry: Entry, unlocked: Unlocked, contact: Contact, arrived: Arrived, known: Message | None
    ) -> None:
        """One unit: the message is awaited, and a retry receipt is owed, at most so often."""
        account, now = unlocked.account, self._parts.clock.now()
        asked = known.retries if known is not None else 0
        event = InEvent.UNOPENED_AGAIN
        if asked < self._parts.profile.limits.retry_asks:
            event = InEvent.UNOPENED
        message_id = message_id_in(self._parts, contact, StanzaId(arrived.id))
        change = change_in(message_id, known.in_state if known else InState.ARRIVED, event, now)
        if change.ignored:
            await self._parts.journal.settle(entry)
            return
        may_ask = InEffect.ASK_AGAIN in change.effects
        row = Message(
            message_id,
            account.account_id,
            contact.contact_id,
            Direction.IN,
            StanzaId(arrived.id),
            None,
            change.state,
            sent_at_ms(arrived.t, now),
            None,
            asked + 1 if may_ask else asked,
            now,
        )
        rows = self._parts.journal.rows(*self._owed(row, arrived, may_ask=may_ask))
        message: list[Row] = [] if known else [row.to_row()]
        count: list[Row] = []
        if known is not None:
            count.append({**_only(row, "message_id", "retries", "changed_at"), "old_retries": asked})
        await self._parts.store.commit(
            kinds.unit(
                kinds.AWAIT,
                fence=[account.fence],
                settle=[{"entry_id": entry.entry_id}],
                owe=rows,
                remember=rows,
                message=message,
                count=count,
            )
        )

    def _owed(self, row: Message, arrived: Arrived, *, may_ask: bool) -> list[New]:
        key, account_id = row.message_id, row.account_id
        wait = GIVE_UP_WAITING_AFTER_S if may_ask else 0.0
        # The last failed try has a key of its own: the deadline of the first one is long in the journal.
        deadline = outbox.task(
            outbox.GIVE_UP_WAITING,
            account_id,
            key if may_ask else key + b"/now",
            lane=f"deadline:{key.hex()}:{may_ask}",
            jid=str(arrived.peer),
            id=arrived.id,
            hidden=arrived.hide_failure,
        )
        entries = [replace(deadline, not_before=row.changed_at + wait)]
        if may_ask:
            ask = outbox.task(
                outbox.ASK_RETRY,
                account_id,
                key + bytes([row.retries]),
                lane=f"receipts:{row.contact_id.hex()}",
                jid=str(arrived.peer),
                id=arrived.id,
                count=row.retries,
                t=arrived.t,
            )
            entries.append(ask)
        return entries

    async def ask(self, entry: Entry) -> None:
        """The step for a retry receipt that is owed."""
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        if unlocked is None:
            await self._parts.journal.settle(entry)
            return
        values = outbox.values_of(self._parts.journal.read(entry))
        with_keys = values["count"] >= FIRST_ASK_WITH_KEYS
        asked = receipt.RetryReceipt(
            id=values["id"],
            peer=Jid.parse(values["jid"]),
            count=values["count"],
            registration_id=unlocked.own.registration_id,
            keys=await self._bundle(unlocked) if with_keys else None,
            t=values["t"],
        )
        awaited = (ack.RECEIPT, asked.id, receipt.RETRY)
        with tolerated():  # the deadline tells the person
            await self._connections.deliver(
                entry.account_id, asked.to_stanza("to"), awaited, step=Step.RECEIPT
            )
        await self._parts.journal.settle(entry)

    async def _bundle(self, unlocked: Unlocked) -> PublicBundle:
        """Keys to start a new session with us: the signed prekey alone, so none is handed out twice."""
        rows = await accounts.prekeys(self._parts.store, unlocked.account.account_id)
        signed = self._keyring.newest_signed(unlocked, rows)
        return PublicBundle(
            registration_id=unlocked.own.registration_id,
            identity=unlocked.own.identity.public,
            signed_prekey_id=signed.id,
            signed_prekey=signed.pair.public,
            signature=signed.signature,
            prekey_id=None,
            prekey=None,
        )

    async def give_up(self, entry: Entry) -> None:
        """The step for a message that was never sealed again: the person is told, in its place."""
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        values = outbox.values_of(self._parts.journal.read(entry))
        contact = await self._people.by_jid(unlocked, Jid.parse(values["jid"])) if unlocked else None
        if unlocked is None or contact is None:
            await self._parts.journal.settle(entry)
            return
        message_id = message_id_in(self._parts, contact, StanzaId(values["id"]))
        known = await messages.by_id(self._parts.store, message_id)
        if known is None:
            await self._parts.journal.settle(entry)
            return
        event = InEvent.DEADLINE_HIDDEN if values["hidden"] else InEvent.DEADLINE
        change = change_in(message_id, known.in_state, event, self._parts.clock.now())
        if change.ignored:
            await self._parts.journal.settle(entry)
            return
        event_id: EventId | None = None
        told: list[New] = []
        try:
            contact = await self._portals.ready(unlocked, contact)
            event_id = await self._say_unreadable(contact, known)
        except Rejected as refused:
            if refused.concerns_registration:
                raise
            notice = outbox.to_owner(unlocked.account, say("inbound.unreadable", name=contact.shown_name))
            told.append(notice.owed(b"unreadable" + message_id))
        rows = self._parts.journal.rows(*told)
        settle = [{"entry_id": entry.entry_id}]
        try:
            await self._parts.store.commit(
                kinds.unit(
                    kinds.SHOWN,
                    fence=[contact.fence],
                    settle=settle,
                    owe=rows,
                    remember=rows,
                    show=[change.shown(event_id)],
                )
            )
        except Stale:  # the message came after all, at this very moment
            await self._take_back(contact, event_id, message_id)
            await self._parts.store.commit(kinds.unit(kinds.SETTLE, settle=settle))

    async def _say_unreadable(self, contact: Contact, known: Message) -> EventId:
        assert contact.row.room_id is not None
        return await self._parts.homeserver.send(
            self._parts.settings.bot,
            contact.row.room_id,
            events.MESSAGE,
            events.notice_content(
                render(say("inbound.unreadable", name=contact.shown_name)), marker=known.message_id.hex()
            ),
            transaction_id=self._parts.transaction("unreadable", known.message_id),
            sent_at_ms=known.sent_at,
            step=Step.NOTICE,
        )

    async def _take_back(self, contact: Contact, event_id: EventId | None, message_id: bytes) -> None:
        if event_id is None or contact.row.room_id is None:
            return
        with tolerated():
            await self._parts.homeserver.redact(
                self._parts.settings.bot,
                contact.row.room_id,
                event_id,
                transaction_id=self._parts.transaction("late", message_id),
            )


def _only(message: Message, *columns: str) -> dict[str, bytes | str | int | float | None]:
    row = message.to_row()
    return {column: row[column] for column in columns}
