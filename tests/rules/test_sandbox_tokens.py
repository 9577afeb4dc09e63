"""Identity tokens at their time limits, and invalid key sets."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from bridge.sandbox.rules.accounts.partner_keys import MAX_JWKS_BYTES, MAX_KEYS, PartnerKeys, read
from bridge.sandbox.rules.accounts.tokens import LEEWAY_S, MAX_LIFE_S, Owner, Proof, TokenFault, check
from bridge.sandbox.rules.outputs import FetchKeys
from tests.rules.sandbox_support import KID, NOW, Memory, User, key_set, rsa_key


def judged(user: User, *, at: float = NOW, **changes: Any) -> Owner | TokenFault | FetchKeys:
    state = user.world.state
    state.tokens.keys[7] = PartnerKeys()
    state.tokens.keys[7].fetched(key_set(), at)
    proof = Proof(user.token(NOW, **changes), user.static.public, user.own.identity.public)
    return check(state.tokens, state.registry, state.profile.token, proof, at, may_fetch=True)


@pytest.fixture
def user() -> User:
    return Memory().user("@alice:hs.example")


def test_valid_token_proves_its_owner(user: User) -> None:
    assert judged(user) == Owner(7, "@alice:hs.example", "Alice", "1")


def test_token_expires_one_minute_after_exp(user: User) -> None:
    end = NOW + user.world.state.profile.token.ttl_s
    assert isinstance(judged(user, at=end + LEEWAY_S), Owner)
    assert judged(user, at=end + LEEWAY_S + 1) is TokenFault.EXPIRED


def test_token_is_valid_from_one_minute_before_iat(user: User) -> None:
    assert isinstance(judged(user, at=NOW - LEEWAY_S), Owner)
    assert judged(user, at=NOW - LEEWAY_S - 1) is TokenFault.BAD


def test_token_lifetime_is_ten_minutes_at_most(user: User) -> None:
    assert isinstance(judged(user, exp=int(NOW) + MAX_LIFE_S), Owner)
    assert judged(user, exp=int(NOW) + MAX_LIFE_S + 1) is TokenFault.BAD


@pytest.mark.parametrize("value", [True, "1790000000", 1.79e9, None, [], {}])
@pytest.mark.parametrize("claim", ["iat", "exp"])
def test_time_claims_must_be_integers(user: User, claim: str, value: Any) -> None:
    assert judged(user, **{claim: value}) is TokenFault.BAD


@pytest.mark.parametrize("value", ["", "x" * 255, "a\nb", 7, None, "\ud800"])
def test_identifier_must_be_short_and_printable(user: User, value: Any) -> None:
    assert judged(user, sub=value) is TokenFault.BAD
    assert isinstance(judged(user, sub="x" * 254), Owner)


def test_malformed_confirmation_is_rejected(user: User) -> None:
    rules = user.world.state.profile.token.claims
    values: list[Any] = [None, "x", [], {}, {rules.auth_key: 1, rules.identity: 2}]
    for value in (*values, {rules.auth_key: "\ud800", rules.identity: "\ud800"}):
        assert judged(user, **{rules.confirmation: value}) is TokenFault.BAD


def test_key_set_is_refetched_after_ten_minutes() -> None:
    keys = PartnerKeys()
    assert keys.wants_fetch(KID, NOW)
    keys.fetched(key_set(), NOW)
    assert not keys.wants_fetch(KID, NOW + 600)
    assert keys.wants_fetch(KID, NOW + 601)


def test_unknown_kid_is_fetched_at_most_once_a_minute() -> None:
    keys = PartnerKeys()
    keys.fetched(key_set(), NOW)
    assert keys.wants_fetch("other", NOW)
    keys.note_unknown("other", NOW)
    assert not keys.wants_fetch("another", NOW + 59)
    assert keys.wants_fetch("another", NOW + 60)


def test_failed_fetch_keeps_the_last_good_set() -> None:
    keys = PartnerKeys()
    keys.fetched(key_set(), NOW)
    for answer in (None, b"", b"[]", b"{}", b'{"keys": 7}', b"\xff", b" " * (MAX_JWKS_BYTES + 1)):
        keys.fetched(answer, NOW + 1)
        assert keys.failed and KID in keys.by_kid


def test_unusable_keys_are_skipped() -> None:
    public = json.loads(key_set())["keys"][0]
    private = jwt.algorithms.RSAAlgorithm.to_jwk(rsa_key(), as_dict=True) | {"kid": KID}
    short = json.loads(key_set(("short", rsa_key(1024))))["keys"][0]
    bad = [
        private,
        short,
        {**public, "kty": "EC"},
        {**public, "use": "enc"},
        {**public, "alg": "HS256"},
        {**public, "kid": 7},
        {**public, "n": "!"},
        {},
        7,
    ]
    for entry in bad:
        assert read(json.dumps({"keys": [entry]}).encode()) == {}
    assert list(read(json.dumps({"keys": [*bad, public]}).encode()) or {}) == [KID]


def test_key_set_size_is_limited() -> None:
    entry = json.loads(key_set())["keys"][0]
    many = [{**entry, "kid": str(number)} for number in range(MAX_KEYS + 1)]
    assert len(read(json.dumps({"keys": many[:-1]}).encode()) or {}) == MAX_KEYS
    assert read(json.dumps({"keys": many}).encode()) is None
