"""The keys of one account: identity, signed prekey, one-time prekeys.

X3DH section 2.4 names them (https://signal.org/docs/specifications/x3dh/#keys).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bridge.curve import KEY_BYTES, SIGNING_RANDOM_BYTES, KeyPair, key_pair, sign
from bridge.e2ee.errors import BadMessage

Rng = Callable[[int], bytes]
"""Randomness: n -> n fresh, unpredictable bytes."""

CURVE25519_TYPE = b"\x05"
TYPED_KEY_BYTES = 1 + KEY_BYTES
MAX_REGISTRATION_ID = 16380
# Stanzas carry prekey ids in three bytes. We never give out zero: the JavaScript
# implementations read it as "no one-time prekey".
MAX_PREKEY_ID = 2**24 - 1


@dataclass(frozen=True)
class OwnKeys:
    """The account's ``registration_id`` (1 to 16380) and identity key pair."""

    registration_id: int
    identity: KeyPair

    def __post_init__(self) -> None:
        if not 1 <= self.registration_id <= MAX_REGISTRATION_ID:
            raise ValueError("a registration id is 1 to 16380")


@dataclass(frozen=True)
class SignedPreKey:
    """A prekey that is replaced weekly; ``signature`` (64 bytes) covers the typed public key."""

    id: int
    pair: KeyPair
    signature: bytes

    def __post_init__(self) -> None:
        check_prekey_id(self.id)


@dataclass(frozen=True)
class PreKey:
    """A one-time prekey; the first message that names it spends it."""

    id: int
    pair: KeyPair

    def __post_init__(self) -> None:
        check_prekey_id(self.id)


def check_prekey_id(id: int) -> None:
    """ValueError unless ``id`` may be given out."""
    if not 1 <= id <= MAX_PREKEY_ID:
        raise ValueError("a prekey id is 1 to 16777215")


def new_own_keys(rng: Rng) -> OwnKeys:
    """Make a registration id and an identity, once for each enlistment."""
    registration_id = int.from_bytes(rng(8), "big") % MAX_REGISTRATION_ID + 1
    return OwnKeys(registration_id, key_pair(rng(KEY_BYTES)))


def new_signed_prekey(own: OwnKeys, id: int, rng: Rng) -> SignedPreKey:
    """Make a signed prekey (X3DH section 3.2: ``Sig(IK, Encode(SPK))``)."""
    pair = key_pair(rng(KEY_BYTES))
    signature = sign(own.identity.private, typed(pair.public), rng(SIGNING_RANDOM_BYTES))
    return SignedPreKey(id, pair, signature)


def new_prekeys(first_id: int, count: int, rng: Rng) -> tuple[PreKey, ...]:
    """Make ``count`` one-time prekeys with ids from ``first_id`` on; after the last id follows 1."""
    check_prekey_id(first_id)
    if not 0 <= count <= MAX_PREKEY_ID:
        raise ValueError("there are not so many prekey ids")
    ids = (prekey_id_after(first_id, step) for step in range(count))
    return tuple(PreKey(id, key_pair(rng(KEY_BYTES))) for id in ids)


def prekey_id_after(id: int, count: int) -> int:
    """The id that is ``count`` after ``id``; after the last id follows 1."""
    return (id - 1 + count) % MAX_PREKEY_ID + 1


def typed(public: bytes) -> bytes:
    """``Encode(PK)`` of X3DH section 2.1: 0x05 and the 32 bytes of the public key."""
    return CURVE25519_TYPE + public


def untyped(data: bytes) -> bytes:
    """Read a typed public key; bytes after the 33rd are ignored, as libsignal does.

    BadMessage when it is too short or of another curve.
    """
    if len(data) < TYPED_KEY_BYTES or data[:1] != CURVE25519_TYPE:
        raise BadMessage("a public key is malformed")
    return data[1:TYPED_KEY_BYTES]
