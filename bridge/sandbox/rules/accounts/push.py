"""Push wake-ups to a partner: ``POST {base}{path}`` with ``{"to": identifier}`` and a signed token.

The token has the documented claims: issuer, the partner's base URL as audience, one hour (dossier 2.8).
It names no user, so a wake-up can be replayed; the partner must tolerate that.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bridge.sandbox.rules.accounts.partner_keys import ALGORITHM
from bridge.sandbox.rules.accounts.registry import Account
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.outputs import WakeUp
from bridge.sandbox.rules.state import PushSigner, State

LIFE_S = 3600


class Forgery(Enum):
    """Forged wake-ups, which the partner must refuse (reliability S8)."""

    WRONG_AUDIENCE = "wrong_audience"
    WRONG_ISSUER = "wrong_issuer"
    EXPIRED = "expired"
    LONG_LIFE = "long_life"
    UNSIGNED = "unsigned"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_KID = "unknown_kid"
    NO_TOKEN = "no_token"  # noqa: S105 - the name of a forgery


def wake(state: State, account: Account, now: float) -> None:
    """Send a wake-up for the account, unless a fault changes that."""
    if state.faults.take(Kind.MISSING_PUSH, account.jid):
        return
    send(state, account, claims(state, account, now))
    if state.faults.take(Kind.DUPLICATE_PUSH, account.jid):
        send(state, account, claims(state, account, now))


def claims(state: State, account: Account, now: float) -> dict[str, Any]:
    """The claims of a genuine token."""
    audience = state.partner_of(account).base_url
    return {"iss": state.profile.push.iss, "aud": audience, "iat": int(now), "exp": int(now) + LIFE_S}


def send(state: State, account: Account, payload: dict[str, Any]) -> None:
    """Send a wake-up with a token over ``payload``."""
    post(state, account, sign(state.push, payload), payload["iat"])


def forge(state: State, account: Account, how: Forgery, now: float) -> None:
    """Send a forged wake-up."""
    payload = claims(state, account, now)
    kid = state.push.kid
    match how:
        case Forgery.WRONG_AUDIENCE:
            payload["aud"] = "https://somebody.example"
        case Forgery.WRONG_ISSUER:
            payload["iss"] += "-not"
        case Forgery.EXPIRED:
            payload |= {"iat": int(now) - 3 * LIFE_S, "exp": int(now) - 2 * LIFE_S}
        case Forgery.LONG_LIFE:
            payload["exp"] = int(now) + 10 * 365 * 24 * LIFE_S
        case Forgery.UNKNOWN_KID:
            kid += "-not"
        case Forgery.UNSIGNED:
            post(state, account, jwt.encode(payload, "", algorithm="none"), int(now))
            return
        case Forgery.NO_TOKEN:
            post(state, account, "", int(now))
            return
        case Forgery.BAD_SIGNATURE:
            head, body, signature = sign(state.push, payload).split(".")
            post(state, account, f"{head}.{body}.{signature[::-1]}", int(now))
            return
    post(state, account, sign(state.push, payload, kid), int(now))


def post(state: State, account: Account, token: str, now: float) -> None:
    """Queue the call for the edge."""
    url = state.partner_of(account).base_url + state.profile.push.path
    number = state.log.next()
    entry = {"order": number, "at": now, "account": str(account.jid), "status": None}
    state.log.pushes.append(entry)
    body = json.dumps({"to": account.identifier}).encode()
    state.outputs.append(WakeUp(number, url, token, body))


def sign(signer: PushSigner, payload: dict[str, Any], kid: str | None = None) -> str:
    """A token over ``payload``."""
    key = load_pem_private_key(signer.private_pem, None)
    return jwt.encode(payload, _rsa(key), algorithm=ALGORITHM, headers={"kid": kid or signer.kid})


def key_set(signer: PushSigner) -> dict[str, Any]:
    """The network's key set, which verifies wake-ups."""
    key = _rsa(load_pem_private_key(signer.private_pem, None))
    entry = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"keys": [{**entry, "kid": signer.kid, "alg": ALGORITHM, "use": "sig", "key_ops": ["verify"]}]}


def _rsa(key: object) -> RSAPrivateKey:
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("wake-ups need an RSA key")
    return key
