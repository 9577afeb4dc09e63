"""The network's signing keys: fetched seldom, bounded, and kept when a fetch goes wrong (S10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from bridge.network.push_keys import MAX_KEYS, PushKeys, read_set
from bridge.network.signing_keys import SigningKey
from tests.network.clock import ManualClock
from tests.network.push_signer import PUSH, KeyServer
from tests.network.support import NOW, another_signing_key, signing_keys

pytestmark = pytest.mark.threat("S10")
FIRST, SECOND = signing_keys().current, another_signing_key()
MINUTE, DAY = 60.0, 86_400.0


def _keys(server: KeyServer, clock: ManualClock) -> PushKeys:
    return PushKeys(PUSH.jwks, server, clock)


def _set(*entries: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": entries}).encode()


async def test_known_kid_is_cached() -> None:
    server, clock = KeyServer(FIRST, SECOND), ManualClock(NOW)
    keys = _keys(server, clock)
    for _ in range(3):
        assert await keys.key(FIRST.kid) == FIRST.private.public_key()
        assert await keys.key(SECOND.kid) == SECOND.private.public_key()
    assert server.asked == 1


async def test_unknown_kid_triggers_a_fetch_within_a_minute() -> None:
    server, clock = KeyServer(FIRST), ManualClock(NOW)
    keys = _keys(server, clock)
    assert await keys.key(FIRST.kid)
    server.document = KeyServer(SECOND).document
    assert await keys.key(SECOND.kid) is None
    await clock.advance(MINUTE)
    assert await keys.key(SECOND.kid)
    assert await keys.key(FIRST.kid) is None


async def test_invented_kids_trigger_one_fetch_a_minute() -> None:
    server, clock = KeyServer(FIRST), ManualClock(NOW)
    keys = _keys(server, clock)
    for minute in range(1, 4):
        for number in range(1000):
            assert await keys.key(f"invented {minute} {number}") is None
        assert server.asked == minute
        await clock.advance(MINUTE)
    assert await keys.key(FIRST.kid)


@pytest.mark.parametrize("trouble", ["away", "error", "nonsense", "too large", "too many", "weak"])
async def test_failed_fetch_keeps_the_last_good_set(trouble: str) -> None:
    server, clock = KeyServer(FIRST), ManualClock(NOW)
    keys = _keys(server, clock)
    assert await keys.key(FIRST.kid)
    await clock.advance(MINUTE)
    match trouble:
        case "away":
            server.away = True
        case "error":
            server.status = 500
        case "nonsense":
            server.document = b"<html>"
        case "too large":
            server.document += b" " * 65_536
        case "too many":
            server.document = _set(*({**FIRST.jwk(), "kid": str(n)} for n in range(MAX_KEYS + 1)))
        case "weak":
            server.document = _set(_small().jwk())
    assert await keys.key("unknown") is None
    assert server.asked == 2
    assert await keys.key(FIRST.kid)


async def test_stale_set_is_refetched_and_drops_withdrawn_keys() -> None:
    server, clock = KeyServer(FIRST, SECOND), ManualClock(NOW)
    keys = _keys(server, clock)
    assert await keys.key(FIRST.kid)
    server.document = KeyServer(SECOND).document
    await clock.advance(DAY)
    assert await keys.key(FIRST.kid)
    await clock.advance(1)
    assert await keys.key(FIRST.kid) is None
    assert server.asked == 2


@pytest.mark.fault("F45")
async def test_wall_clock_jump_has_no_effect() -> None:
    server, clock = KeyServer(FIRST), ManualClock(NOW)
    keys = _keys(server, clock)
    assert await keys.key(FIRST.kid)
    clock.jump(10 * 365 * DAY)
    assert await keys.key(FIRST.kid)
    clock.jump(-20 * 365 * DAY)
    assert await keys.key(FIRST.kid)
    assert server.asked == 1


def _small() -> SigningKey:
    return SigningKey(rsa.generate_private_key(65_537, 1024))


GOOD = FIRST.jwk()
UNUSABLE: dict[str, Mapping[str, Any]] = {
    "no name": {name: value for name, value in GOOD.items() if name != "kid"},
    "an empty name": {**GOOD, "kid": ""},
    "a name that is a number": {**GOOD, "kid": 5},
    "another type": {**GOOD, "kty": "EC"},
    "another use": {**GOOD, "use": "enc"},
    "another algorithm": {**GOOD, "alg": "RS512"},
    "a secret": {"kid": "k", "kty": "oct", "k": "AAAA"},
    "no modulus": {**GOOD, "n": None},
    "a modulus that is no base64": {**GOOD, "n": "%%%%"},
    "a modulus in another alphabet": {**GOOD, "n": "é" * 400},
    "a modulus of 2047 bits": {**GOOD, "n": "P" + "_" * 341},
    "a modulus of 8200 bits": {**GOOD, "n": "_" * 1367},
    "an even modulus": {**GOOD, "n": "_" * 341 + "g"},
    "an exponent of one": {**GOOD, "e": "AQ"},
    "an exponent that is even": {**GOOD, "e": "BA"},
    "an exponent without end": {**GOOD, "e": "_" * 100},
}


@pytest.mark.parametrize("entry", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_unusable_key_is_skipped(entry: Mapping[str, Any]) -> None:
    assert set(read_set(_set(entry, SECOND.jwk()))) == {SECOND.kid}


def test_key_of_1024_bits_is_skipped() -> None:
    assert read_set(_set(_small().jwk())) == {}


def test_key_without_use_and_alg_is_accepted() -> None:
    bare = {name: value for name, value in GOOD.items() if name not in ("use", "alg")}
    assert set(read_set(_set(bare))) == {FIRST.kid}


def test_ten_keys_are_read_and_eleven_are_refused() -> None:
    entries = [{**GOOD, "kid": str(number)} for number in range(MAX_KEYS + 1)]
    assert len(read_set(_set(*entries[:-1]))) == MAX_KEYS
    assert read_set(_set(*entries)) == {}


def test_duplicate_kid_is_refused() -> None:
    assert read_set(_set(GOOD, {**SECOND.jwk(), "kid": FIRST.kid})) == {}


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [5, null]}', b"\xff", b"[" * 60_000]
)
def test_invalid_document_gives_no_keys(document: bytes) -> None:
    assert read_set(document) == {}
