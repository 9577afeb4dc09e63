"""Start, seal, open: what the rest of the bridge does with a record.

Every call takes a record and returns a new one. The caller commits it together
with what came out beside it, ciphertext or plaintext and spent prekey, and lets
bytes leave only after that. A record has one writer: two messages sealed from the
same record would share their keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bridge.curve import KeyPair
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.errors import BadMessage, NoSession, UnknownPreKey
from bridge.e2ee.keys import OwnKeys, Rng
from bridge.e2ee.message import (
    MAX_CIPHERTEXT_BYTES,
    PreKeyMessage,
    SignalMessage,
    read_message,
    read_prekey_message,
)
from bridge.e2ee.receiving import MAX_JUMP
from bridge.e2ee.record import Record
from bridge.e2ee.state import Kind, Session
from bridge.errors import LocalProtocolError

__all__ = [
    "Glimpse",
    "Kind",
    "Opened",
    "PreKeys",
    "Record",
    "Sealed",
    "archive",
    "can_seal",
    "glimpse",
    "open",
    "seal",
    "start",
]

# A forged message is tried in all 41 sessions. What is under way in an archived one is little, so a small
# jump is enough there and keeps such a message from costing a million HMACs.
MAX_ARCHIVED_JUMP = 2_000


@dataclass(frozen=True)
class Sealed:
    """A message to send: commit ``record`` and ``ciphertext`` together, then send those very bytes."""

    record: Record
    kind: Kind
    ciphertext: bytes


@dataclass(frozen=True)
class Opened:
    """A message read: commit all of it together.

    ``spent_prekey`` is the id of the one-time prekey to delete. ``identity`` is that of
    the session it came in; ``identity_changed`` says that the record had another before.
    """

    record: Record
    plaintext: bytes = field(repr=False)
    spent_prekey: int | None
    identity: bytes
    identity_changed: bool


@dataclass(frozen=True)
class Glimpse:
    """What a prekey message says in clear, unproven; keys are 32 bytes."""

    identity: bytes
    base_key: bytes
    prekey_id: int | None
    signed_prekey_id: int
    registration_id: int


class PreKeys(Protocol):
    """Our own prekeys by id; None for one that we do not have (any more)."""

    def one_time(self, id: int) -> KeyPair | None:
        """A one-time prekey that was not spent."""

    def signed(self, id: int) -> KeyPair | None:
        """A signed prekey, kept for at least 30 days after its successor was published."""


def start(record: Record | None, own: OwnKeys, bundle: PreKeyBundle, rng: Rng, now: float) -> Record:
    """A new session from a bundle; the current one is archived and the bundle's identity becomes the peer's.

    RemoteProtocolError when the bundle is not signed by its identity. Whether that
    identity is accepted is the caller's decision, before.
    """
    bundle.verify()
    session = Session.initiate(own, bundle, rng, now)
    return (record or Record(bundle.identity)).begun(session)


def can_seal(record: Record | None, now: float) -> bool:
    """False when a bundle is needed first: no current session, or one unanswered for 30 days."""
    return record is not None and record.current is not None and record.current.can_seal(now)


def seal(
    record: Record | None,
    own: OwnKeys,
    plaintext: bytes,
    rng: Rng,  # noqa: ARG001 - see below
    now: float,
) -> Sealed:
    """Encrypt in the current session; LocalProtocolError when ``can_seal`` is false or the text too large.

    ``rng`` is not drawn from today: a message's keys follow from the session alone.
    """
    if record is None or record.current is None or not record.current.can_seal(now):
        raise LocalProtocolError("there is no session to seal in")
    moved, kind, ciphertext = record.current.seal(own, plaintext)
    if len(ciphertext) > MAX_CIPHERTEXT_BYTES:
        raise LocalProtocolError("the message is too large to seal")
    return Sealed(record.moved(record.current, moved), kind, ciphertext)


def glimpse(ciphertext: bytes) -> Glimpse:
    """Read the open part of a prekey message, so that keys can be loaded and the identity be judged.

    BadMessage when it is not one.
    """
    message = read_prekey_message(ciphertext)
    return Glimpse(
        message.identity,
        message.base_key,
        message.prekey_id,
        message.signed_prekey_id,
        message.registration_id,
    )


def open(
    record: Record | None,
    own: OwnKeys,
    kind: Kind,
    ciphertext: bytes,
    prekeys: PreKeys,
    rng: Rng,
    now: float,
) -> Opened:
    """Decrypt. The caller has judged the identity of a prekey message before (``glimpse``).

    KeyGone, NoSession, UnknownPreKey or BadMessage; then nothing is to be committed
    and the record given is the valid one.
    """
    if kind == "pkmsg":
        return _open_prekey_message(record, own, read_prekey_message(ciphertext), prekeys, rng, now)
    message = read_message(ciphertext)
    if record is None or not record.sessions:
        raise NoSession("there is no session with this peer")
    return _open_in_any(record, own, message, rng, now)


def archive(record: Record) -> Record:
    """Put the current session aside, as a retry receipt asks; the next seal needs a bundle."""
    return record.shelved()


def _open_prekey_message(
    record: Record | None, own: OwnKeys, message: PreKeyMessage, prekeys: PreKeys, rng: Rng, now: float
) -> Opened:
    before = record or Record(message.identity)
    known = before.with_base_key(message.base_key)
    if known is not None:
        # A repetition until our answer arrives: the prekeys may be gone and are not looked for.
        if known.identity != message.identity:
            raise BadMessage("the identity is not that of the session")
        session, plaintext = known.open(own, message.message, rng, now)
        return _opened(before.moved(known, session), before, session, plaintext, None, now)
    if message.base_key in before.retired:
        raise NoSession("the session of this message was dropped")
    session = _respond(own, message, prekeys, now)
    session, plaintext = session.open(own, message.message, rng, now)
    return _opened(before.begun(session), before, session, plaintext, message.prekey_id, now)


def _respond(own: OwnKeys, message: PreKeyMessage, prekeys: PreKeys, now: float) -> Session:
    signed = prekeys.signed(message.signed_prekey_id)
    if signed is None:
        raise UnknownPreKey("the signed prekey is unknown")
    one_time = None
    if message.prekey_id is not None:
        one_time = prekeys.one_time(message.prekey_id)
        if one_time is None:
            raise UnknownPreKey("the one-time prekey is unknown or spent")
    return Session.respond(own, message, signed, one_time, now)


def _open_in_any(record: Record, own: OwnKeys, message: SignalMessage, rng: Rng, now: float) -> Opened:
    """Try the sessions in order; a chain that has the message's ratchet key decides alone."""
    owner = next((each for each in record.sessions if each.ratchet.chain(message.ratchet_key)), None)
    for session in record.sessions if owner is None else (owner,):
        max_jump = MAX_JUMP if session is record.current or session is owner else MAX_ARCHIVED_JUMP
        try:
            moved, plaintext = session.open(own, message, rng, now, max_jump=max_jump)
        except BadMessage:
            continue
        return _opened(record.moved(session, moved), record, moved, plaintext, None, now)
    raise BadMessage("the message fits no session")


def _opened(
    record: Record, before: Record, session: Session, plaintext: bytes, spent: int | None, now: float
) -> Opened:
    changed = record.identity != before.identity
    return Opened(record.tidy(now), plaintext, spent, session.identity, changed)
