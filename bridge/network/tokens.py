"""The identity token: what proves to the network that we vouch for an account.

RS256 with ``kid`` (interop.md 2.4, 12.2). Which claims it has is data of the profile; that it is bound
to the account's keys and lives ten minutes at most is our rule (S11).
"""

from __future__ import annotations

import hashlib

import jwt

from bridge.errors import LocalProtocolError
from bridge.network.connector import Subject
from bridge.network.signing_keys import ALGORITHM, SigningKeys
from bridge.ports import Clock, Random
from bridge.profile import Profile
from bridge.wire.login import MAX_TOKEN_BYTES

JTI_BYTES = 16


class IdentityTokens:
    """Makes tokens under one profile with the current signing key. Each is for one use."""

    def __init__(self, profile: Profile, keys: SigningKeys, clock: Clock, random: Random) -> None:
        self._profile = profile
        self._keys = keys
        self._clock = clock
        self._random = random

    def make(self, subject: Subject) -> str:
        """A fresh token of at most 4096 characters."""
        rules = self._profile.token
        now = int(self._clock.now())
        claims = {
            "iss": self._profile.own.iss,
            "aud": rules.aud,
            "sub": subject.identifier,
            rules.claims.name: subject.name,
            "iat": now,
            "exp": now + rules.ttl_s,
            "jti": self._random.bytes(JTI_BYTES).hex(),
            rules.claims.confirmation: {
                rules.claims.auth_key: hashlib.sha256(subject.static).hexdigest(),
                rules.claims.identity: hashlib.sha256(subject.identity).hexdigest(),
            },
        }
        key = self._keys.current
        token = jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})
        if len(token) > MAX_TOKEN_BYTES:
            raise LocalProtocolError("an identifier and a name do not fit into a token")
        return token
