"""Whether a wake-up comes from the network: the attacks on it, one row each (S8, S9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from bridge.cli.log import harmless
from bridge.network.push_keys import PushKeys
from bridge.network.push_token import MAX_TOKEN_BYTES, NotGenuine, PushTokens, Replays
from tests.network.clock import ManualClock
from tests.network.push_signer import GENUINE, PUSH, KeyServer, forged, segment, sign, signed_with_public_key
from tests.network.support import NOW, another_signing_key, signing_keys

KID = signing_keys().current.kid
HOUR = 3600


def _tokens(server: KeyServer | None = None, clock: ManualClock | None = None) -> PushTokens:
    clock = clock or ManualClock(NOW)
    server = server or KeyServer(signing_keys().current)
    return PushTokens(PUSH, PushKeys(PUSH.jwks, server, clock), clock)


def _claims(**changes: Any) -> dict[str, Any]:
    """Genuine claims with changes; None takes one away."""
    return {name: value for name, value in {**GENUINE, **changes}.items() if value is not None}


def _public_pem() -> bytes:
    return (
        signing_keys()
        .current.private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


async def test_genuine_token_is_accepted_with_its_expiry() -> None:
    assert await _tokens().verify(sign()) == GENUINE["exp"]


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(NOW) + 2 * HOUR},
        {"iat": int(NOW) + 60, "exp": int(NOW) + 70},
        {"iat": int(NOW) - HOUR, "exp": int(NOW) - 59},
        {"nbf": int(NOW) + 60},
        {"iat": NOW + 0.5},
        {"sub": 5, "jti": 5, "anything": []},
    ],
)
async def test_clock_skew_and_extra_claims_are_tolerated(
    changes: dict[str, Any],
) -> None:
    assert await _tokens().verify(sign(_claims(**changes)))


CLAIMS: dict[str, dict[str, Any]] = {
    "no issuer": {"iss": None},
    "another issuer": {"iss": "NOT"},
    "a list of issuers": {"iss": ["NET"]},
    "no audience": {"aud": None},
    "another audience": {"aud": "https://them.example"},
    "an array as audience": {"aud": [PUSH.aud]},
    "an audience that names others too": {"aud": [PUSH.aud, "https://them.example"]},
    "an audience that begins like ours": {"aud": PUSH.aud + ".evil.example"},
    "no time of issue": {"iat": None},
    "no expiry": {"exp": None},
    "expired": {"iat": int(NOW) - HOUR, "exp": int(NOW) - 60},
    "issued in the future": {"iat": int(NOW) + 61, "exp": int(NOW) + 70},
    "not valid yet": {"nbf": int(NOW) + 61},
    "a life of two hours and a second": {"exp": int(NOW) + 2 * HOUR + 1},
    "an expiry in ten years": {"exp": int(NOW) + 10 * 365 * 24 * HOUR},
    "an expiry before its issue": {"exp": int(NOW) - 1},
    "a time as text": {"exp": str(int(NOW) + HOUR)},
    "a time that is true": {"iat": True},
    "a time that is no number": {"exp": float("nan")},
    "a time without end": {"exp": float("inf")},
    "a time of a thousand digits": {"exp": 10**1000},
    "a time before all times": {"iat": -1},
}


@pytest.mark.threat("S8")
@pytest.mark.parametrize("changes", CLAIMS.values(), ids=CLAIMS.keys())
async def test_token_with_wrong_claims_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotGenuine) as refusal:
        await _tokens().verify(sign(_claims(**changes)))
    assert harmless(refusal.value.why) == refusal.value.why, "a word that the log writes"


FORGERIES: dict[str, Callable[[], str]] = {
    "algorithm none": lambda: forged({"alg": "none", "typ": "JWT", "kid": KID}),
    "algorithm NONE": lambda: forged({"alg": "NONE", "kid": KID}),
    "algorithm rs256 in small letters": lambda: sign(header={"alg": "rs256"}),
    "no algorithm": lambda: forged({"typ": "JWT", "kid": KID}),
    "an algorithm that is a list": lambda: forged({"alg": ["RS256"], "kid": KID}),
    "HS256 with the public key as the secret": lambda: signed_with_public_key(_public_pem(), KID),
    "a strange key under a known name": lambda: sign(key=another_signing_key(), header={"kid": KID}),
    "an unknown key": lambda: sign(key=another_signing_key()),
    "no name of a key": lambda: forged({"alg": "RS256"}, signature=b"x" * 256),
    "an empty name of a key": lambda: sign(header={"kid": ""}),
    "a name of a key that is a number": lambda: forged({"alg": "RS256", "kid": 5}),
    "a name of a key as long as a page": lambda: sign(header={"kid": "k" * 257}),
    "its own key": lambda: sign(
        key=another_signing_key(), header={"kid": KID, "jwk": dict(another_signing_key().jwk())}
    ),
    "the address of its key": lambda: sign(header={"jku": "https://evil.example/jwks"}),
    "the address of its certificate": lambda: sign(header={"x5u": "https://evil.example/cert"}),
    "its own certificate": lambda: sign(header={"x5c": ["AAAA"]}),
    "a rule that we do not know": lambda: sign(header={"crit": ["exp"]}),
    "a body that is not encoded": lambda: sign(header={"b64": False, "crit": ["b64"]}),
    "changed claims": lambda: _with_claims(sign(), _claims(exp=int(NOW) + 5000)),
    "no signature": lambda: sign().rpartition(".")[0] + ".",
    "two parts": lambda: sign().rpartition(".")[0],
    "four parts": lambda: sign() + ".x",
    "nothing": lambda: "",
    "nonsense": lambda: "not a token",
    "another alphabet": lambda: sign().replace(".", "․"),
    "a header that is no object": lambda: forged([]),
    "a header of brackets": lambda: forged(b"[" * 4000),
    "a header of a number without end": lambda: forged(b'{"alg":"RS256","kid":' + b"9" * 5000 + b"}"),
}


def _with_claims(token: str, claims: object) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{segment(claims)}.{signature}"


@pytest.mark.threat("S8")
@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
async def test_malformed_token_is_refused(forgery: Callable[[], str]) -> None:
    with pytest.raises(NotGenuine) as refusal:
        await _tokens().verify(forgery())
    assert harmless(refusal.value.why) == refusal.value.why, "a word that the log writes"


@pytest.mark.threat("S8")
async def test_token_size_is_limited() -> None:
    def of(size: int) -> str:
        for filling in range(size):
            token = sign({**GENUINE, "x": "x" * ((size - 700) * 3 // 4 + filling)})
            if len(token) >= size:
                return token
        raise AssertionError

    token = of(MAX_TOKEN_BYTES)
    assert len(token) == MAX_TOKEN_BYTES
    assert await _tokens().verify(token)
    server = KeyServer(signing_keys().current)
    with pytest.raises(NotGenuine, match="token-too-long"):
        await _tokens(server).verify(of(MAX_TOKEN_BYTES + 1))
    assert server.asked == 0


@pytest.mark.threat("S9")
def test_replayed_wake_up_counts_once() -> None:
    replays = Replays()
    seen = [replays.is_new("token", b"body", NOW + HOUR, NOW) for _ in range(10_000)]
    assert seen.count(True) == 1
    assert len(replays) == 1


@pytest.mark.threat("S9")
def test_same_token_may_wake_another_person() -> None:
    replays = Replays()
    assert replays.is_new("token", b"alice", NOW + HOUR, NOW)
    assert replays.is_new("token", b"bob", NOW + HOUR, NOW)
    assert replays.is_new("toke", b"nbob", NOW + HOUR, NOW)


@pytest.mark.threat("S9")
def test_replay_is_remembered_while_its_token_is_valid() -> None:
    replays = Replays()
    assert replays.is_new("token", b"", NOW + 10, NOW)
    assert not replays.is_new("token", b"", NOW + 10, NOW + 69.9)
    assert replays.is_new("token", b"", NOW + 10, NOW + 70)


@pytest.mark.threat("S9")
def test_replay_memory_is_bounded_and_drops_expired_first() -> None:
    replays = Replays(limit=100)
    for number in range(50):
        replays.is_new(f"short {number}", b"", NOW, NOW)
    for number in range(50):
        replays.is_new(f"long {number}", b"", NOW + HOUR, NOW)
    assert replays.is_new("one more", b"", NOW + HOUR, NOW + 60)
    assert len(replays) == 51
    assert not replays.is_new("long 0", b"", NOW + HOUR, NOW + 60)
    for number in range(1000):
        replays.is_new(f"flood {number}", b"", NOW + HOUR, NOW + 60)
        assert len(replays) <= 100


@pytest.mark.threat("S10")
async def test_concurrent_tokens_trigger_one_fetch() -> None:
    server = KeyServer(signing_keys().current)
    tokens = _tokens(server)
    assert len(await asyncio.gather(*(tokens.verify(sign()) for _ in range(5)))) == 5
    assert server.asked == 1
