"""Simulated people: clients of the network with keys, sessions and a history of their own.

They are sans-I/O: encoded stanzas come in through ``receive`` and go out through ``out``. A person does
not read the server's state; all it knows came over the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.e2ee.errors import NoSession, UnknownPreKey
from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.profile import Limits
from bridge.sandbox.people.history import History, Received
from bridge.sandbox.people.keyring import Keyring
from bridge.sandbox.people.sessions import Sessions
from bridge.sandbox.rules.person import Person
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import parse, prekeys
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.chatstate import ChatState
from bridge.wire.vocabulary.iq import Failure, Result
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.notification import IdentityChanged, KeysLow
from bridge.wire.vocabulary.receipt import READ, Receipt, RetryReceipt

Rng = Callable[[int], bytes]


@dataclass
class SimulatedPerson(Person):
    """A person with a simulated client."""

    rng: Rng = field(kw_only=True)
    limits: Limits = field(kw_only=True)
    answer: str | None = None
    """The answer to every text; ``{text}`` stands for that text. None: no answer."""
    sends_receipts: bool = True
    reads: bool = False
    """Whether messages are read at once. A person with an ``answer`` always reads."""
    storm: int = 0
    history: History = field(default_factory=History)
    keyring: Keyring = field(init=False)
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        self._install()

    def write(self, to: Jid, text: str, now: float, *, reply_to: str | None = None) -> str:
        """Send a text; the message id."""
        return self.sessions.write(to, text, now, reply_to=reply_to)

    def read(self, sender: Jid, ids: list[str]) -> None:
        """Send one read receipt for several messages of a sender."""
        for id in ids:
            held = self.history.find_received(sender, id)
            if held is not None:
                held.read_receipt_sent = True
        self.send(Receipt(tuple(ids), sender, READ).to_stanza("to"))

    def type_(self, to: Jid, composing: bool) -> None:
        """Start or stop typing."""
        self.send(ChatState(to, composing).to_stanza("to"))

    def ask_again(self, sender: Jid, id: str, count: int = 1, *, with_keys: bool = False) -> None:
        """Send a retry receipt for a message, as if it could not be read."""
        held = self.history.find_received(sender, id)
        if held is not None:
            held.state, held.asked = "awaiting", count
        keys = self.keyring.bundle() if with_keys else None
        t = None if held is None else held.t
        registration_id = self.keyring.own.registration_id
        self.send(RetryReceipt(id, sender, count, registration_id, keys, t).to_stanza("to"))

    def reinstall(self) -> None:
        """Lose all keys and sessions and publish new keys; the history stays."""
        self._install()

    def rotate(self, *, forget_old: bool) -> None:
        """Publish a new signed prekey."""
        self.keyring.rotate(forget_old=forget_old)
        self.send(prekeys.rotate(self.sessions.new_id(), self.keyring.published()))

    def forget_sessions(self) -> None:
        """Lose all sessions, keep the keys."""
        self.sessions.records.clear()

    def ask_again_often(self, times: int) -> None:
        """Send ``times`` retry receipts for the next message that is read."""
        self.storm = times

    def upload(self) -> None:
        """Publish keys with the profile's number of one-time prekeys."""
        fresh = self.keyring.make(self.limits.prekeys_uploaded)
        self.send(prekeys.upload(self.sessions.new_id(), fresh))

    def _install(self) -> None:
        self.keyring = Keyring.new(self.rng)
        self.sessions = Sessions(self.rng, self.keyring, self.history, self.limits, self.send)
        self.upload()

    def _take(self, stanza: Stanza, now: float) -> None:
        word = parse(stanza, "from", self.names)
        match word:
            case Message():
                self._message(word, now)
            case RetryReceipt():
                self.sessions.on_retry_receipt(word, now)
            case Receipt():
                self.sessions.on_receipt(word)
            case Ack():
                self.sessions.on_ack(word)
            case Result() | Failure():
                self.sessions.on_answer(word, now)
            case KeysLow():
                self.upload()
            case IdentityChanged():
                self.history.identity_changes.append(word.peer)
                self.sessions.renew(word.peer)
            case ChatState():
                self.history.typing[word.peer] = word.composing
                self.history.typing_seen += 1
            case _:
                self.inbox.append(stanza)

    def _message(self, carried: Message, now: float) -> None:
        held = self.history.find_received(carried.peer, carried.id)
        if held is None:
            held = Received(carried.peer, carried.id, carried.t, carried.notify)
            self.history.keep_received(held)
        held.ciphertexts.append(carried.ciphertext.hex())
        if held.state == "read":
            held.repeats += 1
            self._confirm(held)
            return
        try:
            opened = self.sessions.open(carried, held, now)
        except RemoteProtocolError as error:
            # Without a session only keys help (dossier 4.8: "or at once if needed").
            needs_keys = held.asked > 0 or isinstance(error, NoSession | UnknownPreKey)
            self._ask(carried, held, needs_keys)
            return
        if not opened:
            held.repeats += 1
            return
        self._confirm(held)
        self._storm(held)
        self._react(held, now)

    def _confirm(self, held: Received) -> None:
        if self.sends_receipts:
            self.send(Receipt((held.id,), held.sender).to_stanza("to"))

    def _ask(self, carried: Message, held: Received, with_keys: bool) -> None:
        """Send a retry receipt, up to the profile's limit; with keys from the second on (dossier 4.8)."""
        if held.asked >= self.limits.retry_asks:
            held.state = "failed"
            return
        self.ask_again(carried.peer, carried.id, held.asked + 1, with_keys=with_keys)

    def _storm(self, held: Received) -> None:
        times, self.storm = self.storm, 0
        for count in range(1, times + 1):
            registration_id = self.keyring.own.registration_id
            self.send(
                RetryReceipt(held.id, held.sender, count, registration_id, None, held.t).to_stanza("to")
            )

    def _react(self, held: Received, now: float) -> None:
        if self.reads or self.answer is not None:
            self.read(held.sender, [held.id])
        if self.answer is not None and held.text is not None:
            self.type_(held.sender, True)
            self.write(held.sender, self.answer.replace("{text}", held.text), now)
