"""Curve25519: key pairs, agreement, and XEdDSA signatures.

XEdDSA signs with a key pair made for Diffie-Hellman
(https://signal.org/docs/specifications/xeddsa/). As in Signal's own library
the sign of the Edwards point travels in bit 7 of the signature's last byte,
where the paper would force it to zero (docs/differences.md).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from nacl import bindings
from nacl.exceptions import CryptoError

KEY_BYTES = 32
SIGNATURE_BYTES = 64
SIGNING_RANDOM_BYTES = 64

_PRIME = 2**255 - 19
# XEdDSA's hash1 is domain-separated by 2^256 - 2 in little endian (section 2.5).
_HASH1_PREFIX = b"\xfe" + b"\xff" * 31


@dataclass(frozen=True)
class KeyPair:
    """A clamped private scalar and its public point, 32 bytes each. Never logged."""

    private: bytes = field(repr=False)
    public: bytes

    def __post_init__(self) -> None:
        if len(self.private) != KEY_BYTES or len(self.public) != KEY_BYTES:
            raise ValueError("a Curve25519 key has 32 bytes")


def key_pair(seed: bytes) -> KeyPair:
    """Make a pair from 32 random bytes.

    The seed is clamped first (RFC 7748 section 5): agreement clamps by itself,
    signing does not, so an unclamped key would sign for another point.
    """
    if len(seed) != KEY_BYTES:
        raise ValueError("a Curve25519 key is made of 32 random bytes")
    private = _clamp(seed)
    return KeyPair(private, bindings.crypto_scalarmult_base(private))


def agree(private: bytes, public: bytes) -> bytes:
    """X25519 (RFC 7748 section 6.1): the 32-byte shared secret.

    Raises ValueError for a point of low order, whose secret everybody knows.
    """
    if len(public) != KEY_BYTES:
        raise ValueError("a Curve25519 key has 32 bytes")
    try:
        secret = bindings.crypto_scalarmult(private, public)
    except (RuntimeError, CryptoError) as error:
        raise ValueError("the public key is a point of low order") from error
    if hmac.compare_digest(secret, bytes(KEY_BYTES)):
        raise ValueError("the public key is a point of low order")
    return secret


def sign(private: bytes, message: bytes, randomness: bytes) -> bytes:
    """XEdDSA (section 3): a 64-byte signature; ``randomness`` is 64 fresh bytes.

    The private key is clamped as ``agree`` clamps it, so both use the same scalar.
    """
    private = _clamp(private)
    if len(randomness) != SIGNING_RANDOM_BYTES:
        raise ValueError("signing takes 64 random bytes")
    scalar = _reduce(private + bytes(32))
    edwards = bindings.crypto_scalarmult_ed25519_base_noclamp(private)
    nonce = _reduce(hashlib.sha512(_HASH1_PREFIX + private + message + randomness).digest())
    commitment = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce)
    challenge = _reduce(hashlib.sha512(commitment + edwards + message).digest())
    response = bindings.crypto_core_ed25519_scalar_add(
        nonce, bindings.crypto_core_ed25519_scalar_mul(challenge, scalar)
    )
    return commitment + response[:31] + bytes([response[31] | (edwards[31] & 0x80)])


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True when ``signature`` (64 bytes) is the XEdDSA signature of the key's owner."""
    if len(signature) != SIGNATURE_BYTES or len(public) != KEY_BYTES or signature[63] & 0x60:
        return False
    u = int.from_bytes(public, "little") & (2**255 - 1)
    # The birational map y = (u - 1) / (u + 1) (section 2.3).
    y = (u - 1) * pow(u + 1, _PRIME - 2, _PRIME) % _PRIME
    edwards = (y | (signature[63] & 0x80) << 248).to_bytes(32, "little")
    plain = signature[:63] + bytes([signature[63] & 0x7F])
    try:
        bindings.crypto_sign_open(plain + message, edwards)
    except CryptoError:
        return False
    return True


def _clamp(private: bytes) -> bytes:
    return bytes([private[0] & 248]) + private[1:31] + bytes([private[31] & 127 | 64])


def _reduce(number: bytes) -> bytes:
    return bindings.crypto_core_ed25519_scalar_reduce(number)
