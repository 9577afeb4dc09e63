"""From Matrix to the network: an event is sealed once, and its bytes are sent until they are accepted."""

from __future__ import annotations

from dataclasses import replace

from bridge.content import Content, Part, Reply, Text, Unknown
from bridge.e2ee import session as signal
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.session import Record, Sealed
from bridge.errors import GiveUp, TryAgain
from bridge.flow.connections.registry import Connections
from bridge.flow.contacts.contacts import Contact, People
from bridge.flow.contacts.identity import identity_noted
from bridge.flow.contacts.sessions import Held, Sessions
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Unlocked
from bridge.flow.outbound.outcomes import ABOUT_ANOTHER, Outcomes
from bridge.flow.outbound.sealed_message import SealedOut
from bridge.flow.outbound.waiting_notice import Waiting
from bridge.flow.outbound.withdrawals import Removals
from bridge.flow.transitions import message_id_out
from bridge.flow.translate import to_payload
from bridge.ids import EventId, StanzaId, UserId, stanza_id
from bridge.lifecycle.message import NOT_THERE, OUTGOING, Direction, OutEvent, OutState
from bridge.matrix import events
from bridge.policy import Act, Hold, Refuse
from bridge.ports import Step
from bridge.sentences import say
from bridge.store import kinds
from bridge.store.journal import Entry, EntryState
from bridge.store.tables import messages
from bridge.store.tables.messages import Message
from bridge.wire import payload
from bridge.wire import stanza as codec
from bridge.wire.vocabulary import ack
from bridge.wire.vocabulary.message import Message as Outgoing

_BODY = "message.body"


class Nacked(GiveUp):
    """The network refused the message itself, so it is certain that it did not arrive."""


class Outbound:
    """The way out for messages."""

    def __init__(
        self,
        parts: Parts,
        keyring: Keyring,
        people: People,
        sessions: Sessions,
        connections: Connections,
        waiting: Waiting,
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people
        self._sessions = sessions
        self._connections = connections
        self._waiting = waiting
        self._removals = Removals(parts)
        self._outcomes = Outcomes(parts)

    async def message_out(
        self, entry: Entry, event: events.Event, unlocked: Unlocked, contact: Contact
    ) -> None:
        """A message event of a portal: seal it, send it, and settle it when the network has it."""
        content = events.to_content(event)
        if isinstance(content, events.NotBridged):
            await self._parts.journal.settle(entry)
            return
        unknown = next((part for part in content.parts if isinstance(part, Unknown)), None)
        if unknown is not None and unknown.kind in ABOUT_ANOTHER:
            await self._outcomes.not_carried(entry, event, contact, unknown.kind)
            return
        try:
            self._allow(unlocked, contact, content)
            async with self._waiting.marked(entry, contact, event.id):
                entry, sealed = await self._seal(entry, unlocked, contact, content)
                await self._deliver(entry, unlocked, contact, sealed)
        except GiveUp as refusal:
            why = OutEvent.NACKED if isinstance(refusal, Nacked) else OutEvent.NOT_SENT
            await self._outcomes.fail(entry, contact, event.id, event.sender, why, refusal.sentence)

    async def resume(self, entry: Entry, unlocked: Unlocked, contact: Contact, sealed: SealedOut) -> None:
        """Go on with a message that was sealed before: the stored bytes, until they are accepted."""
        try:
            self._may_go_on(unlocked, contact)
            async with self._waiting.marked(entry, contact, sealed.event_id):
                await self._deliver(entry, unlocked, contact, sealed)
        except GiveUp as refusal:
            why = OutEvent.NACKED if isinstance(refusal, Nacked) else OutEvent.GIVEN_UP
            await self._outcomes.fail(entry, contact, sealed.event_id, sealed.sender, why, refusal.sentence)

    def _may_go_on(self, unlocked: Unlocked, contact: Contact) -> None:
        """What was sealed before a stop is sent only if it still may be."""
        account = unlocked.account
        facts = self._parts.facts(account.user_id, account.state, service=contact.person.service)
        decision = self._parts.decide(Act.MESSAGE_OUT, facts)
        if isinstance(decision, Refuse):
            raise GiveUp(decision.sentence)

    def _allow(self, unlocked: Unlocked, contact: Contact, content: Content) -> None:
        account = unlocked.account
        facts = self._parts.facts(
            UserId(content.sender),
            account.state,
            service=contact.person.service,
            is_owner=content.sender == account.user_id,
        )
        match self._parts.decide(Act.MESSAGE_OUT, facts):
            case Refuse(sentence):
                raise GiveUp(sentence)
            case Hold(until):
                raise TryAgain(f"held until {until}")
            case _:
                pass
        unknown = next((part for part in content.parts if isinstance(part, Unknown)), None)
        if unknown is not None:
            raise GiveUp(say("outbound.unknown_kind", kind=unknown.kind))
        longest = self._parts.profile.limits.text_characters
        length = sum(len(part.plain) for part in content.parts if isinstance(part, Text))
        if length > longest:
            raise GiveUp(say("outbound.too_long", length=length, limit=longest))

    async def _seal(
        self, entry: Entry, unlocked: Unlocked, contact: Contact, content: Content
    ) -> tuple[Entry, SealedOut]:
        """One unit: the session moved on and the ciphertext stored. The bundle is fetched outside of it."""
        account = unlocked.account
        assert account.login is not None
        content = await self._resolve_reply(contact, content)
        plaintext = to_payload(content, own=account.login, contact=contact.person.jid)
        bundle: PreKeyBundle | None = None
        while True:
            async with self._sessions.held(unlocked, contact.contact_id) as held:
                sealed = self._sealed(unlocked, held, plaintext, bundle)
                if sealed is not None:
                    return await self._keep_sealed(entry, unlocked, contact, content, plaintext, held, sealed)
            bundle = await self._connections.fetch_keys(account.account_id, contact.person.jid)

    def _sealed(
        self, unlocked: Unlocked, held: Held, plaintext: bytes, bundle: PreKeyBundle | None
    ) -> Sealed | None:
        """The message sealed in the session that is held; None when a bundle is needed first."""
        now, rng = self._parts.clock.now(), self._parts.random.bytes
        record: Record | None = held.record
        if not signal.can_seal(record, now):
            if bundle is None:
                return None
            record = signal.start(record, unlocked.own, bundle, rng, now)
        return signal.seal(record, unlocked.own, payload.pad(plaintext, rng), rng, now)

    async def _keep_sealed(
        self,
        entry: Entry,
        unlocked: Unlocked,
        contact: Contact,
        content: Content,
        plaintext: bytes,
        held: Held,
        sealed: Sealed,
    ) -> tuple[Entry, SealedOut]:
        account = unlocked.account
        key = self._parts.account_key(account.account_id)
        outgoing = Outgoing(
            stanza_id(key, EventId(content.id)), contact.person.jid, sealed.kind, sealed.ciphertext
        )
        stanza = codec.encode(outgoing.to_stanza("to"))
        out = SealedOut(contact.contact_id, EventId(content.id), UserId(content.sender), stanza)
        body = self._parts.journal.keep(entry, out.to_bytes())
        message_id = message_id_out(self._parts, contact, StanzaId(outgoing.id))
        row = Message(
            message_id,
            account.account_id,
            contact.contact_id,
            Direction.OUT,
            StanzaId(outgoing.id),
            EventId(content.id),
            OUTGOING.after(OutState.QUEUED, OutEvent.SEALED).state,
            content.sent_at,
            unlocked.vault.seal(_BODY, message_id, plaintext, self._parts.random),
            0,
            self._parts.clock.now(),
        )
        await self._parts.store.commit(
            kinds.unit(
                kinds.SEAL,
                fence=[account.fence],
                advance=[entry.advanced(EntryState.SEALED, body)],
                message=[row.to_row()],
                **identity_noted(self._parts, contact, held, sealed.record),
                **self._sessions.moved(unlocked, held, sealed.record),
            )
        )
        return replace(entry, state=EntryState.SEALED, body=body), out

    async def _resolve_reply(self, contact: Contact, content: Content) -> Content:
        """A reply names a Matrix event; on the network a stanza id, or it quotes where there is none."""
        reply = content.in_reply_to
        if reply is None:
            return content
        answered = await messages.by_event(self._parts.store, EventId(reply.id))
        unknown_there = answered is None or answered.state in NOT_THERE
        if answered is None or unknown_there or answered.contact_id != contact.contact_id:
            return replace(content, in_reply_to=None, parts=_with_quote(content.parts, reply))
        return replace(
            content, in_reply_to=Reply(answered.stanza_id, reply.quoted, answered.direction is Direction.OUT)
        )

    async def _deliver(self, entry: Entry, unlocked: Unlocked, contact: Contact, sealed: SealedOut) -> None:
        """Send the stored bytes until the network acknowledges them; after a doubt the very same."""
        stanza = codec.decode(sealed.stanza)
        stanza_id_sent = StanzaId(str(stanza.attributes["id"]))
        awaited = (ack.MESSAGE, str(stanza_id_sent), None)
        account_id = unlocked.account.account_id
        message_id = message_id_out(self._parts, contact, stanza_id_sent)
        await self._connections.ready(account_id)
        if await self._removals.before_sending(entry, sealed.event_id):
            await self._outcomes.withdraw(entry, contact, message_id)
            return
        with self._removals.handing_over(entry):
            answer = await self._connections.deliver(account_id, stanza, awaited, step=Step.SEND)
        if answer.error is not None:
            known = self._parts.profile.ack_errors.get(str(answer.error))
            if known is not None and known.retry:
                raise TryAgain("the network asks to send again later")
            raise Nacked(say(known.sentence if known is not None else "outbound.refused", code=answer.error))
        await self._outcomes.accepted(entry, contact, sealed.event_id, message_id)


def _with_quote(parts: tuple[Part, ...], reply: Reply) -> tuple[Part, ...]:
    if not reply.quoted:
        return parts
    quote = "\n".join(f"> {line}" for line in reply.quoted.splitlines())
    return (Text(quote), *parts)
