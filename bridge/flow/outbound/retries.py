"""The contact could not read a message of ours and asks for it again."""

from __future__ import annotations

from bridge.e2ee import session as signal
from bridge.e2ee.bundle import PreKeyBundle
from bridge.errors import RemoteProtocolError
from bridge.flow.connections.registry import Connections
from bridge.flow.contacts.contacts import Contact, People
from bridge.flow.contacts.identity import identity_noted
from bridge.flow.contacts.sessions import Held, Sessions
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Unlocked
from bridge.flow.transitions import message_id_out
from bridge.ids import StanzaId
from bridge.lifecycle.message import OUTGOING, OutEvent
from bridge.policy import Act, Allow
from bridge.ports import Step
from bridge.store import kinds
from bridge.store.journal import Entry, EntryState, New
from bridge.store.tables import messages
from bridge.store.tables.messages import Message
from bridge.wire import payload
from bridge.wire import stanza as codec
from bridge.wire.vocabulary import ack, receipt
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.message import Message as Outgoing

RETRY_IN = "retry-in"

FRESH_SESSION_COUNT = 2
"""From the second request on the session itself is in doubt (interop dossier 4.8)."""

_BODY = "message.body"


class Retries:
    """Seals a kept plaintext again under a new key, and sends it under the same stanza id."""

    def __init__(
        self, parts: Parts, keyring: Keyring, people: People, sessions: Sessions, connections: Connections
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people
        self._sessions = sessions
        self._connections = connections

    def entry(self, unlocked: Unlocked, asked: receipt.RetryReceipt, raw: bytes) -> New:
        """The entry for a retry receipt: one for each message and count."""
        digest = self._people.digest(unlocked, asked.peer)
        lane = f"retry:{unlocked.account.account_id.hex()}:{digest.hex()}"
        key = digest + f"/{asked.id}/{asked.count}".encode()
        return New(RETRY_IN, lane, key, raw, unlocked.account.account_id)

    async def answer(self, entry: Entry) -> None:
        """The step for a retry receipt. Only the one the message was for is answered, and only so often."""
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        if unlocked is None:
            await self._parts.journal.settle(entry)
            return
        stanza = codec.decode(self._parts.journal.read(entry))
        if entry.state is EntryState.ACCEPTED:
            asked = receipt.parse(stanza, "from")
            assert isinstance(asked, receipt.RetryReceipt)
            sealed = await self._seal_again(entry, unlocked, asked)
            if sealed is None:
                await self._parts.journal.settle(entry)
                return
            stanza = codec.decode(sealed)
        awaited = (ack.MESSAGE, str(stanza.attributes["id"]), None)
        await self._connections.deliver(entry.account_id, stanza, awaited, step=Step.SEND)
        await self._parts.journal.settle(entry)

    async def _seal_again(
        self, entry: Entry, unlocked: Unlocked, asked: receipt.RetryReceipt
    ) -> bytes | None:
        contact = await self._people.by_jid(unlocked, asked.peer)
        if contact is None:
            return None
        account = unlocked.account
        facts = self._parts.facts(account.user_id, account.state, service=contact.person.service)
        if not isinstance(self._parts.decide(Act.MESSAGE_OUT, facts), Allow):
            return None
        kept = await messages.by_id(
            self._parts.store, message_id_out(self._parts, contact, StanzaId(asked.id))
        )
        if (
            kept is None
            or OUTGOING.after(kept.out_state, OutEvent.RETRY_ASKED).ignored
            or kept.body is None
            or kept.retries >= self._parts.profile.limits.retry_answers
        ):
            return None
        bundle: PreKeyBundle | None = None
        while True:
            async with self._sessions.held(unlocked, contact.contact_id) as held:
                if bundle is None and self._given(held, asked) is not None:
                    bundle = self._given(held, asked)
                if bundle is not None or not self._needs_bundle(held, asked):
                    return await self._keep(entry, unlocked, contact, asked, kept, held, bundle)
            bundle = await self._connections.fetch_keys(unlocked.account.account_id, contact.person.jid)

    def _given(self, held: Held, asked: receipt.RetryReceipt) -> PreKeyBundle | None:
        """The keys that came with the receipt, when a new session may be started from them."""
        if asked.keys is None or not self._may_renew(held):
            return None
        bundle = _bundle(asked.keys)
        try:
            bundle.verify()
        except RemoteProtocolError:
            return None
        return bundle

    def _needs_bundle(self, held: Held, asked: receipt.RetryReceipt) -> bool:
        """No session to seal in, or one that has failed before and came with no keys for another."""
        failed = asked.count >= FRESH_SESSION_COUNT and asked.keys is None and self._may_renew(held)
        return failed or not signal.can_seal(held.record, self._parts.clock.now())

    def _may_renew(self, held: Held) -> bool:
        """A new session at most hourly: more often would let anybody make us spend keys."""
        if held.record is None or held.renewed_at is None:
            return True
        return self._parts.clock.now() - held.renewed_at >= self._parts.profile.timers.new_session_s

    async def _keep(
        self,
        entry: Entry,
        unlocked: Unlocked,
        contact: Contact,
        asked: receipt.RetryReceipt,
        kept: Message,
        held: Held,
        bundle: PreKeyBundle | None,
    ) -> bytes:
        """One unit: the session moved on, the new ciphertext stored, the answer counted."""
        assert kept.body is not None
        account, now, rng = unlocked.account, self._parts.clock.now(), self._parts.random.bytes
        record = held.record
        if bundle is not None:
            record = signal.start(record, unlocked.own, bundle, rng, now)
        plaintext = unlocked.vault.open(_BODY, kept.message_id, kept.body)
        sealed = signal.seal(record, unlocked.own, payload.pad(plaintext, rng), rng, now)
        outgoing = Outgoing(
            asked.id, contact.person.jid, sealed.kind, sealed.ciphertext, count=kept.retries + 1
        )
        stanza = codec.encode(outgoing.to_stanza("to"))
        body = self._parts.journal.keep(entry, stanza)
        await self._parts.store.commit(
            kinds.unit(
                kinds.RENEW,
                fence=[account.fence],
                advance=[entry.advanced(EntryState.SEALED, body)],
                count=[
                    {
                        "message_id": kept.message_id,
                        "retries": kept.retries + 1,
                        "old_retries": kept.retries,
                        "changed_at": now,
                    }
                ],
                **identity_noted(self._parts, contact, held, sealed.record),
                **self._sessions.moved(unlocked, held, sealed.record, renewed=bundle is not None),
            )
        )
        return stanza


def _bundle(keys: PublicBundle) -> PreKeyBundle:
    return PreKeyBundle(
        registration_id=keys.registration_id,
        identity=keys.identity,
        signed_prekey_id=keys.signed_prekey_id,
        signed_prekey=keys.signed_prekey,
        signature=keys.signature,
        prekey_id=keys.prekey_id,
        prekey=keys.prekey,
    )
