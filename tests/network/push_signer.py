"""The network's side of wake-ups: signs tokens, serves its keys, and cheats where a test asks for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from bridge.errors import TryAgain
from bridge.network.signing_keys import SigningKey
from bridge.ports import Step, WebAnswer
from bridge.profile import Push
from tests.network.support import NOW, signing_keys

PUSH = Push(path="/hooks/wake", iss="NET", aud="https://us.example", jwks="https://net.example/jwks")
GENUINE: Mapping[str, Any] = {"iss": PUSH.iss, "aud": PUSH.aud, "iat": int(NOW), "exp": int(NOW) + 3600}


class KeyServer:
    """The ``Web`` port: serves a key set, and counts how often it was asked."""

    def __init__(self, *keys: SigningKey) -> None:
        self.document: bytes = json.dumps({"keys": [key.jwk() for key in keys]}).encode()
        self.status = 200
        self.asked = 0
        self.away = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        step: Step,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int,
        timeout: float,
    ) -> WebAnswer:
        assert (method, url) == ("GET", PUSH.jwks)
        self.asked += 1
        if self.away or len(self.document) > max_bytes:
            raise TryAgain("no answer")
        return WebAnswer(self.status, {}, self.document)


def sign(
    claims: object = GENUINE, *, key: SigningKey | None = None, header: Mapping[str, Any] | None = None
) -> str:
    """A token signed by the network's key, whatever it says."""
    key = key or signing_keys().current
    start = f"{segment({'alg': 'RS256', 'typ': 'JWT', 'kid': key.kid, **(header or {})})}.{segment(claims)}"
    return f"{start}.{segment(key.private.sign(start.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def segment(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: object, claims: object = GENUINE, signature: bytes = b"") -> str:
    """A token with any header and any signature."""
    return f"{segment(header)}.{segment(claims)}.{segment(signature)}"


def signed_with_public_key(public_pem: bytes, kid: str) -> str:
    """HS256 with the public key as the secret: what a careless verifier takes."""
    start = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{segment(GENUINE)}"
    return f"{start}.{segment(hmac.digest(public_pem, start.encode(), hashlib.sha256))}"
