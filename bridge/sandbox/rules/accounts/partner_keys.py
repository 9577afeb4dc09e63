"""A partner's signing keys as last fetched, and when to fetch them again.

The set is refetched when it is old or a ``kid`` is unknown, the latter at most once a minute. A failed
fetch keeps the last good set (reliability S10).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

JWKS_PATH = "/.well-known/oauth/openid/jwks"
"""Documented: where a partner serves its keys."""
MAX_AGE_S = 600.0
UNKNOWN_KID_PAUSE_S = 60.0
MAX_JWKS_BYTES = 64 * 1024
MAX_KEYS = 10
MIN_RSA_BITS = 2048
ALGORITHM = "RS256"


@dataclass
class PartnerKeys:
    """Keys by ``kid``; times in unix seconds, None for never."""

    by_kid: dict[str, Any] = field(default_factory=dict)
    fetched_at: float | None = None
    asked_for_unknown_at: float | None = None
    failed: bool = False

    def wants_fetch(self, kid: str, now: float) -> bool:
        """Whether the set must be fetched before a token with ``kid`` can be checked."""
        if self.fetched_at is None or abs(now - self.fetched_at) > MAX_AGE_S:
            return True
        if kid in self.by_kid:
            return False
        asked = self.asked_for_unknown_at
        return asked is None or abs(now - asked) >= UNKNOWN_KID_PAUSE_S

    def note_unknown(self, kid: str, now: float) -> None:
        """Note that a fetch begins; one for an unknown ``kid`` starts the minute."""
        if self.fetched_at is not None and kid not in self.by_kid:
            self.asked_for_unknown_at = now

    def fetched(self, document: bytes | None, now: float) -> None:
        """Store a fetched set. None (no answer) or an invalid one keeps the last good set."""
        found = None if document is None else read(document)
        self.failed = found is None
        if found is not None:
            self.by_kid, self.fetched_at = found, now


def read(document: bytes) -> dict[str, Any] | None:
    """The usable keys of a key set by ``kid``; None when it is not a key set."""
    if len(document) > MAX_JWKS_BYTES:
        return None
    try:
        keys = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        return None
    found = {}
    for entry in keys:
        key = _key(entry)
        if key is not None:
            found[entry["kid"]] = key
    return found


def _key(entry: Any) -> RSAPublicKey | None:
    if not isinstance(entry, dict) or entry.get("kty") != "RSA" or not isinstance(entry.get("kid"), str):
        return None
    if entry.get("use", "sig") != "sig" or entry.get("alg", ALGORITHM) != ALGORITHM:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=ALGORITHM).key
    except (jwt.PyJWTError, ValueError):
        return None
    # A private key in a public set is a mistake of the partner; it is not used.
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_RSA_BITS:
        return None
    return key
