"""Encryption of one message: AES-256-CBC, then HMAC-SHA256 truncated to eight bytes.

Double Ratchet section 7.2 (https://signal.org/docs/specifications/doubleratchet/#recommended-cryptographic-algorithms).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from bridge.e2ee.errors import BadMessage
from bridge.e2ee.kdf import NO_SALT, hkdf

INFO = b"WhisperMessageKeys"
MAC_BYTES = 8
BLOCK_BYTES = 16
# The same text for every cause, so that a forger learns nothing from it.
_REFUSAL = "the message does not fit its session"


@dataclass(frozen=True)
class MessageKeys:
    """Used for one message only: ``cipher`` and ``mac`` 32 bytes, ``iv`` 16. Never logged."""

    cipher: bytes = field(repr=False)
    mac: bytes = field(repr=False)
    iv: bytes = field(repr=False)


def message_keys(seed: bytes) -> MessageKeys:
    """Derive the keys from the 32-byte seed of the message."""
    keys = hkdf(seed, salt=NO_SALT, info=INFO, size=80)
    return MessageKeys(keys[:32], keys[32:64], keys[64:])


def tag(keys: MessageKeys, sender: bytes, receiver: bytes, covered: bytes) -> bytes:
    """The MAC over both typed identity keys, the sender's first, and the message as sent."""
    return hmac.digest(keys.mac, sender + receiver + covered, "sha256")[:MAC_BYTES]


def check_tag(keys: MessageKeys, sender: bytes, receiver: bytes, covered: bytes, mac: bytes) -> None:
    """Compare in constant time; BadMessage when ``mac`` is wrong."""
    if not hmac.compare_digest(tag(keys, sender, receiver, covered), mac):
        raise BadMessage(_REFUSAL)


def encrypt(keys: MessageKeys, plaintext: bytes) -> bytes:
    """Pad to whole blocks and encrypt."""
    padder = PKCS7(BLOCK_BYTES * 8).padder()
    encryptor = Cipher(AES256(keys.cipher), CBC(keys.iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def decrypt(keys: MessageKeys, ciphertext: bytes) -> bytes:
    """Decrypt and remove the padding, after ``check_tag``; BadMessage when length or padding is wrong."""
    decryptor = Cipher(AES256(keys.cipher), CBC(keys.iv)).decryptor()
    unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise BadMessage(_REFUSAL) from error
