"""From the network to Matrix: a message is stored as it came, opened once, and shown once.

The reader stores and acknowledges (``receive``). Later, in the contact's lane, the message is
opened in one unit, or a retry receipt is owed; then it is shown in the portal.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from bridge.content import Content, Unknown
from bridge.e2ee import session as signal
from bridge.e2ee.errors import BadMessage, Duplicate, NoSession, UnknownPreKey
from bridge.flow import owed
from bridge.flow.awaiting import Awaiting, message_id_in
from bridge.flow.identities import identity_noted
from bridge.flow.keyring import Keyring, LoadedPreKeys, Unlocked
from bridge.flow.parts import Parts
from bridge.flow.people import Contact, People
from bridge.flow.portals import Portals
from bridge.flow.sessions import Held, Sessions
from bridge.flow.strangers import Strangers
from bridge.flow.translate import to_content
from bridge.ids import EventId, Jid, RoomId, StanzaId, derive
from bridge.matrix import events
from bridge.matrix.text import pieces
from bridge.policy import Act, Allow
from bridge.ports import Row, Step
from bridge.sentences import render, say
from bridge.store import kinds
from bridge.store.journal import ACCEPTED, OPENED, Entry, New
from bridge.store.tables import messages
from bridge.store.tables.messages import IN, Message
from bridge.wire import stanza as codec
from bridge.wire.vocabulary import message as vocabulary

LOG = structlog.get_logger()

MESSAGE_IN = "message-in"

_BODY = "entry.body"


@dataclass(frozen=True)
class Opened:
    """An opened message as it waits to be shown."""

    stanza_id: StanzaId
    jid: Jid
    sent_at_ms: int
    payload: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """For sealing at rest."""
        return json.dumps(
            [self.stanza_id, str(self.jid), self.sent_at_ms, b64encode(self.payload).decode()]
        ).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Opened:
        """What ``to_bytes`` gave."""
        stanza_id, jid, sent_at_ms, payload = json.loads(data)
        return Opened(StanzaId(stanza_id), Jid.parse(jid), sent_at_ms, b64decode(payload))


class Inbound:
    """The way in for messages."""

    def __init__(
        self,
        parts: Parts,
        keyring: Keyring,
        people: People,
        sessions: Sessions,
        portals: Portals,
        strangers: Strangers,
        awaiting: Awaiting,
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people
        self._sessions = sessions
        self._portals = portals
        self._strangers = strangers
        self._awaiting = awaiting

    def entry(self, unlocked: Unlocked, arrived: vocabulary.Message, raw: bytes) -> New:
        """The entry for a message as it came. The same id with new bytes is an answer to a retry receipt."""
        account_id = unlocked.account.account_id
        digest = self._people.digest(unlocked, arrived.peer)
        fingerprint = hashlib.sha256(arrived.ciphertext).digest()
        key = derive(self._parts.account_key(account_id), "arrived", digest, arrived.id, fingerprint)
        return New(MESSAGE_IN, f"in:{account_id.hex()}:{digest.hex()}", key, raw, account_id)

    def digest(self, unlocked: Unlocked, jid: Jid) -> bytes:
        """What names a contact's lanes."""
        return self._people.digest(unlocked, jid)

    async def identity_news(self, entry: Entry) -> None:
        """The step for "this person has a new identity": the session is put aside for a new one."""
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        jid = Jid.parse(owed.values_of(self._parts.journal.read(entry))["jid"])
        contact = await self._people.by_jid(unlocked, jid) if unlocked is not None else None
        if unlocked is None or contact is None:
            await self._parts.journal.settle(entry)
            return
        async with self._sessions.held(unlocked, contact.contact_id) as held:
            moved = {}
            if held.record is not None:
                moved = self._sessions.moved(unlocked, held, signal.archive(held.record))
            settle = [{"entry_id": entry.entry_id}]
            await self._parts.store.commit(kinds.unit(kinds.IDENTITY, settle=settle, **moved))

    async def message_in(self, entry: Entry) -> None:
        """The step for a message: open it, then show it."""
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        if unlocked is None:
            await self._parts.journal.settle(entry)
        elif entry.state == ACCEPTED:
            await self._open(entry, unlocked)
        else:
            await self._show(entry, unlocked)

    async def _open(self, entry: Entry, unlocked: Unlocked) -> None:
        raw = self._parts.journal.read(entry)
        arrived = vocabulary.parse(codec.decode(raw), "from")
        service = self._parts.profile.service_of(arrived.peer)
        user = unlocked.account.user_id
        decision = self._parts.decide(
            Act.MESSAGE_IN, self._parts.facts(user, unlocked.account.state, service=service)
        )
        if not isinstance(decision, Allow) or service is None:
            LOG.info("message refused", account=self._parts.log_id(user), act=Act.MESSAGE_IN.value)
            await self._parts.journal.settle(entry)
            return
        contact = await self._strangers.contact(unlocked, service, arrived.peer, arrived.notify)
        message_id = message_id_in(self._parts, contact, StanzaId(arrived.id))
        known = await messages.by_id(self._parts.store, message_id)
        if known is not None and known.state not in ("awaiting", "unreadable"):
            await self._parts.journal.settle(entry)
            return
        keys = await self._prekeys(unlocked, arrived)
        async with self._sessions.held(unlocked, contact.contact_id) as held:
            try:
                opened = signal.open(
                    held.record,
                    unlocked.own,
                    arrived.kind,
                    arrived.ciphertext,
                    keys,
                    self._parts.random.bytes,
                    self._parts.clock.now(),
                )
            except Duplicate:
                await self._parts.journal.settle(entry)
                return
            except (NoSession, UnknownPreKey, BadMessage) as error:
                LOG.info("message cannot be opened", why=type(error).__name__)
                await self._awaiting.owe_retry(entry, unlocked, contact, arrived, known)
                return
            await self._keep_opened(entry, unlocked, contact, arrived, known, held, opened)

    async def _prekeys(self, unlocked: Unlocked, arrived: vocabulary.Message) -> LoadedPreKeys:
        if arrived.kind != "pkmsg":
            return LoadedPreKeys({}, {})
        try:
            glimpse = signal.glimpse(arrived.ciphertext)
        except BadMessage:
            return LoadedPreKeys({}, {})
        return await self._keyring.prekeys_named(unlocked, glimpse.prekey_id, glimpse.signed_prekey_id)

    async def _keep_opened(
        self,
        entry: Entry,
        unlocked: Unlocked,
        contact: Contact,
        arrived: vocabulary.Message,
        known: Message | None,
        held: Held,
        opened: signal.Opened,
    ) -> None:
        """One unit: session moved on, plaintext sealed at rest, prekey spent, identity noted."""
        account = unlocked.account
        now = self._parts.clock.now()
        sent_at = (arrived.t if arrived.t is not None else int(now)) * 1000
        waiting = Opened(StanzaId(arrived.id), arrived.peer, sent_at, opened.plaintext)
        body = unlocked.vault.seal(_BODY, entry.entry_id, waiting.to_bytes(), self._parts.random)
        advance: Row = {"entry_id": entry.entry_id, "state": OPENED, "old_state": ACCEPTED, "body": body}
        spend: list[Row] = []
        if opened.spent_prekey is not None:
            spend.append({"account_id": account.account_id, "prekey_id": opened.spent_prekey})
        await self._parts.store.commit(
            kinds.unit(
                kinds.OPEN,
                fence=[{"account_id": account.account_id, "epoch": account.epoch}],
                advance=[advance],
                spend=spend,
                **identity_noted(self._parts, contact, held, opened.record),
                **self._note(unlocked, contact, arrived, known, sent_at),
                **self._sessions.moved(unlocked, held, opened.record),
            )
        )

    def _note(
        self,
        unlocked: Unlocked,
        contact: Contact,
        arrived: vocabulary.Message,
        known: Message | None,
        sent_at: int,
    ) -> dict[str, list[Row]]:
        """The row of what is kept of the message: a new one, or the awaited one changed."""
        now = self._parts.clock.now()
        message_id = message_id_in(self._parts, contact, StanzaId(arrived.id))
        if known is not None and known.state == "awaiting":
            change: Row = {
                "message_id": message_id,
                "state": "opened",
                "old_state": known.state,
                "changed_at": now,
            }
            return {"change": [change]}
        if known is not None:
            return {}
        row = Message(
            message_id,
            unlocked.account.account_id,
            contact.contact_id,
            IN,
            StanzaId(arrived.id),
            None,
            "opened",
            sent_at,
            None,
            0,
            now,
        )
        return {"message": [row.to_row()]}

    async def _show(self, entry: Entry, unlocked: Unlocked) -> None:
        opened = Opened.from_bytes(unlocked.vault.open(_BODY, entry.entry_id, entry.body))
        contact = await self._people.by_jid(unlocked, opened.jid)
        assert contact is not None
        contact = await self._portals.ready(unlocked, contact)
        room_id = contact.row.room_id
        assert room_id is not None
        message_id = message_id_in(self._parts, contact, opened.stanza_id)
        event_id = await self._send(contact, room_id, opened, message_id)
        known = await messages.by_id(self._parts.store, message_id)
        if known is not None and known.state == "unreadable" and known.event_id is not None:
            await self._parts.homeserver.redact(
                self._parts.settings.bot,
                room_id,
                known.event_id,
                transaction_id=self._parts.transaction("late", message_id),
            )
        await self._shown(entry, unlocked, contact, opened, event_id, known)

    async def _send(self, contact: Contact, room_id: RoomId, opened: Opened, message_id: bytes) -> EventId:
        """Show a message; a text beyond an event's size in several, of which the last stands for it."""
        content = to_content(
            opened.payload, stanza_id=opened.stanza_id, sender=opened.jid, sent_at_ms=opened.sent_at_ms
        )
        target = None
        if content.in_reply_to is not None:
            answered = await self._answered(contact, content.in_reply_to.id, own=content.in_reply_to.own)
            target = answered.event_id if answered is not None else None
        shown: EventId | None = None
        for number, body in enumerate(_bodies(content, contact, message_id.hex(), target)):
            shown = await self._parts.homeserver.send(
                contact.ghost,
                room_id,
                "m.room.message",
                body,
                transaction_id=self._parts.transaction("show", message_id, str(number)),
                sent_at_ms=opened.sent_at_ms,
                step=Step.SHOW,
            )
        assert shown is not None
        return shown

    async def _answered(self, contact: Contact, stanza_id: str, *, own: bool) -> Message | None:
        direction = messages.OUT if own else IN
        key = self._parts.account_key(contact.row.account_id)
        message_id = derive(key, "message", contact.contact_id, direction, stanza_id)
        return await messages.by_id(self._parts.store, message_id)

    async def _shown(
        self,
        entry: Entry,
        unlocked: Unlocked,
        contact: Contact,
        opened: Opened,
        event_id: EventId,
        known: Message | None,
    ) -> None:
        account, now = unlocked.account, self._parts.clock.now()
        new: list[New] = []
        facts = self._parts.facts(account.user_id, account.state, service=contact.person.service)
        if isinstance(self._parts.decide(Act.RECEIPT_OUT, facts), Allow):
            receipt = owed.ReceiptOut(account.account_id, str(opened.jid), (opened.stanza_id,), None, now)
            new.append(receipt.owed(contact.contact_id))
        rows = self._parts.journal.rows(*new)
        show: Row = {
            "message_id": message_id_in(self._parts, contact, opened.stanza_id),
            "state": "shown",
            "old_state": known.state if known is not None else "opened",
            "event_id": event_id,
            "changed_at": now,
        }
        await self._parts.store.commit(
            kinds.unit(
                kinds.SHOWN, settle=[{"entry_id": entry.entry_id}], owe=rows, remember=rows, show=[show]
            )
        )


def _bodies(
    content: Content, contact: Contact, marker: str, target: EventId | None
) -> Iterator[Mapping[str, Any]]:
    """The events that show a message; what cannot be carried is said in its place."""
    for part in content.parts:
        if isinstance(part, Unknown):
            said = render(say("inbound.unknown_kind", kind=part.kind, name=contact.shown_name))
            yield events.notice_content(said, marker=marker)
            continue
        for piece in pieces(part):
            yield events.text_content(piece, marker=marker, reply_to=target)
            target = None
