"""A simulated person's sessions: sealing, opening, messages that wait for keys, retries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.e2ee import session
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.errors import KeyGone
from bridge.e2ee.session import Record
from bridge.ids import Jid
from bridge.profile import Limits
from bridge.sandbox.people.history import History, Received, Sent
from bridge.sandbox.people.keyring import Keyring
from bridge.wire import payload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import ack, prekeys
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.iq import Failure, Result
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.receipt import READ, Receipt, RetryReceipt

Rng = Callable[[int], bytes]
STANZA_ID_PREFIX = "3EB0"
STANZA_ID_BYTES = 9
NEW_SESSION_S = 3600.0
"""As native clients do: a retry receipt without keys leads to a new session at most hourly."""


@dataclass
class Sessions:
    """Session records by peer. ``key_queries``: id of a key request -> peer."""

    rng: Rng
    keyring: Keyring
    history: History
    limits: Limits
    send: Callable[[Stanza], None]
    records: dict[Jid, Record] = field(default_factory=dict)
    key_queries: dict[str, Jid] = field(default_factory=dict)
    waiting: dict[Jid, list[tuple[Sent, int]]] = field(default_factory=dict)
    """Messages that wait for the recipient's keys, each with its retry ``count``."""
    renewed_at: dict[Jid, float] = field(default_factory=dict)

    def new_id(self) -> str:
        """An id for a request or a message."""
        return STANZA_ID_PREFIX + self.rng(STANZA_ID_BYTES).hex().upper()

    def write(self, to: Jid, text: str, now: float, *, reply_to: str | None = None) -> str:
        """Seal and send a text; keys are fetched first when there is no session."""
        author = str(to) if reply_to is not None else None
        plain = payload.TextPayload(text, reply_to, author, "" if reply_to is not None else None)
        written = Sent(to, self.new_id(), text, plain.to_bytes())
        self.history.keep_sent(written)
        self._seal_or_wait(written, 0, now)
        return written.id

    def open(self, carried: Message, held: Received, now: float) -> bool:
        """Open a message into ``held``; False for a duplicate.

        RemoteProtocolError when it is unreadable; no state has changed then.
        """
        record = self.records.get(carried.peer)
        own = self.keyring.own
        try:
            opened = session.open(record, own, carried.kind, carried.ciphertext, self.keyring, self.rng, now)
        except KeyGone:
            self.history.dropped += 1
            return False
        content = payload.parse(payload.unpad(opened.plaintext))
        self.records[carried.peer] = opened.record
        if opened.spent_prekey is not None:
            self.keyring.one_time_keys.pop(opened.spent_prekey, None)
        if opened.identity_changed:
            self.history.identity_changes.append(carried.peer)
        held.state, held.kind = "read", "text"
        if isinstance(content, payload.TextPayload):
            held.text, held.reply_to = content.text, content.reply_id
            if len(content.text) > self.limits.text_characters:
                held.kind = "too long"
        else:
            held.kind = content.kind
        return True

    def on_retry_receipt(self, asked: RetryReceipt, now: float) -> None:
        """Seal the message again under the same id (dossier 4.8)."""
        sent = self.history.find_sent(asked.peer, asked.id)
        if sent is None or sent.answered_retries >= self.limits.retry_answers:
            return
        sent.answered_retries += 1
        if asked.keys is not None:
            self._start_session(asked.peer, asked.keys, now)
        elif asked.count > 1 and self._may_renew(asked.peer, now):
            self.renew(asked.peer)
        self._seal_or_wait(sent, asked.count, now)

    def on_receipt(self, word: Receipt) -> None:
        """Note that messages were delivered or read."""
        for id in word.ids:
            sent = self.history.find_sent(word.peer, id)
            if sent is not None and word.type == READ:
                sent.read += 1
            elif sent is not None and word.type is None:
                sent.delivered += 1

    def on_ack(self, word: Ack) -> None:
        """Note that the server accepted or refused a message."""
        sent = self.history.find_sent(word.peer, word.id) if word.cls == ack.MESSAGE else None
        if sent is not None:
            sent.state = "accepted" if word.error is None else "refused"
            sent.error, sent.t = word.error, word.t if sent.t is None else sent.t

    def on_answer(self, word: Result | Failure, now: float) -> None:
        """Continue with fetched keys, or give up without them."""
        peer = self.key_queries.pop(word.id, None)
        if peer is None:
            return
        found = prekeys.parse_fetch(word).get(peer) if isinstance(word, Result) else None
        waiting = self.waiting.pop(peer, [])
        if not isinstance(found, PublicBundle):
            for sent, _ in waiting:
                sent.state, sent.error = "refused", None if found is None else found.code
            return
        self._start_session(peer, found, now)
        for sent, count in waiting:
            self._seal_or_wait(sent, count, now)

    def renew(self, peer: Jid) -> None:
        """Archive the session: the next message starts a new one from fresh keys."""
        record = self.records.get(peer)
        if record is not None:
            self.records[peer] = session.archive(record)

    def _seal_or_wait(self, sent: Sent, count: int, now: float) -> None:
        record = self.records.get(sent.to)
        if record is None or sent.to in self.waiting or not session.can_seal(record, now):
            if sent.to not in self.waiting:
                question = self.new_id()
                self.key_queries[question] = sent.to
                self.send(prekeys.fetch(question, [sent.to]))
            self.waiting.setdefault(sent.to, []).append((sent, count))
            return
        plaintext = payload.pad(sent.payload, self.rng)
        sealed = session.seal(record, self.keyring.own, plaintext, self.rng, now)
        self.records[sent.to] = sealed.record
        sent.state = "sent"
        carried = Message(sent.id, sent.to, sealed.kind, sealed.ciphertext, count=count)
        self.send(carried.to_stanza("to"))

    def _start_session(self, peer: Jid, keys: PublicBundle, now: float) -> None:
        bundle = PreKeyBundle(**vars(keys))
        record = self.records.get(peer)
        self.records[peer] = session.start(record, self.keyring.own, bundle, self.rng, now)
        self.renewed_at[peer] = now

    def _may_renew(self, peer: Jid, now: float) -> bool:
        """At most one new session an hour, so that retries cannot drain the directory."""
        return now - self.renewed_at.get(peer, 0.0) >= NEW_SESSION_S
