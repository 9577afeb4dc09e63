"""The enlistment call, as it travels and as its answer is understood."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from aiohttp import web

from bridge.errors import TryAgain
from bridge.ids import Jid
from bridge.network.connector import Enlisted, Enlistment, EnlistRefused
from bridge.network.interop.enlistment import MAX_ANSWER_BYTES, form, read_answer
from bridge.ports import WebAnswer
from bridge.profile import Refusal
from tests.network.support import OWN, SIGNED, interop, profile, web_client
from tests.network.web_server import web_server
from tests.wire.support import key

STATIC = key("static")
ENLISTMENT = Enlistment("@alice:matrix.example", "Alice", STATIC, OWN, SIGNED)
SIZES = {
    "authkey": 32,
    "e_keytype": 1,
    "e_regid": 4,
    "e_ident": 32,
    "e_skey_id": 3,
    "e_skey_val": 32,
    "e_skey_sig": 64,
}


def _decoded(body: bytes) -> Mapping[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}


def _bytes(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_form_has_the_published_arguments_and_sizes() -> None:
    fields = _decoded(form(ENLISTMENT, "a.b.c", (1, 0, 3)))
    assert set(fields) == {*SIZES, "token", "version"}
    assert {name: len(_bytes(fields[name])) for name in SIZES} == SIZES
    assert _bytes(fields["authkey"]) == STATIC.public
    assert _bytes(fields["e_keytype"]) == b"\x05"
    assert int.from_bytes(_bytes(fields["e_regid"]), "big") == OWN.registration_id
    assert _bytes(fields["e_ident"]) == OWN.identity.public
    assert int.from_bytes(_bytes(fields["e_skey_id"]), "big") == SIGNED.id
    assert _bytes(fields["e_skey_val"]) == SIGNED.pair.public
    assert _bytes(fields["e_skey_sig"]) == SIGNED.signature
    assert fields["token"] == "a.b.c"
    assert fields["version"] == "1.0.3"


def test_enlistment_hides_secrets_in_repr() -> None:
    assert repr(ENLISTMENT) == "Enlistment()"


def _answer(fields: object, status: int = 200, headers: Mapping[str, str] | None = None) -> WebAnswer:
    return WebAnswer(status, headers or {}, json.dumps(fields).encode())


def test_success_names_our_internal_identifier() -> None:
    answer = _answer({"status": "ok", "login": "7-10853634039893@interop"})
    assert read_answer(answer, profile()) == Enlisted(Jid("10853634039893", "interop", 7))


@pytest.mark.parametrize(
    ("fields", "state", "sentence", "after"),
    [
        ({"reason": "bad_integrator"}, Refusal.SUSPENDED, "network.bad_integrator", None),
        ({"reason": "too_many", "retry_after": 90}, Refusal.RETRY, "network.too_many", 90.0),
        ({"reason": "too_many", "retry_after": "90"}, Refusal.RETRY, "network.too_many", 90.0),
        ({"reason": "too_many", "retry_after": 3600}, Refusal.RETRY, "network.too_many", 3600.0),
        ({"reason": "too_many", "retry_after": 3601}, Refusal.RETRY, "network.too_many", 3600.0),
        ({"reason": "too_many", "retry_after": "1e18"}, Refusal.RETRY, "network.too_many", 3600.0),
        ({"reason": "too_many", "retry_after": -1}, Refusal.RETRY, "network.too_many", None),
        ({"reason": "too_many", "retry_after": True}, Refusal.RETRY, "network.too_many", None),
        ({"reason": "too_many", "retry_after": "soon"}, Refusal.RETRY, "network.too_many", None),
        ({"reason": "too_many", "retry_after": 1e999}, Refusal.RETRY, "network.too_many", None),
        ({"reason": "never_heard_of"}, Refusal.SUSPENDED, "enlist.unknown_reason", None),
    ],
)
def test_refusal_carries_the_profile_reason(
    fields: dict[str, Any], state: Refusal, sentence: str, after: float | None
) -> None:
    found = read_answer(_answer({"status": "fail", **fields}), profile())
    assert isinstance(found, EnlistRefused)
    assert found.code == fields["reason"]
    assert (found.reason.state, found.reason.sentence, found.retry_after) == (state, sentence, after)


def test_long_reason_is_cut_for_the_log() -> None:
    found = read_answer(_answer({"status": "fail", "reason": "x" * 10_000}), profile())
    assert isinstance(found, EnlistRefused)
    assert len(found.code) == 64


@pytest.mark.parametrize(
    "fields",
    [
        {},
        [],
        "ok",
        {"status": "ok"},
        {"status": "ok", "login": "nobody"},
        {"status": "ok", "login": "7-alice@interop"},
        {"status": "ok", "login": "8-123@interop"},
        {"status": "ok", "login": "123@s.whatsapp.net"},
        {"status": "ok", "login": f"7-{2**64}@interop"},
        {"status": "fail"},
        {"status": "fail", "reason": 5},
        {"status": "perhaps", "reason": "too_many"},
    ],
)
def test_meaningless_answer_raises_try_again(fields: object) -> None:
    with pytest.raises(TryAgain):
        read_answer(_answer(fields), profile())


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_non_json_answer_raises_try_again(body: bytes) -> None:
    with pytest.raises(TryAgain):
        read_answer(WebAnswer(200, {}, body), profile())


def test_other_status_raises_try_again_with_retry_after() -> None:
    with pytest.raises(TryAgain, match="HTTP 503") as caught:
        read_answer(_answer({"status": "ok"}, 503, {"retry-after": "30"}), profile())
    assert caught.value.after == 30


async def test_repeated_call_has_a_fresh_token_for_the_same_keys() -> None:
    seen: list[Mapping[str, str]] = []

    async def register(request: web.Request) -> web.Response:
        assert request.content_type == "application/x-www-form-urlencoded"
        seen.append(_decoded(await request.read()))
        if len(seen) == 1:
            return web.Response(status=502)
        return web.json_response({"status": "ok", "login": "7-5@interop"})

    async with web_server([web.post("/enrol", register)]) as base, web_client() as client:
        connector = interop(profile(enlist_url=base + "/enrol"), web=client)
        with pytest.raises(TryAgain):
            await connector.enlist(ENLISTMENT)
        assert await connector.enlist(ENLISTMENT) == Enlisted(Jid("5", "interop", 7))
    tokens = [fields["token"] for fields in seen]
    assert [{**fields, "token": ""} for fields in seen] == [{**seen[0], "token": ""}] * 2
    assert tokens[0] != tokens[1]
    assert jwt.decode(tokens[0], options={"verify_signature": False})["sub"] == "@alice:matrix.example"


async def test_endless_answer_is_cut() -> None:
    async def endless(request: web.Request) -> web.Response:
        return web.Response(body=b" " * (MAX_ANSWER_BYTES + 1))

    async with web_server([web.post("/enrol", endless)]) as base, web_client() as client:
        with pytest.raises(TryAgain, match="beyond"):
            await interop(profile(enlist_url=base + "/enrol"), web=client).enlist(ENLISTMENT)
