"""Checking the partner's identity tokens: RS256, audience, times, bound keys, used once.

The signature is verified with the partner's published keys; the claim names are the profile's.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeGuard

import jwt

from bridge.profile import Token
from bridge.sandbox.rules.accounts.partner_keys import ALGORITHM, JWKS_PATH, PartnerKeys
from bridge.sandbox.rules.accounts.registry import Integrator, Registry, is_identifier
from bridge.sandbox.rules.outputs import FetchKeys

LEEWAY_S = 60
"""Allowed clock difference (dossier 12.2)."""
MAX_LIFE_S = 600
MAX_NAME_CHARACTERS = 128
SEEN_FOR_S = MAX_LIFE_S + 2 * LEEWAY_S


class TokenFault(Enum):
    """Why a token is rejected."""

    BAD = "bad"
    EXPIRED = "expired"
    UNKNOWN_ISSUER = "unknown issuer"
    NO_KEYS = "the partner's keys are unavailable"


@dataclass(frozen=True)
class Owner:
    """What a token proved: the partner, the user's identifier and shown name."""

    integrator: int
    identifier: str
    name: str
    jti: str


@dataclass(frozen=True)
class Proof:
    """A token and the public keys (32 bytes) it must be bound to."""

    token: str = field(repr=False)
    auth_key: bytes
    identity: bytes


@dataclass
class Tokens:
    """Partners' keys, and the tokens used already: (partner, ``jti``) -> when the entry expires."""

    keys: dict[int, PartnerKeys] = field(default_factory=dict)
    seen: dict[tuple[int, str], float] = field(default_factory=dict)
    once: bool = True

    def note_shown(self, owner: Owner, now: float) -> None:
        """Remember an accepted token, so that it is rejected the next time."""
        for key in [key for key, until in self.seen.items() if until < now]:
            del self.seen[key]
        self.seen[(owner.integrator, owner.jti)] = now + SEEN_FOR_S


def check(
    tokens: Tokens,
    registry: Registry,
    rules: Token,
    proof: Proof,
    now: float,
    *,
    may_fetch: bool,
) -> Owner | TokenFault | FetchKeys:
    """Check a token. ``FetchKeys``: fetch the partner's keys, then call again with ``may_fetch=False``."""
    try:
        header = jwt.get_unverified_header(proof.token)
        unverified = jwt.decode(proof.token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError):
        return TokenFault.BAD
    issuer = unverified.get("iss")
    partner = registry.integrator_named(issuer) if isinstance(issuer, str) else None
    if partner is None:
        return TokenFault.UNKNOWN_ISSUER
    kid = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(kid, str):
        return TokenFault.BAD
    keys = tokens.keys.setdefault(partner.number, PartnerKeys())
    if may_fetch and keys.wants_fetch(kid, now):
        keys.note_unknown(kid, now)
        return FetchKeys(partner.number, partner.base_url + JWKS_PATH)
    key = keys.by_kid.get(kid)
    if key is None:
        return TokenFault.NO_KEYS if keys.failed or keys.fetched_at is None else TokenFault.BAD
    try:
        claims = jwt.decode(proof.token, key, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
    except (jwt.PyJWTError, ValueError):
        return TokenFault.BAD
    return _judge(tokens, rules, partner, claims, proof, now)


# PyJWT would check times against the system clock; the shared clock may be moved.
_SIGNATURE_ONLY: Any = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


def _judge(
    tokens: Tokens, rules: Token, partner: Integrator, claims: dict[str, Any], proof: Proof, now: float
) -> Owner | TokenFault:
    issued, expires, jti = claims.get("iat"), claims.get("exp"), claims.get("jti")
    name, identifier = claims.get(rules.claims.name), claims.get("sub")
    if claims.get("aud") != rules.aud or not _is_time(issued) or not _is_time(expires):
        return TokenFault.BAD
    if expires - issued > MAX_LIFE_S or issued > now + LEEWAY_S:
        return TokenFault.BAD
    if not is_identifier(identifier) or not isinstance(jti, str) or not 1 <= len(jti) <= MAX_NAME_CHARACTERS:
        return TokenFault.BAD
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_CHARACTERS or not name.isprintable():
        return TokenFault.BAD
    if not _is_bound(claims.get(rules.claims.confirmation), rules, proof):
        return TokenFault.BAD
    if expires < now - LEEWAY_S:
        return TokenFault.EXPIRED
    if tokens.once and (partner.number, jti) in tokens.seen:
        return TokenFault.BAD
    return Owner(partner.number, str(identifier), name, jti)


def _is_bound(confirmation: Any, rules: Token, proof: Proof) -> bool:
    if not isinstance(confirmation, dict):
        return False
    wanted = {rules.claims.auth_key: proof.auth_key, rules.claims.identity: proof.identity}
    return all(
        isinstance(confirmation.get(name), str)
        and hmac.compare_digest(
            confirmation[name].encode("utf-8", "replace"), hashlib.sha256(key).hexdigest().encode()
        )
        for name, key in wanted.items()
    )


def _is_time(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
