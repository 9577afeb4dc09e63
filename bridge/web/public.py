"""The public endpoints the network calls: our signing keys, and the wake-up (interop.md 2.4, 2.8, 12.6).

A wake-up answers the same, as quickly, for anybody it names: what it does comes after the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from aiohttp import web

from bridge.http_bodies import BodyRefused, bearer_token, read_request
from bridge.log_limiter import LogLimiter
from bridge.network.push_token import NotGenuine, PushTokens, Replays
from bridge.ports import Clock
from bridge.web.routes import Authentication, Route
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
        self._refusal_log = LogLimiter(clock)

    async def push(self, request: web.Request) -> web.StreamResponse:
        """200 without a body for any genuine wake-up, also for unknown people; 401 otherwise."""
        token = (bearer_token(request.raw_headers) or b"").decode("ascii", "replace")
        try:
            expires = await self._tokens.verify(token)
            body = await read_request(request, limit=MAX_BODY_BYTES, seconds=READ_SECONDS, clock=self._clock)
        except NotGenuine as error:
            if count := self._refusal_log.due():
                _log.warning("push refused", why=error.why, count=count)
            return _refused(401)
        except BodyRefused as error:
            return _refused(error.status)
        identifier = _identifier(body)
        if identifier is None:
            return _refused(400)
        if self._replays.is_new(token, body, expires, self._clock.now()):
            self._wakes.ask(identifier)
        return web.Response(status=200)


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
