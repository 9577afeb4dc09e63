"""The listeners and the table of what is on them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence

import aiohttp
import pytest
from aiohttp import web

from bridge.adapters.clock import RealClock
from bridge.errors import Misconfigured
from bridge.matrix.endpoint import RefusedCalls, appservice_routes
from bridge.matrix.transactions import Received
from bridge.network.push_keys import PushKeys
from bridge.network.push_token import PushTokens
from bridge.web.health import ECOSYSTEM_PREFIX, health_routes
from bridge.web.listeners import Listeners, _misconfigured
from bridge.web.public import public_routes
from bridge.web.routes import Authentication, Listener, Route, guarded, table
from bridge.web.wakes import Wakes
from tests.network.clock import ManualClock
from tests.network.push_signer import PUSH, KeyServer
from tests.network.support import signing_keys


async def _nothing(request: web.Request) -> web.StreamResponse:
    return web.Response(text=request.path)


class _Intake:
    async def accept(self, received: Sequence[Received]) -> None:
        raise AssertionError("nothing was to arrive")


async def _wake(identifier: str) -> None:
    raise AssertionError("nobody was to be woken")


def _all() -> list[Listener]:
    """Every route there is, on the listeners it belongs to."""
    clock = ManualClock()
    tokens = PushTokens(PUSH, PushKeys(PUSH.jwks, KeyServer(), clock), clock)
    homeserver = guarded(
        appservice_routes(hs_token="secret", intake=_Intake(), clock=clock, refused=RefusedCalls()),
        Authentication.HOMESERVER,
    )
    health = health_routes(lambda: True, prefix=ECOSYSTEM_PREFIX)
    public = public_routes(
        jwks=signing_keys().jwks, push_path=PUSH.path, tokens=tokens, wakes=Wakes(_wake, clock), clock=clock
    )
    return [
        Listener("homeserver", "127.0.0.1", 0, (*health, *homeserver)),
        Listener("public", "127.0.0.1", 0, public),
        Listener("admin", "127.0.0.1", 0, health_routes(lambda: True)),
    ]


def test_public_routes_are_listed() -> None:
    open_to_all = [
        (row.listener, row.path) for row in table(_all()) if row.authentication is Authentication.NONE
    ]
    assert open_to_all == [
        ("homeserver", "/_matrix/mau/live"),
        ("homeserver", "/_matrix/mau/ready"),
        ("public", "/.well-known/oauth/openid/jwks"),
        ("admin", "/live"),
        ("admin", "/ready"),
    ]


@pytest.mark.threat("S4")
async def test_authenticated_routes_refuse_anonymous_callers() -> None:
    listeners = Listeners(_all(), RealClock())
    await listeners.start()
    try:
        async with aiohttp.ClientSession() as session:
            for row in table(_all()):
                host, port = listeners.address(row.listener)
                path = row.path.replace("{tail:.*}", "x").replace("{", "").replace("}", "")
                method = "GET" if row.method == "*" else row.method
                async with session.request(method, f"http://{host}:{port}{path}") as answer:
                    refused = answer.status in (401, 403)
                    assert refused == (row.authentication is not Authentication.NONE), row
    finally:
        await listeners.stop()


async def test_each_listener_serves_its_own_routes_and_no_others() -> None:
    listeners = Listeners(
        [
            Listener(name, "127.0.0.1", 0, (Route("GET", f"/{name}", _nothing, Authentication.NONE),))
            for name in ("one", "two")
        ],
        RealClock(),
    )
    await listeners.start()
    try:
        async with aiohttp.ClientSession() as session:
            for name in ("one", "two"):
                host, port = listeners.address(name)
                for path in ("one", "two"):
                    async with session.get(f"http://{host}:{port}/{path}") as answer:
                        assert (answer.status == 200) == (path == name)
    finally:
        await listeners.stop()


def _listener(port: int, host: str = "127.0.0.1", name: str = "public") -> Listener:
    return Listener(name, host, port, ())


async def test_port_in_use_is_named_and_nothing_stays_open() -> None:
    first = Listeners([_listener(0)], RealClock())
    await first.start()
    _, port = first.address("public")
    second = Listeners([_listener(0, name="homeserver"), _listener(port)], RealClock())
    with pytest.raises(Misconfigured, match=f"port {port} on 127.0.0.1 is in use") as caught:
        await second.start()
    assert caught.value.exit_code == 23
    assert caught.value.where == "listener public"
    assert f":{port}" in caught.value.remedy
    with pytest.raises(KeyError):
        second.address("homeserver")
    await first.stop()
    await first.stop()


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1"])
async def test_foreign_address_is_named_with_a_remedy(host: str) -> None:
    listeners = Listeners([_listener(0, host)], RealClock())
    with pytest.raises(Misconfigured, match="address of this machine") as caught:
        await listeners.start()
    assert caught.value.exit_code == 23


def test_privileged_port_is_named_with_a_remedy() -> None:
    refused = _misconfigured(_listener(443), PermissionError(errno.EACCES, "Permission denied"))
    assert "from 1024 on" in refused.remedy


async def test_close_gives_running_requests_a_moment() -> None:
    running, go = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        running.set()
        await go.wait()
        return web.Response(text="done")

    route = Route("GET", "/", handler, Authentication.NONE)
    listeners = Listeners([Listener("public", "127.0.0.1", 0, (route,))], RealClock())
    await listeners.start()
    host, port = listeners.address("public")
    async with aiohttp.ClientSession() as session:

        async def call() -> str:
            async with session.get(f"http://{host}:{port}/") as answer:
                return await answer.text()

        calling = asyncio.create_task(call())
        await running.wait()
        stopping = asyncio.create_task(listeners.stop())
        go.set()
        assert await calling == "done"
        await stopping
