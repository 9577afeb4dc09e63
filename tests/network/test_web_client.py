"""HTTP calls to the network's servers."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp import web

from bridge.errors import TryAgain
from bridge.ports import Step
from tests.network.support import web_client
from tests.network.web_server import web_server

LIMIT = 1000


async def _hello(request: web.Request) -> web.Response:
    body = await request.read()
    return web.Response(body=request.method.encode() + b" " + body, headers={"X-Name": "Value"})


async def test_request_returns_status_headers_and_body() -> None:
    async with web_server([web.post("/", _hello)]) as base, web_client() as client:
        answer = await client.request(
            "POST",
            base,
            step=Step.ENLIST,
            body=b"body",
            headers={"Content-Type": "x/y"},
            max_bytes=9,
            timeout=10,
        )
    assert (answer.status, answer.body, answer.headers["x-name"]) == (200, b"POST body", "Value")


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
@pytest.mark.parametrize("chunked", [False, True])
async def test_answer_beyond_the_limit_is_refused(size: int, chunked: bool) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = size
        await response.prepare(request)
        await response.write(b"x" * size)
        return response

    async with web_server([web.get("/", answer)]) as base, web_client() as client:
        call = client.request("GET", base, step=Step.LOOK_UP, max_bytes=LIMIT, timeout=10)
        if size <= LIMIT:
            assert len((await call).body) == size
        else:
            with pytest.raises(TryAgain, match="beyond"):
                await call


@pytest.mark.threat("S14")
async def test_redirect_is_not_followed() -> None:
    asked = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/secret"})

    async with web_server([web.get("/{path:.*}", elsewhere)]) as base, web_client() as client:
        answer = await client.request("GET", base, step=Step.LOOK_UP, max_bytes=LIMIT, timeout=10)
    assert (answer.status, asked) == (307, ["/"])


@pytest.mark.threat("S15")
async def test_proxy_of_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def proxied(request: web.Request) -> web.Response:
        asked.append(str(request.url))
        return web.Response(status=502)

    async with (
        web_server([web.route("*", "/{path:.*}", proxied)]) as proxy,
        web_server([web.get("/", _hello)]) as base,
        web_client() as client,
    ):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        answer = await client.request("GET", base, step=Step.LOOK_UP, max_bytes=LIMIT, timeout=10)
    assert (answer.status, asked) == (200, [])


@pytest.mark.threat("S20")
async def test_compressed_answer_is_refused() -> None:
    async def bomb(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=gzip.compress(b" " * LIMIT), headers={"Content-Encoding": "gzip"})

    async with web_server([web.get("/", bomb)]) as base, web_client() as client:
        with pytest.raises(TryAgain, match="compressed"):
            await client.request("GET", base, step=Step.LOOK_UP, max_bytes=LIMIT, timeout=10)


async def test_no_cookie_is_kept() -> None:
    seen = []

    async def cookie(request: web.Request) -> web.Response:
        seen.append("Cookie" in request.headers)
        return web.Response(headers={"Set-Cookie": "a=b"})

    async with web_server([web.get("/", cookie)]) as base, web_client() as client:
        for _ in range(2):
            await client.request("GET", base, step=Step.LOOK_UP, max_bytes=LIMIT, timeout=10)
    assert seen == [False, False]


async def test_incomplete_answer_in_time_raises_try_again() -> None:
    never = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await never.wait()
        return response

    async with web_server([web.get("/", slow)]) as base, web_client() as client:
        with pytest.raises(TryAgain, match="TimeoutError"):
            await client.request("GET", base, step=Step.LOOK_UP, max_bytes=LIMIT, timeout=0.05)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://host.invalid/", "not an address", "ftp://x/"])
async def test_refused_connection_raises_try_again(url: str) -> None:
    async with web_client() as client:
        with pytest.raises(TryAgain):
            await client.request("GET", url, step=Step.LOOK_UP, max_bytes=LIMIT, timeout=5)


async def test_truncated_answer_raises_try_again() -> None:
    async def short(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"x")
        assert request.transport is not None
        request.transport.close()
        return response

    async with web_server([web.get("/", short)]) as base, web_client() as client:
        with pytest.raises(TryAgain):
            await client.request("GET", base, step=Step.LOOK_UP, max_bytes=LIMIT, timeout=10)
