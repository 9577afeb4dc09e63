"""The public endpoints: our keys, and the wake-up."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from bridge.network.push_keys import PushKeys
from bridge.network.push_token import PushTokens
from bridge.web.public import JWKS_PATH, MAX_BODY_BYTES, public_routes
from bridge.web.wakes import Wakes
from tests.network.clock import ManualClock
from tests.network.push_signer import GENUINE, PUSH, KeyServer, forged, sign
from tests.network.support import NOW, signing_keys
from tests.web.support import served


class Public:
    """The public listener, and who was woken."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.woken: asyncio.Queue[str] = asyncio.Queue()
        self.keys = KeyServer(signing_keys().current)
        self.session: aiohttp.ClientSession
        self.stuck = False
        self.failing = False

    async def wake(self, identifier: str) -> None:
        if self.stuck:
            await asyncio.get_running_loop().create_future()
        self.woken.put_nowait(identifier)
        if self.failing:
            raise RuntimeError("a mistake of ours")

    async def push(
        self, body: object = None, *, token: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one wake-up."""
        data = body if isinstance(body, bytes) else json.dumps(body or {"to": "alice"}).encode()
        authorization = {"Authorization": f"Bearer {sign() if token is None else token}"}
        async with self.session.post(
            PUSH.path, data=data, headers={**authorization, **(headers or {})}
        ) as answer:
            return answer.status, await answer.read()


@asynccontextmanager
async def public() -> AsyncIterator[Public]:
    public = Public()
    wakes = Wakes(public.wake, public.clock)
    tokens = PushTokens(PUSH, PushKeys(PUSH.jwks, public.keys, public.clock), public.clock)
    routes = public_routes(
        jwks=signing_keys().jwks, push_path=PUSH.path, tokens=tokens, wakes=wakes, clock=public.clock
    )
    async with served(routes) as session:
        public.session = session
        try:
            yield public
        finally:
            await wakes.stop()


async def test_jwks_is_served_at_its_well_known_path() -> None:
    async with public() as here, here.session.get(JWKS_PATH) as answer:
        assert JWKS_PATH == "/.well-known/oauth/openid/jwks"
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert await answer.json() == signing_keys().jwks()
        assert "aiohttp" not in answer.headers["Server"]


async def test_genuine_wake_up_is_answered_empty_and_wakes_its_account() -> None:
    async with public() as here:
        assert await here.push({"to": "@alice:matrix.example"}) == (200, b"")
        assert await here.woken.get() == "@alice:matrix.example"


@pytest.mark.fault("F42")
async def test_answer_does_not_wait_for_the_wake_up() -> None:
    async with public() as here:
        here.stuck = True
        assert await here.push({"to": "alice"}) == (200, b"")
        assert await here.push({"to": "nobody"}) == (200, b"")


async def test_failing_wake_up_is_answered_the_same() -> None:
    async with public() as here:
        here.failing = True
        assert await here.push({"to": "alice"}) == (200, b"")
        assert await here.woken.get() == "alice"
        assert await here.push({"to": "bob"}) == (200, b"")


BAD_HEADERS: dict[str, dict[str, str]] = {
    "no token": {},
    "another scheme": {"Authorization": "Basic " + sign()},
    "no scheme": {"Authorization": sign()},
    "an empty token": {"Authorization": "Bearer "},
    "a token that is not ASCII": {"Authorization": "Bearer ÿþ"},
    "algorithm none": {"Authorization": "Bearer " + forged({"alg": "none", "kid": "x"})},
    "an expired token": {"Authorization": "Bearer " + sign({**GENUINE, "exp": int(NOW) - 100})},
}


@pytest.mark.threat("S8")
@pytest.mark.parametrize("headers", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
async def test_wake_up_is_refused(headers: dict[str, str]) -> None:
    async with public() as here:
        async with here.session.post(PUSH.path, data=b'{"to": "alice"}', headers=headers) as answer:
            assert answer.status == 401
            assert await answer.read() == b""
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert here.woken.empty()


@pytest.mark.threat("S8")
async def test_two_authorization_headers_are_refused() -> None:
    async with public() as here:
        headers: Any = [("Authorization", f"Bearer {sign()}")] * 2
        async with here.session.post(PUSH.path, data=b'{"to": "alice"}', headers=headers) as answer:
            assert answer.status == 401
        assert here.woken.empty()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"\xff\xfe", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"to": 5}', 400),
        (b'{"to": ""}', 400),
        (json.dumps({"to": "a" * 320}).encode(), 200),
        (json.dumps({"to": "a" * 321}).encode(), 400),
        (b"[" * MAX_BODY_BYTES, 400),
        (b'{"to": "alice"}'.ljust(MAX_BODY_BYTES), 200),
        (b'{"to": "alice"}'.ljust(MAX_BODY_BYTES + 1), 413),
    ],
)
async def test_body_is_bounded_and_must_name_a_person(body: bytes, status: int) -> None:
    async with public() as here:
        assert (await here.push(body))[0] == status


async def test_body_without_a_length_is_bounded() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    async with public() as here:
        headers = {"Authorization": f"Bearer {sign()}"}
        async with here.session.post(PUSH.path, data=endless(), headers=headers) as answer:
            assert answer.status == 413


@pytest.mark.threat("S20")
async def test_compressed_body_is_refused() -> None:
    async with public() as here:
        body = gzip.compress(b'{"to": "alice"}')
        assert (await here.push(body, headers={"Content-Encoding": "gzip"}))[0] == 415
        assert here.woken.empty()


async def test_missing_body_times_out() -> None:
    async with public() as here:
        never = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b'{"to":'
            await never.wait()

        async def push() -> int:
            headers = {"Authorization": f"Bearer {sign()}"}
            async with here.session.post(PUSH.path, data=slow(), headers=headers) as answer:
                return answer.status

        pushing = asyncio.create_task(push())
        await here.clock.waited_for(10.0)
        await here.clock.advance(10)
        assert await pushing == 408


@pytest.mark.threat("S9")
async def test_replayed_wake_up_is_answered_the_same_without_effect() -> None:
    async with public() as here:
        token = sign()
        for _ in range(20):
            assert await here.push({"to": "alice"}, token=token) == (200, b"")
        assert await here.woken.get() == "alice"
        await here.clock.advance(60)
        assert here.woken.empty()


@pytest.mark.threat("S9")
async def test_wake_ups_of_one_account_are_spaced_and_the_last_is_kept() -> None:
    async with public() as here:
        for number in range(5):
            assert (await here.push({"to": "alice"}, token=sign({**GENUINE, "jti": str(number)})))[0] == 200
        assert await here.woken.get() == "alice"
        assert here.woken.empty()
        assert (await here.push({"to": "bob"}, token=sign({**GENUINE, "jti": "b"})))[0] == 200
        assert await here.woken.get() == "bob"
        await here.clock.advance(29.9)
        assert here.woken.empty()
        await here.clock.advance(0.1)
        assert await here.woken.get() == "alice"
        await here.clock.advance(60)
        assert here.woken.empty()


async def test_another_method_is_not_allowed() -> None:
    async with public() as here, here.session.get(PUSH.path) as answer:
        assert answer.status == 405
