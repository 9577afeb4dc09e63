"""Public key material inside stanzas, as plain numbers and bytes.

Ids have 3 bytes, registration ids 4, both big-endian; keys 32 bytes, signatures 64.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bridge.curve import KEY_BYTES, SIGNATURE_BYTES
from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire.stanza import Stanza

KEY_TYPE_CURVE25519: Final = b"\x05"
ID_BYTES: Final = 3
REGISTRATION_BYTES: Final = 4
MAX_ID: Final = 2**24 - 1
MAX_REGISTRATION_ID: Final = 16_380
"""Registration ids run from 1 to this, although four bytes carry them."""


@dataclass(frozen=True)
class PublicPreKey:
    """A one-time prekey: ``id`` from 0 to 2^24 - 1, ``public`` 32 bytes."""

    id: int
    public: bytes


@dataclass(frozen=True)
class PublicSignedPreKey:
    """A signed prekey; ``signature`` is 64 bytes over 0x05 and the key, by the identity."""

    id: int
    public: bytes
    signature: bytes


@dataclass(frozen=True)
class PublicBundle:
    """Keys to start a session with; without a one-time prekey both its fields are None."""

    registration_id: int
    identity: bytes
    signed_prekey_id: int
    signed_prekey: bytes
    signature: bytes
    prekey_id: int | None = None
    prekey: bytes | None = None


@dataclass(frozen=True)
class UploadedKeys:
    """The keys that an account uploads to the directory."""

    registration_id: int
    identity: bytes
    signed: PublicSignedPreKey
    one_time: tuple[PublicPreKey, ...] = ()


def key_type() -> Stanza:
    """``<type>``: the curve of the keys."""
    return Stanza("type", {}, KEY_TYPE_CURVE25519)


def identity(key: bytes) -> Stanza:
    """``<identity>`` with 32 bytes."""
    return Stanza("identity", {}, key)


def registration(registration_id: int) -> Stanza:
    """``<registration>`` with 4 bytes; LocalProtocolError when the number is out of its range."""
    if not 1 <= registration_id <= MAX_REGISTRATION_ID:
        raise LocalProtocolError("a registration id is from 1 to 16380")
    return Stanza("registration", {}, registration_id.to_bytes(REGISTRATION_BYTES, "big"))


def prekey(key: PublicPreKey) -> Stanza:
    """``<key>`` with id and value."""
    return Stanza("key", {}, (key_id(key.id), Stanza("value", {}, key.public)))


def signed_prekey(key: PublicSignedPreKey) -> Stanza:
    """``<skey>`` with id, value and signature."""
    signature = Stanza("signature", {}, key.signature)
    return Stanza("skey", {}, (key_id(key.id), Stanza("value", {}, key.public), signature))


def key_id(number: int) -> Stanza:
    """``<id>`` with 3 bytes; LocalProtocolError when the number is too large."""
    if not 0 <= number <= MAX_ID:
        raise LocalProtocolError("a key id has 24 bits")
    return Stanza("id", {}, number.to_bytes(ID_BYTES, "big"))


def bundle(keys: PublicBundle) -> tuple[Stanza, ...]:
    """The parts of a bundle, without the registration id."""
    parts = [key_type(), identity(keys.identity)]
    if keys.prekey_id is not None and keys.prekey is not None:
        parts.append(prekey(PublicPreKey(keys.prekey_id, keys.prekey)))
    signed = PublicSignedPreKey(keys.signed_prekey_id, keys.signed_prekey, keys.signature)
    return (*parts, signed_prekey(signed))


def read_bundle(node: Stanza, registration_id: int) -> PublicBundle:
    """Read the parts of a bundle in ``node``; a missing type means the usual one."""
    if node.child("type") is not None:
        check_key_type(node)
    signed = read_signed_prekey(node)
    found = node.child("key")
    one_time = None if found is None else read_prekey(found)
    return PublicBundle(
        registration_id=registration_id,
        identity=read_identity(node),
        signed_prekey_id=signed.id,
        signed_prekey=signed.public,
        signature=signed.signature,
        prekey_id=None if one_time is None else one_time.id,
        prekey=None if one_time is None else one_time.public,
    )


def check_key_type(node: Stanza) -> None:
    """RemoteProtocolError unless ``node`` has the known ``<type>``."""
    if _bytes(node, "type", 1) != KEY_TYPE_CURVE25519:
        raise RemoteProtocolError("the keys are not for Curve25519")


def read_identity(node: Stanza) -> bytes:
    """The 32 bytes of the ``<identity>`` inside ``node``."""
    return _bytes(node, "identity", KEY_BYTES)


def read_registration(node: Stanza) -> int:
    """The number in the ``<registration>`` inside ``node``, from 1 to 16380."""
    value = int.from_bytes(_bytes(node, "registration", REGISTRATION_BYTES), "big")
    if not 1 <= value <= MAX_REGISTRATION_ID:
        raise RemoteProtocolError("a registration id is out of its range")
    return value


def read_prekey(node: Stanza) -> PublicPreKey:
    """Read a ``<key>`` node."""
    return PublicPreKey(_read_id(node), _bytes(node, "value", KEY_BYTES))


def read_signed_prekey(node: Stanza) -> PublicSignedPreKey:
    """Read the ``<skey>`` inside ``node``."""
    found = node.child("skey")
    if found is None:
        raise RemoteProtocolError(f"<{node.tag}>: the signed prekey is missing")
    signature = _bytes(found, "signature", SIGNATURE_BYTES)
    return PublicSignedPreKey(_read_id(found), _bytes(found, "value", KEY_BYTES), signature)


def read_ids(nodes: Iterable[Stanza]) -> tuple[int, ...]:
    """The numbers in several ``<id>`` nodes."""
    return tuple(int.from_bytes(_sized(node, ID_BYTES), "big") for node in nodes)


def read_list(node: Stanza, tag: str) -> tuple[Stanza, ...]:
    """The nodes with ``tag`` in the ``<list>`` of ``node``, which is required and may be empty."""
    found = node.child("list")
    if found is None or isinstance(found.content, bytes):
        raise RemoteProtocolError(f"<{node.tag}>: <list> is missing")
    return found.children(tag)


def _read_id(node: Stanza) -> int:
    return int.from_bytes(_bytes(node, "id", ID_BYTES), "big")


def _bytes(node: Stanza, tag: str, size: int) -> bytes:
    found = node.child(tag)
    if found is None:
        raise RemoteProtocolError(f"<{node.tag}>: <{tag}> is missing")
    return _sized(found, size)


def _sized(node: Stanza, size: int) -> bytes:
    if not isinstance(node.content, bytes) or len(node.content) != size:
        raise RemoteProtocolError(f"<{node.tag}> is not {size} bytes")
    return node.content
