"""The public endpoints the network calls: our signing keys, and the wake-up (interop.md 2.4, 2.8, 12.6).

A wake-up answers the same, as quickly, for anybody it names: what it does comes after the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiohttp import web

from bridge.network.push_token import MAX_TOKEN_BYTES, NotGenuine, PushTokens, Replays
from bridge.ports import Clock
from bridge.web.routes import Authentication, Route
from bridge.web.seldom import Seldom
from bridge.web.wakes import Wakes

JWKS_PATH = "/.well-known/oauth/openid/jwks"
JWKS_MAX_AGE_SECONDS = 300
"""A rotation waits longer than this between its steps."""
MAX_BODY_BYTES = 4 * 1024
"""The published sample has 20; an identifier has 255 bytes at most, escaped sixfold."""
READ_SECONDS = 10.0
MAX_IDENTIFIER_CHARACTERS = 320
"""An e-mail address has at most 254, a Matrix ID 255."""

Jwks = Callable[[], Mapping[str, Any]]
"""Gives the key document; asked each time, so that a rotation shows."""

_log = structlog.get_logger(__name__)


def public_routes(
    *, jwks: Jwks, push_path: str, tokens: PushTokens, wakes: Wakes, clock: Clock
) -> tuple[Route, ...]:
    """The routes of the public listener; serve them with ``auto_decompress=False``."""
    push = PushEndpoint(tokens, wakes, clock)

    async def keys(_request: web.Request) -> web.StreamResponse:
        age = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE_SECONDS}"}
        return web.json_response(jwks(), headers=age)

    return (
        Route("GET", JWKS_PATH, keys, Authentication.NONE),
        Route("POST", push_path, push.push, Authentication.NETWORK),
    )


class PushEndpoint:
    """Takes wake-ups. Holds the replay store; counts are kept by the log."""

    def __init__(self, tokens: PushTokens, wakes: Wakes, clock: Clock) -> None:
        self._tokens = tokens
        self._wakes = wakes
        self._clock = clock
        self._replays = Replays()
        self._seldom = Seldom(clock)

    async def push(self, request: web.Request) -> web.StreamResponse:
        """200 with no body for a genuine wake-up, whoever it names; 401 for one that is not."""
        token = _bearer(request)
        try:
            expires = await self._tokens.verify(token)
        except NotGenuine as error:
            if count := self._seldom.due():
                _log.warning("push refused", why=error.why, count=count)
            return _refused(401)
        body = await self._read(request)
        if isinstance(body, web.Response):
            return body
        identifier = _identifier(body)
        if identifier is None:
            return _refused(400)
        if self._replays.is_new(token, body, expires, self._clock.now()):
            self._wakes.ask(identifier)
        return web.Response(status=200)

    async def _read(self, request: web.Request) -> bytes | web.Response:
        """The body, never more than its limit in memory; or why there is none."""
        if "Content-Encoding" in request.headers:
            return _refused(415)
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return _refused(413)
        body = bytearray()
        try:
            async with self._clock.limit(READ_SECONDS):
                async for chunk in request.content.iter_chunked(MAX_BODY_BYTES):
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        return _refused(413)
        except TimeoutError:
            return _refused(408)
        except (web.RequestPayloadError, ConnectionError):
            return _refused(400)
        return bytes(body)


def _bearer(request: web.Request) -> str:
    """The token of the one Authorization header; empty when there is none, or more."""
    given = [value for name, value in request.raw_headers if name.lower() == b"authorization"]
    scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    if scheme.lower() != b"bearer" or len(token) > MAX_TOKEN_BYTES:
        return ""
    return token.strip().decode("ascii", "replace")


def _identifier(body: bytes) -> str | None:
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    named = value.get("to") if isinstance(value, dict) else None
    if not isinstance(named, str) or not 0 < len(named) <= MAX_IDENTIFIER_CHARACTERS:
        return None
    return named


def _refused(status: int) -> web.Response:
    """An answer that tells no more than its number, after which the connection is closed."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    response = web.Response(status=status, headers=headers)
    response.force_close()  # what is left of a refused body is not for the next request
    return response
