"""One session with one peer: a ratchet, the identity of the peer, and the prekeys until it answers.

Sealing and opening return a new session; an error changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from bridge.curve import KEY_BYTES, KeyPair, key_pair
from bridge.e2ee.agreement import initiate, respond
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.cipher import check_tag, decrypt, encrypt, message_keys, tag
from bridge.e2ee.errors import BadMessage
from bridge.e2ee.keys import OwnKeys, Rng, typed
from bridge.e2ee.message import MAX_COUNTER, PreKeyMessage, SignalMessage, covered_part, prekey_message
from bridge.e2ee.ratchet import Ratchet
from bridge.e2ee.storage import Reader, Writer
from bridge.e2ee.work import AGREEMENT_UNITS, Work, check_units
from bridge.errors import LocalProtocolError, RemoteProtocolError

Kind = Literal["pkmsg", "msg"]
# As in libsignal: a session without an answer for 30 days was probably never received, and the peer's
# prekeys may be gone.
MAX_UNACKNOWLEDGED_SECONDS = 30 * 24 * 3600
# The first version of a record whose sessions have the flag.
RECEIVE_ONLY_VERSION = 2


@dataclass(frozen=True)
class Pending:
    """The peer's prekeys that we used; every message repeats them until the peer answers."""

    prekey_id: int | None
    signed_prekey_id: int

    def write(self, out: Writer) -> None:
        """A flag for the one-time prekey, its id or 0, the id of the signed prekey."""
        out.number(self.prekey_id is not None, 1)
        out.number(self.prekey_id or 0, 4)
        out.number(self.signed_prekey_id, 4)

    @staticmethod
    def read(data: Reader) -> Pending:
        """Read what ``write`` wrote."""
        has_prekey, prekey_id, signed_prekey_id = data.flag(), data.number(4), data.number(4)
        if prekey_id and not has_prekey:
            raise LocalProtocolError("a stored session is damaged")
        return Pending(prekey_id if has_prekey else None, signed_prekey_id)


@dataclass(frozen=True)
class Session:
    """``identity`` (the peer's) and ``base_key`` (the initiator's) name it; ``created`` is in seconds.

    ``pending`` is there while we started it and the peer has not answered. A session that
    came from a backup is ``receive_only``: its sending chain may have sealed other messages
    since, and a key never seals twice. The peer's next turn gives it a new chain and ends that.
    """

    identity: bytes
    base_key: bytes
    registration_id: int
    created: float
    pending: Pending | None
    ratchet: Ratchet
    receive_only: bool = False

    @staticmethod
    def initiate(own: OwnKeys, bundle: PreKeyBundle, rng: Rng, now: float) -> Session:
        """A new session from a verified bundle; RemoteProtocolError for a key of low order."""
        base, first = key_pair(rng(KEY_BYTES)), key_pair(rng(KEY_BYTES))
        try:
            root, chain = initiate(own.identity, base, bundle)
            ratchet = Ratchet.initiator(root, chain, bundle.signed_prekey, first)
        except ValueError as error:
            raise RemoteProtocolError("a public key of the bundle is of low order") from error
        pending = Pending(bundle.prekey_id, bundle.signed_prekey_id)
        return Session(bundle.identity, base.public, bundle.registration_id, now, pending, ratchet)

    @staticmethod
    def respond(
        own: OwnKeys, message: PreKeyMessage, signed: KeyPair, one_time: KeyPair | None, now: float
    ) -> Work[Session]:
        """A new session from the peer's first message; the caller opens the message in it."""
        yield 4 * AGREEMENT_UNITS
        try:
            root, chain = respond(own.identity, signed, one_time, message.identity, message.base_key)
        except ValueError as error:
            raise BadMessage("a public key is of low order") from error
        ratchet = Ratchet.responder(root, chain, signed)
        return Session(message.identity, message.base_key, message.registration_id, now, None, ratchet)

    def can_seal(self, now: float) -> bool:
        """False when it is receive-only, or when we started it over 30 days ago without an answer."""
        if self.receive_only:
            return False
        return self.pending is None or now - self.created <= MAX_UNACKNOWLEDGED_SECONDS

    def seal(self, own: OwnKeys, plaintext: bytes) -> tuple[Session, Kind, bytes]:
        """Double Ratchet section 3.4: the new session, the kind of message and its bytes."""
        chain = self.ratchet.sending
        if chain.index > MAX_COUNTER:
            raise LocalProtocolError("the sending chain is used up")
        keys = message_keys(chain.seed())
        covered = covered_part(
            self.ratchet.own.public, chain.index, self.ratchet.previous_counter, encrypt(keys, plaintext)
        )
        message = covered + tag(keys, typed(own.identity.public), typed(self.identity), covered)
        moved = replace(self, ratchet=replace(self.ratchet, sending=chain.next()))
        if self.pending is None:
            return moved, "msg", message
        first = prekey_message(
            registration_id=own.registration_id,
            prekey_id=self.pending.prekey_id,
            signed_prekey_id=self.pending.signed_prekey_id,
            base_key=self.base_key,
            identity=own.identity.public,
            message=message,
        )
        return moved, "pkmsg", first

    def open(self, own: OwnKeys, message: SignalMessage, rng: Rng, now: float) -> Work[tuple[Session, bytes]]:
        """Double Ratchet section 3.5: the new session and the plaintext.

        KeyGone or BadMessage. Randomness is drawn only after the MAC was checked.
        """
        root, chain = self.ratchet.root, self.ratchet.chain(message.ratchet_key)
        turning = chain is None
        if chain is None:
            yield AGREEMENT_UNITS
            try:
                root, chain = self.ratchet.turn_begun(message.ratchet_key)
            except ValueError as error:
                raise BadMessage("a public key is of low order") from error
        position = yield from chain.find(message.counter)
        yield check_units(len(message.covered))
        keys = message_keys(position.seed)
        check_tag(keys, typed(self.identity), typed(own.identity.public), message.covered, message.mac)
        plaintext = decrypt(keys, message.ciphertext)
        yield len(position.passed)
        if turning:
            yield 2 * AGREEMENT_UNITS
            ratchet = self.ratchet.turn_completed(root, position, rng, now)
        else:
            ratchet = self.ratchet.advanced(position, now)
        receive_only = self.receive_only and not turning
        return replace(self, pending=None, ratchet=ratchet, receive_only=receive_only), plaintext

    def pruned(self, now: float, limit: int) -> Session:
        """Without expired skipped keys and with at most ``limit``, the newest; itself if nothing changes."""
        ratchet = self.ratchet.pruned(now, limit)
        return self if ratchet is self.ratchet else replace(self, ratchet=ratchet)

    @cached_property
    def stored(self) -> bytes:
        """What ``write`` writes, kept: an archived session is stored often and rarely changes."""
        out = Writer()
        self.write(out)
        return out.finish()

    def write(self, out: Writer) -> None:
        """All fields in their order."""
        out.raw(self.identity)
        out.raw(self.base_key)
        out.number(self.registration_id, 4)
        out.time(self.created)
        out.number(self.pending is not None, 1)
        if self.pending is not None:
            self.pending.write(out)
        self.ratchet.write(out)
        out.number(self.receive_only, 1)

    @staticmethod
    def read(data: Reader, version: int) -> Session:
        """Read what ``write`` wrote, for any version of a record; version 1 has no ``receive_only``."""
        identity, base_key, registration_id, created = data.key(), data.key(), data.number(4), data.time()
        pending = Pending.read(data) if data.flag() else None
        ratchet = Ratchet.read(data)
        receive_only = data.flag() if version >= RECEIVE_ONLY_VERSION else False
        return Session(identity, base_key, registration_id, created, pending, ratchet, receive_only)
