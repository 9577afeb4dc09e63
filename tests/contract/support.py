"""The sandbox as a process, a partner in place of the bridge, and a client of the control API."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from ruamel.yaml import YAML

from bridge.adapters.clock import ControlledClock
from bridge.profile import Profile
from bridge.sandbox.edges.folder import load_variant
from bridge.sandbox.main import READY, offset_file
from bridge.sandbox.rules.variant import Variant

LOOPBACK = "127.0.0.1"
PATIENCE_S = 10.0
"""Limit of every wait; never a delay."""
JWKS_PATH = "/.well-known/oauth/openid/jwks"
VARIANTS = ("default", "other")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Running:
    """A sandbox process: folder, variant, the partner's port."""

    folder: Path
    variant: Variant
    partner_port: int
    process: subprocess.Popen[str]

    @property
    def profile(self) -> Profile:
        return Profile.model_validate(read_yaml(self.folder / "profile.yaml"))

    @property
    def clock(self) -> ControlledClock:
        return ControlledClock(offset_file(self.folder))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


@contextmanager
def sandbox_process(folder: Path, variant: str = "default", partner_port: int = 0) -> Iterator[Running]:
    """Start the sandbox, wait until it listens, and stop it at the end."""
    running = start_sandbox(folder, variant, partner_port or free_port())
    try:
        yield running
    finally:
        running.stop()


def start_sandbox(folder: Path, variant: str, partner_port: int) -> Running:
    partner = f"http://{LOOPBACK}:{partner_port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.contract.program", str(folder), partner, variant],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(READY), "the sandbox did not start"
    return Running(folder, load_variant(variant), partner_port, process)


@cache
def signing_key(name: str = "partner") -> rsa.RSAPrivateKey:
    """One key per name and test run."""
    assert name
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@dataclass
class Push:
    """A received wake-up."""

    authorization: str
    body: Any


@dataclass
class Partner:
    """The partner's server: signs tokens, serves its keys, takes wake-ups."""

    profile: Profile
    clock: ControlledClock
    kid: str = "key-1"
    keys: dict[str, str] = field(default_factory=lambda: {"key-1": "partner"})
    """What the key set serves: kid -> name of the key."""
    pushes: asyncio.Queue[Push] = field(default_factory=asyncio.Queue)
    key_fetches: int = 0
    _tokens: int = 0

    def claims(self, identifier: str, name: str, static: bytes, identity: bytes) -> dict[str, Any]:
        """The claims of a valid token."""
        rules, now = self.profile.token, int(self.clock.now())
        self._tokens += 1
        return {
            "iss": self.profile.own.iss,
            "aud": rules.aud,
            "sub": identifier,
            rules.claims.name: name,
            "iat": now,
            "exp": now + rules.ttl_s,
            "jti": f"{identifier}-{self._tokens}-{id(self)}-{now}",
            rules.claims.confirmation: {
                rules.claims.auth_key: hashlib.sha256(static).hexdigest(),
                rules.claims.identity: hashlib.sha256(identity).hexdigest(),
            },
        }

    def sign(self, claims: dict[str, Any], *, kid: str | None = None, key: str | None = None) -> str:
        named = key or self.keys[self.kid]
        return jwt.encode(claims, signing_key(named), algorithm="RS256", headers={"kid": kid or self.kid})

    async def _serve_keys(self, _request: web.Request) -> web.Response:
        self.key_fetches += 1
        made = [
            {
                **jwt.algorithms.RSAAlgorithm.to_jwk(signing_key(name).public_key(), as_dict=True),
                "kid": kid,
                "use": "sig",
                "alg": "RS256",
            }
            for kid, name in self.keys.items()
        ]
        return web.json_response({"keys": made})

    async def _take_push(self, request: web.Request) -> web.Response:
        authorization = request.headers.get("Authorization", "")
        await self.pushes.put(Push(authorization, await request.json()))
        return web.Response()

    def application(self) -> web.Application:
        made = web.Application()
        made.router.add_get(JWKS_PATH, self._serve_keys)
        made.router.add_post(self.profile.push.path, self._take_push)
        return made

    async def next_push(self) -> Push:
        async with asyncio.timeout(PATIENCE_S):
            return await self.pushes.get()


@asynccontextmanager
async def partner_at(running: Running) -> AsyncIterator[Partner]:
    """Run the partner of a sandbox at its address."""
    partner = Partner(running.profile, running.clock)
    runner = web.AppRunner(partner.application())
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, running.partner_port).start()
    try:
        yield partner
    finally:
        await runner.cleanup()


class Refused(Exception):
    """The control API refused a call."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"{status}: {answer}")
        self.status, self.answer = status, answer


class SandboxControl:
    """A client of the control API. ``member`` is a JID or an identifier."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})

    async def __aenter__(self) -> SandboxControl:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, self._url + path, json=body) as answer:
            found = await answer.json(content_type=None)
            if answer.status != 200:
                raise Refused(answer.status, found)
            return found

    async def until(self, holds: Callable[[], Awaitable[Any]]) -> Any:
        """Wait until ``holds`` returns something true; that value."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                change = (await self.call("GET", "/changes?timeout=0"))["change"]
                found = await holds()
                if found:
                    return found
                await self.call("GET", f"/changes?after={change}")

    async def log(self) -> Any:
        return await self.call("GET", "/log")

    async def account(self, identifier: str) -> Any:
        accounts = (await self.call("GET", "/"))["accounts"]
        return next(each for each in accounts if identifier in (each["identifier"], each["jid"]))

    async def add_person(self, service: str, identifier: str, name: str, **rest: Any) -> Any:
        body = {"service": service, "identifier": identifier, "name": name, **rest}
        return await self.call("POST", "/people", body)

    async def person(self, member: str) -> Any:
        return await self.call("GET", f"/people/{member}")

    async def change_person(self, member: str, **values: Any) -> Any:
        return await self.call("PATCH", f"/people/{member}", values)

    async def do(self, member: str, what: str, /, **values: Any) -> Any:
        """Make a person ``write``, ``read``, ``type``, ``reinstall`` ..."""
        return await self.call("POST", f"/people/{member}/{what}", values)

    async def write(self, member: str, to: str, text: str) -> str:
        """Make a person write; the message id."""
        return str((await self.do(member, "write", to=to, text=text))["ids"][0])

    async def received(self, member: str, count: int = 1) -> list[Any]:
        """The messages a person has read, once there are at least ``count``."""

        async def enough() -> list[Any]:
            held = (await self.person(member))["received"]
            found = [each for each in held if each["state"] == "read"]
            return found if len(found) >= count else []

        return list(await self.until(enough))

    async def fault(self, kind: str, *, times: int = 1, account: str | None = None, **parameters: Any) -> int:
        body = {"kind": kind, "times": times, "account": account, "parameters": parameters}
        return int((await self.call("POST", "/faults", body))["number"])

    async def clear_faults(self) -> None:
        await self.call("DELETE", "/faults")

    async def act(self, account: str, act: str, /, **parameters: Any) -> None:
        """Run an action on an account."""
        await self.call("POST", f"/accounts/{account}/actions/{act}", parameters)

    async def advance(self, seconds: float) -> None:
        """Move the shared clock."""
        await self.call("POST", "/clock", {"advance": seconds})

    async def registry(self, **values: Any) -> None:
        await self.call("PATCH", "/registry", values)


@asynccontextmanager
async def control_of(running: Running) -> AsyncIterator[SandboxControl]:
    found = read_yaml(running.folder / "control.yaml")
    async with SandboxControl(found["url"], found["token"]) as control:
        yield control
