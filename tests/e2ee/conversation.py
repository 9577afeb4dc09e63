"""A model of two ends and the messages between them, which may be lost, reordered and duplicated.

It knows nothing of keys. It remembers in which session each message was sealed and which
messages of a session were read, and from that alone says what must come of a delivery:
the text, ``AlreadyRead``, or, for a message overtaken by five turns, ``CannotRead``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.errors import BadMessage, KeyGone
from bridge.e2ee.message import read_message, read_prekey_message
from bridge.e2ee.ratchet import MAX_RECEIVING_CHAINS
from tests.e2ee.peer import libsignal
from tests.e2ee.support import End, SealedMessage


class AlreadyRead(Exception):
    """The message was read before."""


class CannotRead(Exception):
    """The message fits no session."""


class Peer(Protocol):
    """An end of either implementation."""

    def bundle(self, *, one_time: bool = True) -> PreKeyBundle: ...
    def start(self, bundle: PreKeyBundle) -> None: ...
    def can_seal(self) -> bool: ...
    def seal(self, text: bytes) -> SealedMessage: ...
    def read(self, sealed: SealedMessage) -> bytes: ...
    def archive(self) -> None: ...


class Ours:
    """An end with our code; an error must leave its stored record unchanged."""

    def __init__(self, name: str) -> None:
        self.end = End(name)
        self.bundle, self.start = self.end.bundle, self.end.start
        self.can_seal, self.seal = self.end.can_seal, self.end.seal

    def read(self, sealed: SealedMessage) -> bytes:
        before = self.end.stored, dict(self.end.unspent)
        try:
            return self.end.read(sealed)
        except (KeyGone, BadMessage) as error:
            assert (self.end.stored, self.end.unspent) == before
            raise AlreadyRead if isinstance(error, KeyGone) else CannotRead from error

    def archive(self) -> None:
        if self.end.stored is not None:
            self.end.archive()


class Theirs:
    """An end whose client is libsignal; ``peer`` is what it calls the other."""

    def __init__(self, person: libsignal.Person, peer: str = "other") -> None:
        self.person, self.peer = person, peer
        self.bundle = person.bundle

    def start(self, bundle: PreKeyBundle) -> None:
        self.person.start(self.peer, bundle)

    def can_seal(self) -> bool:
        return self.person.can_encrypt(self.peer)

    def seal(self, text: bytes) -> SealedMessage:
        sealed = self.person.encrypt(self.peer, text)
        return sealed.kind, sealed.ciphertext

    def read(self, sealed: SealedMessage) -> bytes:
        try:
            return self.person.decrypt(self.peer, *sealed)
        except libsignal.Refused as refusal:
            raise AlreadyRead if refusal.name == "DuplicatedMessage" else CannotRead from refusal

    def archive(self) -> None:
        if self.person.can_encrypt(self.peer):
            self.person.archive(self.peer)


@dataclass
class Sent:
    """A message on its way."""

    sealed: SealedMessage
    text: bytes
    session: int
    ratchet_key: bytes
    read: bool = False


@dataclass
class Side:
    """The model of one end: its current session, and the chains it keeps for each."""

    peer: Peer
    current: int | None = None
    chains: dict[int, list[bytes]] = field(default_factory=dict)
    to_come: list[Sent] = field(default_factory=list)


class Conversation:
    """Side 0 and side 1; every method is one step and checks its outcome."""

    def __init__(self, first: Peer, second: Peer) -> None:
        self.sides = (Side(first), Side(second))
        self.sessions = self.texts = 0

    def start(self, who: int, *, one_time: bool = True) -> None:
        """A new session from a fresh bundle of the other."""
        side, bundle = self.sides[who], self.sides[1 - who].peer.bundle(one_time=one_time)
        side.peer.start(bundle)
        self.sessions += 1
        side.current = self.sessions
        side.chains[self.sessions] = [bundle.signed_prekey]

    def archive(self, who: int) -> None:
        """Archive the current session, as after a retry receipt."""
        self.sides[who].peer.archive()
        self.sides[who].current = None

    def send(self, who: int, *, one_time: bool = True) -> None:
        """Seal the next text, in a new session if there is none."""
        side = self.sides[who]
        assert side.peer.can_seal() == (side.current is not None)
        if side.current is None:
            self.start(who, one_time=one_time)
        self.texts += 1
        text = b"text %d" % self.texts
        kind, ciphertext = sealed = side.peer.seal(text)
        message = read_prekey_message(ciphertext).message if kind == "pkmsg" else read_message(ciphertext)
        assert side.current is not None
        sent = Sent(sealed, text, side.current, message.ratchet_key)
        self.sides[1 - who].to_come.append(sent)

    def deliver(self, who: int, pick: int) -> None:
        """Deliver one of the messages sent to ``who``, new or read before."""
        side = self.sides[who]
        if not side.to_come:
            return
        sent = side.to_come[pick % len(side.to_come)]
        chains = side.chains.setdefault(sent.session, [])
        forgotten = sent.read and sent.ratchet_key not in chains[-MAX_RECEIVING_CHAINS:]
        overtaken = sent.ratchet_key in chains[:-MAX_RECEIVING_CHAINS]
        try:
            text = side.peer.read(sent.sealed)
        except AlreadyRead:
            assert sent.read
        except CannotRead:
            assert forgotten or overtaken
        else:
            assert not sent.read and not overtaken and text == sent.text
            sent.read, side.current = True, sent.session
            if sent.ratchet_key not in chains:
                chains.append(sent.ratchet_key)

    def lose(self, who: int, pick: int) -> None:
        """Drop one message."""
        to_come = self.sides[who].to_come
        if to_come:
            del to_come[pick % len(to_come)]

    def newest(self, who: int) -> None:
        """Deliver the newest message."""
        self.deliver(who, len(self.sides[who].to_come) - 1)

    def settle(self) -> None:
        """After two messages each way both ends are in one session again."""
        for who in (0, 1, 0, 1):
            self.send(who)
            self.newest(1 - who)
        first, second = self.sides
        assert first.current == second.current
        assert first.to_come[-1].sealed[0] == second.to_come[-1].sealed[0] == "msg"
