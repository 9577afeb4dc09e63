"""The keys that sign identity tokens: a file of its own, two keys while one takes over from the other.

The first key of the file signs; all keys are published. A rotation has three steps, each followed by
at least the time in which the network fetches our keys anew: ``with_next`` (the new key is published),
``switched`` (it signs; the old one is still published), ``without_other`` (the old one is gone).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bridge.errors import LocalProtocolError, Misconfigured
from bridge.ports import KeyFile

ALGORITHM = "RS256"
RSA_BITS = 2048
"""What a new key has; enough until 2030 (NIST SP 800-57), and quick at a thousand logins."""
MIN_RSA_BITS = 2048
PUBLIC_EXPONENT = 65_537
MAX_FILE_BYTES = 64 * 1024
"""Two keys of 16384 bits are under 30 kB."""
EXPOSED = (
    "If others may have read it, they can sign in as any of your users: move it away, and the next start"
    " makes a new one."
)
"""What to do when the key's file was open to others."""

_END = b"-----END PRIVATE KEY-----\n"


@dataclass(frozen=True)
class SigningKey:
    """An RSA key; ``kid`` is the thumbprint of its public half (RFC 7638), so it never changes."""

    private: rsa.RSAPrivateKey = field(repr=False)

    @property
    def kid(self) -> str:
        """43 characters."""
        members = {"e": self._number("e"), "kty": "RSA", "n": self._number("n")}
        canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
        return _base64url(hashlib.sha256(canonical).digest())

    def jwk(self) -> Mapping[str, str]:
        """The public half as the network fetches it (interop.md 2.4)."""
        return {
            "kid": self.kid,
            "kty": "RSA",
            "alg": ALGORITHM,
            "use": "sig",
            "n": self._number("n"),
            "e": self._number("e"),
        }

    def _number(self, name: str) -> str:
        numbers = self.private.public_key().public_numbers()
        number = numbers.n if name == "n" else numbers.e
        return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class SigningKeys:
    """``current`` signs; ``other``, where there is one, is published beside it."""

    current: SigningKey
    other: SigningKey | None = None

    def jwks(self) -> Mapping[str, Any]:
        """The document the network fetches."""
        return {"keys": [key.jwk() for key in self._all()]}

    def with_next(self, key: SigningKey) -> SigningKeys:
        """``key`` is published from now on; LocalProtocolError while another one is."""
        if self.other is not None:
            raise LocalProtocolError("a rotation of the signing key is not finished")
        return SigningKeys(self.current, key)

    def switched(self) -> SigningKeys:
        """The other key signs from now on."""
        if self.other is None:
            raise LocalProtocolError("there is no other signing key")
        return SigningKeys(self.other, self.current)

    def without_other(self) -> SigningKeys:
        """Only the current key is left."""
        return SigningKeys(self.current)

    def to_pem(self) -> bytes:
        """What the file holds."""
        return b"".join(_to_pem(key) for key in self._all())

    def _all(self) -> list[SigningKey]:
        return [self.current] if self.other is None else [self.current, self.other]


def new_signing_key() -> SigningKey:
    """A new key. The library draws from the operating system's randomness, as our port does."""
    return SigningKey(rsa.generate_private_key(PUBLIC_EXPONENT, RSA_BITS))


def load_signing_keys(file: KeyFile) -> SigningKeys:
    """The keys in ``file``, which is made with one key when there is none.

    Raises ``Misconfigured`` when others may read the file, or it holds anything but one or two RSA keys
    of 2048 bits or more.
    """
    keys = read_signing_keys(file)
    if keys is None:
        file.make(SigningKeys(new_signing_key()).to_pem())
        keys = read_signing_keys(file)
    return keys if keys is not None else _parse(file.name, b"")


def read_signing_keys(file: KeyFile) -> SigningKeys | None:
    """The keys in ``file``; None when there is no file. ``Misconfigured`` as for ``load_signing_keys``."""
    data = file.read(MAX_FILE_BYTES)
    return None if data is None else _parse(file.name, data)


def save_signing_keys(file: KeyFile, keys: SigningKeys) -> None:
    """Put ``keys`` in the place of what the file holds; a kill leaves the old ones or the new ones."""
    file.replace(keys.to_pem())


def _parse(name: str, data: bytes) -> SigningKeys:
    blocks = [block + _END for block in data.split(_END) if block.strip()]
    remedy = "Restore it from your backup, or move it away: the next start makes a new one, and nobody can"
    remedy += " connect until the network has fetched that."
    if len(data) > MAX_FILE_BYTES or not 1 <= len(blocks) <= 2:
        raise Misconfigured(name, "does not hold one or two private keys.", remedy)
    keys = []
    for block in blocks:
        try:
            key = serialization.load_pem_private_key(block, password=None)
        except (ValueError, TypeError) as error:
            raise Misconfigured(name, "holds a key that cannot be read.", remedy) from error
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_RSA_BITS:
            raise Misconfigured(name, f"holds a key that is not RSA of {MIN_RSA_BITS} bits.", remedy)
        keys.append(SigningKey(key))
    return SigningKeys(*keys)


def _to_pem(key: SigningKey) -> bytes:
    return key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
