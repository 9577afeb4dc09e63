"""From the network to Matrix: a message is stored as it came, opened once, and shown once.

The reader stores and acknowledges (``receive``). Later, in the contact's lane, the message is
opened in one unit, or a retry receipt is owed; then it is shown in the portal.
"""

from __future__ import annotations

import hashlib

import structlog

from bridge.e2ee import session as signal
from bridge.e2ee.errors import BadMessage, KeyGone, NoSession, UnknownPreKey
from bridge.flow import outbox
from bridge.flow.contacts.contacts import Contact, People
from bridge.flow.contacts.first_contact import Strangers
from bridge.flow.contacts.identity import identity_noted
from bridge.flow.contacts.sessions import Held, Sessions
from bridge.flow.context import Parts
from bridge.flow.inbound.retries import Awaiting, sent_at_ms
from bridge.flow.inbound.show import BODY, Opened, Showing
from bridge.flow.keyring import Keyring, LoadedPreKeys, Unlocked
from bridge.flow.transitions import change_in, message_id_in
from bridge.ids import Jid, StanzaId, derive
from bridge.lifecycle.message import INCOMING, Direction, InEvent, InState
from bridge.policy import Act, Allow
from bridge.ports import Row
from bridge.store import kinds
from bridge.store.journal import Entry, EntryState, New
from bridge.store.tables import messages
from bridge.store.tables.messages import Message
from bridge.wire import stanza as codec
from bridge.wire.vocabulary import message as vocabulary

LOG = structlog.get_logger()

MESSAGE_IN = "message-in"


class Inbound:
    """The way in for messages."""

    def __init__(
        self,
        parts: Parts,
        keyring: Keyring,
        people: People,
        sessions: Sessions,
        showing: Showing,
        strangers: Strangers,
        awaiting: Awaiting,
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people
        self._sessions = sessions
        self._showing = showing
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
        jid = Jid.parse(outbox.values_of(self._parts.journal.read(entry))["jid"])
        contact = await self._people.by_jid(unlocked, jid) if unlocked is not None else None
        if unlocked is None or contact is None:
            await self._parts.journal.settle(entry)
            return
        async with self._sessions.held(unlocked, contact.contact_id) as held:
            moved = {}
            if held.record is not None:
                moved = self._sessions.moved(unlocked, held, signal.archive(held.record))
            settle = [{"entry_id": entry.entry_id}]
            await self._parts.store.commit(
                kinds.unit(kinds.IDENTITY, fence=[contact.fence], settle=settle, **moved)
            )

    async def message_in(self, entry: Entry) -> None:
        """The step for a message: open it, then show it."""
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        if unlocked is None:
            await self._parts.journal.settle(entry)
        elif entry.state is EntryState.ACCEPTED:
            await self._open(entry, unlocked)
        else:
            await self._showing.show(entry, unlocked)

    async def _open(self, entry: Entry, unlocked: Unlocked) -> None:
        raw = self._parts.journal.read(entry)
        arrived = vocabulary.parse(codec.decode(raw), "from")
        service = self._parts.profile.service_of(arrived.peer)
        user = unlocked.account.user_id
        decision = self._parts.decide(
            Act.MESSAGE_IN, self._parts.facts(user, unlocked.account.state, service=service)
        )
        if not isinstance(decision, Allow) or service is None:
            LOG.info("message refused", account=self._parts.log_id(user), act=Act.MESSAGE_IN.name)
            await self._parts.journal.settle(entry)
            return
        contact = await self._strangers.contact(unlocked, service, arrived.peer, arrived.notify)
        message_id = message_id_in(self._parts, contact, StanzaId(arrived.id))
        known = await messages.by_id(self._parts.store, message_id)
        if known is not None and INCOMING.after(known.in_state, InEvent.OPENED).ignored:
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
            except KeyGone:
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
        sent_at = sent_at_ms(arrived.t, now)
        waiting = Opened(StanzaId(arrived.id), arrived.peer, sent_at, opened.plaintext)
        body = unlocked.vault.seal(BODY, entry.entry_id, waiting.to_bytes(), self._parts.random)
        spend: list[Row] = []
        if opened.spent_prekey is not None:
            spend.append({"account_id": account.account_id, "prekey_id": opened.spent_prekey})
        await self._parts.store.commit(
            kinds.unit(
                kinds.OPEN,
                fence=[account.fence],
                advance=[entry.advanced(EntryState.OPENED, body)],
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
        change = change_in(message_id, known.in_state if known else InState.ARRIVED, InEvent.OPENED, now)
        if known is not None:
            return {"change": list(change.rows)}
        row = Message(
            message_id,
            unlocked.account.account_id,
            contact.contact_id,
            Direction.IN,
            StanzaId(arrived.id),
            None,
            change.state,
            sent_at,
            None,
            0,
            now,
        )
        return {"message": [row.to_row()]}
