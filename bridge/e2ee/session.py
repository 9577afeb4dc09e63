"""The interface of this package: start a session, seal, open, archive, restore.

Every call takes a record and returns a new one. The caller commits it together
with what came out beside it, ciphertext or plaintext and spent prekey, and sends
bytes only after that. A record has one writer: two messages sealed from the same
record would share their keys.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import OwnKeys, Rng
from bridge.e2ee.message import MAX_CIPHERTEXT_BYTES, read_prekey_message
from bridge.e2ee.opening import Opened, Opening, PreKeys
from bridge.e2ee.record import Record
from bridge.e2ee.state import Kind, Session
from bridge.errors import LocalProtocolError

__all__ = [
    "Glimpse",
    "Kind",
    "Opened",
    "Opening",
    "PreKeys",
    "Record",
    "Sealed",
    "archive",
    "can_seal",
    "glimpse",
    "open",
    "restored",
    "seal",
    "start",
]


@dataclass(frozen=True)
class Sealed:
    """A message to send: commit ``record`` and ``ciphertext`` together, then send those very bytes."""

    record: Record
    kind: Kind
    ciphertext: bytes


@dataclass(frozen=True)
class Glimpse:
    """The unencrypted, unauthenticated fields of a prekey message; keys are 32 bytes."""

    identity: bytes
    base_key: bytes
    prekey_id: int | None
    signed_prekey_id: int
    registration_id: int


def start(record: Record | None, own: OwnKeys, bundle: PreKeyBundle, rng: Rng, now: float) -> Record:
    """A new session from a bundle; the current one is archived and the bundle's identity becomes the peer's.

    RemoteProtocolError when the bundle is not signed by its identity. The caller has
    accepted that identity before.
    """
    bundle.verify()
    session = Session.initiate(own, bundle, rng, now)
    return (record or Record(bundle.identity)).with_new_session(session)


def can_seal(record: Record | None, now: float) -> bool:
    """False when a bundle is needed first.

    There is no current session, it is receive-only, or nobody answered it for 30 days.
    """
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
    return Sealed(record.with_moved_session(record.current, moved), kind, ciphertext)


def glimpse(ciphertext: bytes) -> Glimpse:
    """Read the unencrypted fields of a prekey message, to load its prekeys and to judge its identity.

    BadMessage when it is not a prekey message.
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
    """Decrypt, all at once: the steps of ``Opening``, which has the errors."""
    opening = Opening(record, own, kind, ciphertext, prekeys, rng, now)
    while (opened := opening.step()) is None:
        pass
    return opened


def restored(record: Record) -> Record:
    """Make all its sessions receive-only, because the record comes from a backup.

    A restored sending chain gives keys that may have been used since the backup was made. A
    session seals again when a message of the peer turns its ratchet; before that, ``can_seal`` is
    false and a session started from a bundle takes its place.
    """
    return record.receive_only()


def archive(record: Record) -> Record:
    """Archive the current session, for a retry receipt; the next seal needs a bundle."""
    return record.archived_current()
