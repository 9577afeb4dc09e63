"""The people at the other end: they know their accounts already, and seal before anything is measured."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass, field

from bridge.curve import KeyPair
from bridge.e2ee import session
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import OwnKeys, SignedPreKey, new_own_keys, new_signed_prekey
from bridge.e2ee.session import Record
from bridge.ids import Jid, RoomId, UserId
from bridge.wire import payload
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.message import Kind, Message

NAME = "Bench"
"""What everybody calls themselves, in their messages and in the prepared database."""
NOW = 1_790_000_000
"""When everything was written; times are carried, never compared."""
TEXT_CHARACTERS = 200


def text(number: int) -> str:
    """A message of the usual length that says which one it is."""
    return f"message {number} ".ljust(TEXT_CHARACTERS, "x")


@dataclass(eq=False)
class Chat:
    """One person in one account's portal. ``account`` is the number that its connection logs in with."""

    account: int
    owner: UserId
    jid: Jid
    room: RoomId
    person: OwnKeys = field(repr=False)
    record: Record = field(repr=False)
    sealed: deque[Message] = field(default_factory=deque, repr=False)
    received: list[tuple[Kind, bytes]] = field(default_factory=list, repr=False)
    """What came from the bridge and was not opened yet."""
    written: int = 0
    """How many messages the person has sealed."""
    answered: int = 0
    """How many the owner has written."""

    def seal(self, count: int) -> None:
        """Have ``count`` messages ready to go."""
        for _ in range(count - len(self.sealed)):
            self.written += 1
            plaintext = payload.TextPayload(text(self.written)).to_bytes()
            padded = payload.pad(plaintext, secrets.token_bytes)
            sealed = session.seal(self.record, self.person, padded, secrets.token_bytes, NOW)
            self.record = sealed.record
            id_ = f"{self.jid.user}.{self.written}"
            self.sealed.append(Message(id_, self.jid, sealed.kind, sealed.ciphertext, t=NOW, notify=NAME))

    @property
    def sent(self) -> int:
        """How many of the person's messages are out."""
        return self.written - len(self.sealed)

    def next_stanza(self) -> Stanza:
        """The next sealed message as the network delivers it."""
        return self.sealed.popleft().to_stanza("from")

    def open_received(self) -> list[str]:
        """What the bridge sent since the last time; an exception when it does not open."""
        texts = []
        for kind, ciphertext in self.received:
            opened = session.open(
                self.record, self.person, kind, ciphertext, _Own(None), secrets.token_bytes, NOW
            )
            self.record = opened.record
            read = payload.parse(payload.unpad(opened.plaintext))
            assert isinstance(read, payload.TextPayload)
            texts.append(read.text)
        self.received.clear()
        return texts


@dataclass(frozen=True)
class _Own:
    """The prekeys of one end."""

    signed_prekey: SignedPreKey | None

    def one_time(self, id: int) -> KeyPair | None:
        return None

    def signed(self, id: int) -> KeyPair | None:
        return self.signed_prekey.pair if self.signed_prekey is not None else None


def acquainted(account: OwnKeys, person: OwnKeys) -> tuple[Record, Record]:
    """The records of both after a word each way: the account's, the person's."""
    rng = secrets.token_bytes
    word = payload.pad(payload.TextPayload("hello").to_bytes(), rng)
    signed = new_signed_prekey(account, 1, rng)
    bundle = PreKeyBundle(
        account.registration_id, account.identity.public, 1, signed.pair.public, signed.signature, None, None
    )
    first = session.seal(session.start(None, person, bundle, rng, NOW), person, word, rng, NOW)
    opened = session.open(None, account, first.kind, first.ciphertext, _Own(signed), rng, NOW)
    answer = session.seal(opened.record, account, word, rng, NOW)
    back = session.open(first.record, person, answer.kind, answer.ciphertext, _Own(None), rng, NOW)
    return answer.record, back.record


def somebody() -> OwnKeys:
    """A person's keys."""
    return new_own_keys(secrets.token_bytes)
