"""Noise_XX_25519_AESGCM_SHA256 (https://noiseprotocol.org/noise.html, revision 34).

    -> e, [payload]
    <- e, ee, s, es, payload
    -> s, se, payload

Each message is a value of three slices (ephemeral, static, payload), because on this
wire a protobuf carries the slices separately.

The first message has no payload: its protobuf field is absent (``None`` here). The
specification mixes an empty payload into the hash all the same (section 5.2,
EncryptAndHash); the network's public clients mix in nothing. ``mix_empty_payload`` chooses
between the two, and the bytes on the wire are the same.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge import curve
from bridge.curve import KEY_BYTES, KeyPair
from bridge.errors import LocalProtocolError, RemoteProtocolError

PROTOCOL_NAME: Final = b"Noise_XX_25519_AESGCM_SHA256"
HASH_BYTES = 32
TAG_BYTES = 16


@dataclass(frozen=True)
class Message:
    """One handshake message: what is not sent is None."""

    ephemeral: bytes | None = None
    static: bytes | None = None
    payload: bytes | None = None


class Cipher:
    """AES-256-GCM with a counter for a nonce (sections 5.1 and 12.3).

    The nonce is four zero bytes and the counter in eight, *big*-endian (ChaChaPoly's
    is little-endian). A frame of 1 MiB a nanosecond would take centuries to 2^64.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._counter = 0

    def encrypt(self, plaintext: bytes, associated: bytes = b"") -> bytes:
        """The ciphertext and its tag of 16 bytes."""
        ciphertext = self._aead.encrypt(self._nonce(), plaintext, associated)
        self._counter += 1
        return ciphertext

    def decrypt(self, ciphertext: bytes, associated: bytes = b"") -> bytes:
        """The plaintext; RemoteProtocolError, and the counter stays, when it is not genuine."""
        if len(ciphertext) < TAG_BYTES:
            raise RemoteProtocolError("a ciphertext is shorter than its tag")
        try:
            plaintext = self._aead.decrypt(self._nonce(), ciphertext, associated)
        except InvalidTag as error:
            raise RemoteProtocolError("a ciphertext is not genuine") from error
        self._counter += 1
        return plaintext

    def _nonce(self) -> bytes:
        return bytes(4) + self._counter.to_bytes(8, "big")


@dataclass(frozen=True)
class Transport:
    """What a finished handshake leaves: one cipher each way and the handshake hash."""

    sending: Cipher
    receiving: Cipher
    hash: bytes


class Symmetric:
    """The specification's SymmetricState (section 5.2)."""

    def __init__(self, prologue: bytes) -> None:
        self.hash = PROTOCOL_NAME.ljust(HASH_BYTES, b"\0")
        self._chaining_key = self.hash
        self._cipher: Cipher | None = None
        self.mix_hash(prologue)

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self._chaining_key, key = _hkdf(self._chaining_key, secret)
        self._cipher = Cipher(key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """Before the first key the plaintext goes as it is."""
        ciphertext = plaintext if self._cipher is None else self._cipher.encrypt(plaintext, self.hash)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        plaintext = ciphertext if self._cipher is None else self._cipher.decrypt(ciphertext, self.hash)
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[Cipher, Cipher]:
        """The initiator's sending cipher, then the responder's."""
        first, second = _hkdf(self._chaining_key, b"")
        return Cipher(first), Cipher(second)


class Handshake:
    """One side of XX. The six methods are called in the order of the pattern.

    The caller keeps that order (``connection`` has a table for it). After an error the
    value must not be used again. ``remote_static`` is known after the message that
    carries it.
    """

    def __init__(
        self,
        *,
        initiator: bool,
        static: KeyPair,
        ephemeral: KeyPair,
        prologue: bytes,
        mix_empty_payload: bool = False,
    ) -> None:
        self._initiator = initiator
        self._mix_empty_payload = mix_empty_payload
        self._static = static
        self._ephemeral = ephemeral
        self._symmetric = Symmetric(prologue)
        self._remote_ephemeral = b""
        self.remote_static = b""

    def write_first(self, payload: bytes | None = None) -> Message:
        """-> e, [payload]"""
        self._symmetric.mix_hash(self._ephemeral.public)
        if payload is None:
            self._mix_absent_payload()
            return Message(ephemeral=self._ephemeral.public)
        return Message(ephemeral=self._ephemeral.public, payload=self._symmetric.encrypt_and_hash(payload))

    def read_first(self, message: Message) -> bytes | None:
        """The other end of ``write_first``: its payload, unprotected."""
        self._take_ephemeral(message)
        if message.static is not None:
            # IK sends one here; this side has nothing to read it with.
            raise RemoteProtocolError("the first message names a static key: not the XX pattern")
        if message.payload is None:
            self._mix_absent_payload()
            return None
        return self._symmetric.decrypt_and_hash(message.payload)

    def write_second(self, payload: bytes) -> Message:
        """<- e, ee, s, es, payload"""
        symmetric = self._symmetric
        symmetric.mix_hash(self._ephemeral.public)
        symmetric.mix_key(_agree(self._ephemeral, self._remote_ephemeral))
        static = symmetric.encrypt_and_hash(self._static.public)
        symmetric.mix_key(_agree(self._static, self._remote_ephemeral))
        return Message(self._ephemeral.public, static, symmetric.encrypt_and_hash(payload))

    def read_second(self, message: Message) -> bytes:
        """The other end of ``write_second``: the responder's payload."""
        self._take_ephemeral(message)
        self._symmetric.mix_key(_agree(self._ephemeral, self._remote_ephemeral))
        self._take_static(message)
        self._symmetric.mix_key(_agree(self._ephemeral, self.remote_static))
        return self._take_payload(message)

    def write_third(self, payload: bytes) -> tuple[Message, Transport]:
        """-> s, se, payload"""
        static = self._symmetric.encrypt_and_hash(self._static.public)
        self._symmetric.mix_key(_agree(self._static, self._remote_ephemeral))
        message = Message(static=static, payload=self._symmetric.encrypt_and_hash(payload))
        return message, self._finish()

    def read_third(self, message: Message) -> tuple[bytes, Transport]:
        """The other end of ``write_third``: the initiator's payload."""
        self._take_static(message)
        self._symmetric.mix_key(_agree(self._ephemeral, self.remote_static))
        return self._take_payload(message), self._finish()

    def _mix_absent_payload(self) -> None:
        if self._mix_empty_payload:
            self._symmetric.mix_hash(b"")

    def _take_ephemeral(self, message: Message) -> None:
        if message.ephemeral is None or len(message.ephemeral) != KEY_BYTES:
            raise RemoteProtocolError("the ephemeral key is missing or not 32 bytes")
        self._remote_ephemeral = message.ephemeral
        self._symmetric.mix_hash(message.ephemeral)

    def _take_static(self, message: Message) -> None:
        if message.static is None:
            raise RemoteProtocolError("the static key is missing")
        self.remote_static = self._symmetric.decrypt_and_hash(message.static)
        if len(self.remote_static) != KEY_BYTES:
            raise RemoteProtocolError("the static key is not 32 bytes")

    def _take_payload(self, message: Message) -> bytes:
        if message.payload is None:
            raise RemoteProtocolError("the payload is missing")
        return self._symmetric.decrypt_and_hash(message.payload)

    def _finish(self) -> Transport:
        first, second = self._symmetric.split()
        sending, receiving = (first, second) if self._initiator else (second, first)
        return Transport(sending, receiving, self._symmetric.hash)


def _agree(own: KeyPair, remote: bytes) -> bytes:
    try:
        return curve.agree(own.private, remote)
    except ValueError as error:
        if len(remote) != KEY_BYTES:
            raise LocalProtocolError("handshake messages out of order") from error
        raise RemoteProtocolError("the peer's key is a point of low order") from error


def _hkdf(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """Noise's HKDF with two outputs (section 4.3): HMAC chain, no info."""
    extracted = hmac.digest(chaining_key, material, "sha256")
    first = hmac.digest(extracted, b"\x01", "sha256")
    return first, hmac.digest(extracted, first + b"\x02", "sha256")
