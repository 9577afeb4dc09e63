"""Test support: an end of a conversation that commits what a call returns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bridge.curve import KeyPair
from bridge.e2ee import session
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import Rng, SignedPreKey, new_own_keys, new_prekeys, new_signed_prekey
from bridge.e2ee.session import Kind, Opened, Opening, Record
from bridge.e2ee.work import Work

T = TypeVar("T")
NOW = 1_790_000_000.0
DAY = 24 * 3600.0
SealedMessage = tuple[Kind, bytes]
"""A sealed message on its way."""


def seeded_rng(seed: str) -> Rng:
    """Deterministic randomness: SHA-256 in counter mode over a seed."""
    state = [0]

    def draw(count: int) -> bytes:
        out = b""
        while len(out) < count:
            state[0] += 1
            out += hashlib.sha256(f"{seed}/{state[0]}".encode()).digest()
        return out[:count]

    return draw


def run(work: Work[T]) -> T:
    """Do all of it, without pauses."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result


@dataclass
class End:
    """One end of a conversation with one peer: own keys, prekeys, and the record as it was committed.

    The record is kept as bytes, so that every step passes through the stored form.
    """

    name: str
    now: float = NOW
    rng: Rng = field(init=False)
    stored: bytes | None = None
    signed: dict[int, SignedPreKey] = field(default_factory=dict)
    unspent: dict[int, KeyPair] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = seeded_rng(self.name)
        self.own = new_own_keys(self.rng)
        self.next_id = 1

    @property
    def record(self) -> Record | None:
        return None if self.stored is None else Record.from_bytes(self.stored)

    @property
    def kept(self) -> Record:
        """The record, which exists."""
        assert self.stored is not None
        return Record.from_bytes(self.stored)

    def bundle(self, *, one_time: bool = True) -> PreKeyBundle:
        """A bundle from fresh prekeys, as the server would hand it out."""
        signed = new_signed_prekey(self.own, self.next_id, self.rng)
        self.signed[signed.id] = signed
        self.next_id += 1
        prekey = None
        if one_time:
            (prekey,) = new_prekeys(self.next_id, 1, self.rng)
            self.unspent[prekey.id] = prekey.pair
            self.next_id += 1
        return PreKeyBundle(
            registration_id=self.own.registration_id,
            identity=self.own.identity.public,
            signed_prekey_id=signed.id,
            signed_prekey=signed.pair.public,
            signature=signed.signature,
            prekey_id=None if prekey is None else prekey.id,
            prekey=None if prekey is None else prekey.pair.public,
        )

    def start(self, bundle: PreKeyBundle) -> None:
        self.stored = session.start(self.record, self.own, bundle, self.rng, self.now).to_bytes()

    def can_seal(self) -> bool:
        return session.can_seal(self.record, self.now)

    def seal(self, plaintext: bytes = b"hello") -> SealedMessage:
        sealed = session.seal(self.record, self.own, plaintext, self.rng, self.now)
        self.stored = sealed.record.to_bytes()
        return sealed.kind, sealed.ciphertext

    def open(self, sealed: SealedMessage) -> Opened:
        kind, ciphertext = sealed
        opened = session.open(self.record, self.own, kind, ciphertext, Keys(self), self.rng, self.now)
        self.stored = opened.record.to_bytes()
        if opened.spent_prekey is not None:
            del self.unspent[opened.spent_prekey]
        return opened

    def opening(self, sealed: SealedMessage) -> Opening:
        """An opening that has not begun, with randomness of its own."""
        return Opening(self.record, self.own, *sealed, Keys(self), seeded_rng("opening"), self.now)

    def read(self, sealed: SealedMessage) -> bytes:
        """Open a message; the plaintext."""
        return self.open(sealed).plaintext

    def skip(self, count: int) -> None:
        """As if ``count`` messages had been sealed and lost."""
        current = self.kept.current
        assert current is not None
        sending = current.ratchet.sending
        for _ in range(count):
            sending = sending.next()
        moved = replace(current, ratchet=replace(current.ratchet, sending=sending))
        self.stored = replace(self.kept, current=moved).to_bytes()

    def restore(self, backup: Record) -> None:
        """Go back to a record of a backup."""
        self.stored = session.restored(backup).to_bytes()

    def archive(self) -> None:
        self.stored = session.archive(self.kept).to_bytes()


@dataclass(frozen=True)
class Keys:
    """An end's prekeys, as ``PreKeys``."""

    end: End

    def one_time(self, id: int) -> KeyPair | None:
        return self.end.unspent.get(id)

    def signed(self, id: int) -> KeyPair | None:
        return self.end.signed[id].pair if id in self.end.signed else None


def connected_pair(*, one_time: bool = True) -> tuple[End, End]:
    """Two ends with an answered session, started by alice."""
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle(one_time=one_time))
    bob.read(alice.seal())
    alice.read(bob.seal())
    return alice, bob
