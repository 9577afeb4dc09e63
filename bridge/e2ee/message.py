"""The two messages on the wire, as bytes and as values.

A plain one is ``first byte | protobuf | MAC (8)``; a prekey message is
``first byte | protobuf`` around a plain one and has no MAC of its own. The high
half of the first byte is the version, 3; the low half is the newest version its
writer knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.e2ee.cipher import BLOCK_BYTES, MAC_BYTES
from bridge.e2ee.errors import BadMessage
from bridge.e2ee.fields import MAX_UINT32, Fields, bytes_field, number_field
from bridge.e2ee.keys import MAX_PREKEY_ID, typed, untyped

VERSION = 3
# The JavaScript implementations refuse a low half above 3 and hash 0x33 whatever they received,
# so this is the one byte that every implementation reads; libsignal itself sends 0x34.
FIRST_BYTE = bytes([VERSION << 4 | VERSION])
# The network's frames stop at 1 MiB (research: S18), so a longer one cannot have come that way.
# Checked before anything is parsed or derived.
MAX_CIPHERTEXT_BYTES = 2**20
# The index after the counter has to fit 32 bits as well.
MAX_COUNTER = MAX_UINT32 - 1

_RATCHET_KEY, _COUNTER, _PREVIOUS_COUNTER, _CIPHERTEXT = 1, 2, 3, 4
_PREKEY_ID, _BASE_KEY, _IDENTITY, _MESSAGE, _REGISTRATION_ID, _SIGNED_PREKEY_ID = 1, 2, 3, 4, 5, 6


@dataclass(frozen=True)
class SignalMessage:
    """A plain message. ``covered`` is what the MAC covers: first byte and protobuf as received."""

    ratchet_key: bytes
    counter: int
    previous_counter: int
    ciphertext: bytes
    covered: bytes
    mac: bytes


@dataclass(frozen=True)
class PreKeyMessage:
    """A message that starts a session; ``message`` is the whole plain message inside.

    The MAC of the inner message authenticates the fields that the keys depend on; it does not
    cover ``registration_id``.
    """

    registration_id: int
    prekey_id: int | None
    signed_prekey_id: int
    base_key: bytes
    identity: bytes
    message: SignalMessage


def covered_part(ratchet_key: bytes, counter: int, previous_counter: int, ciphertext: bytes) -> bytes:
    """A plain message without its MAC."""
    return b"".join(
        (
            FIRST_BYTE,
            bytes_field(_RATCHET_KEY, typed(ratchet_key)),
            number_field(_COUNTER, counter),
            number_field(_PREVIOUS_COUNTER, previous_counter),
            bytes_field(_CIPHERTEXT, ciphertext),
        )
    )


def prekey_message(
    *,
    registration_id: int,
    prekey_id: int | None,
    signed_prekey_id: int,
    base_key: bytes,
    identity: bytes,
    message: bytes,
) -> bytes:
    """A prekey message around the bytes of a plain one."""
    return b"".join(
        (
            FIRST_BYTE,
            b"" if prekey_id is None else number_field(_PREKEY_ID, prekey_id),
            bytes_field(_BASE_KEY, typed(base_key)),
            bytes_field(_IDENTITY, typed(identity)),
            bytes_field(_MESSAGE, message),
            number_field(_REGISTRATION_ID, registration_id),
            number_field(_SIGNED_PREKEY_ID, signed_prekey_id),
        )
    )


def read_message(data: bytes) -> SignalMessage:
    """Read a plain message; BadMessage when it is not one."""
    _check_envelope(data)
    covered, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
    if len(data) <= MAC_BYTES:
        raise BadMessage("the message is truncated")
    fields = Fields(covered[1:], numbers=(_COUNTER, _PREVIOUS_COUNTER), strings=(_RATCHET_KEY, _CIPHERTEXT))
    ciphertext, counter = fields.string(_CIPHERTEXT), fields.number(_COUNTER)
    if not ciphertext or len(ciphertext) % BLOCK_BYTES:
        raise BadMessage("the ciphertext is not made of whole blocks")
    if counter > MAX_COUNTER:
        raise BadMessage("the counter is too large")
    return SignalMessage(
        ratchet_key=untyped(fields.string(_RATCHET_KEY)),
        counter=counter,
        previous_counter=fields.number(_PREVIOUS_COUNTER, default=0),
        ciphertext=ciphertext,
        covered=covered,
        mac=mac,
    )


def read_prekey_message(data: bytes) -> PreKeyMessage:
    """Read a prekey message and the plain one inside; BadMessage when it is not one."""
    _check_envelope(data)
    fields = Fields(
        data[1:],
        numbers=(_PREKEY_ID, _REGISTRATION_ID, _SIGNED_PREKEY_ID),
        strings=(_BASE_KEY, _IDENTITY, _MESSAGE),
    )
    prekey_id, signed_prekey_id = fields.optional_number(_PREKEY_ID), fields.number(_SIGNED_PREKEY_ID)
    if max(prekey_id or 0, signed_prekey_id) > MAX_PREKEY_ID:
        raise BadMessage("a prekey id is out of range")
    return PreKeyMessage(
        registration_id=fields.number(_REGISTRATION_ID, default=0),
        prekey_id=prekey_id,
        signed_prekey_id=signed_prekey_id,
        base_key=untyped(fields.string(_BASE_KEY)),
        identity=untyped(fields.string(_IDENTITY)),
        message=read_message(fields.string(_MESSAGE)),
    )


def _check_envelope(data: bytes) -> None:
    if not data:
        raise BadMessage("the message is empty")
    if len(data) > MAX_CIPHERTEXT_BYTES:
        raise BadMessage("the message is too large")
    if data[0] >> 4 != VERSION:
        raise BadMessage("the message has another version than 3")
