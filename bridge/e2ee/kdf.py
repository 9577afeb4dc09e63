"""The key derivation of the protocol: HKDF with SHA-256 (RFC 5869)."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NO_SALT = bytes(32)


def hkdf(secret: bytes, *, salt: bytes, info: bytes, size: int) -> bytes:
    """``size`` bytes derived from ``secret``."""
    return HKDF(algorithm=SHA256(), length=size, salt=salt, info=info).derive(secret)
