"""The identity token, claim by claim (S11)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import jwt
import pytest

from bridge.errors import LocalProtocolError
from bridge.network.connector import Subject
from bridge.network.tokens import IdentityTokens
from bridge.profile import Profile
from tests.network.clock import ManualClock
from tests.network.support import NOW, Dice, another_signing_key, profile, signing_keys

SUBJECT = Subject("@alice:matrix.example", "Alice", b"s" * 32, b"i" * 32)
pytestmark = pytest.mark.threat("S11")


def _tokens(network: Profile | None = None) -> IdentityTokens:
    return IdentityTokens(network or profile(), signing_keys(), ManualClock(NOW + 0.9), Dice())


def _claims(token: str) -> dict[str, Any]:
    key = signing_keys().current.private.public_key()
    options: Any = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(token, key, algorithms=["RS256"], audience="the-gatekeeper", options=options)


def test_token_is_signed_by_the_current_key() -> None:
    header = jwt.get_unverified_header(_tokens().make(SUBJECT))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": signing_keys().current.kid}


def test_token_names_issuer_subject_and_audience() -> None:
    claims = _claims(_tokens().make(SUBJECT))
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("our-name", "the-gatekeeper", SUBJECT.identifier)


def test_token_lifetime_follows_the_profile_up_to_ten_minutes() -> None:
    claims = _claims(_tokens().make(SUBJECT))
    assert (claims["iat"], claims["exp"]) == (int(NOW), int(NOW) + 120)
    with pytest.raises(ValueError, match="less than or equal to 600"):
        profile(token={"aud": "x", "ttl_s": 601})


def test_token_is_bound_to_the_account_keys() -> None:
    claims = _claims(_tokens().make(SUBJECT))
    assert claims["shown"] == "Alice"
    assert claims["bound"] == {
        "noise": hashlib.sha256(SUBJECT.static).hexdigest(),
        "signal": hashlib.sha256(SUBJECT.identity).hexdigest(),
    }
    assert set(claims) == {"iss", "aud", "sub", "shown", "iat", "exp", "jti", "bound"}


def test_token_ids_are_unique() -> None:
    tokens = _tokens()
    assert len({_claims(tokens.make(SUBJECT))["jti"] for _ in range(5)}) == 5


def test_token_fails_under_another_key() -> None:
    other = another_signing_key().private.public_key()
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(_tokens().make(SUBJECT), other, algorithms=["RS256"], audience="the-gatekeeper")


def test_oversized_name_raises_local_protocol_error() -> None:
    assert _tokens().make(replace(SUBJECT, name="n" * 2000))
    with pytest.raises(LocalProtocolError):
        _tokens().make(replace(SUBJECT, name="n" * 4000))
