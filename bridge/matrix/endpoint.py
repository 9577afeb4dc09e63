"""Where the homeserver pushes transactions (Application Service API, section Pushing events).

What arrives is stored before it is answered; when it cannot be stored, the answer is 503 and the
homeserver pushes it again. A duplicate is harmless under any transaction id, because keys are event
ids. This is front code: it knows neither keys nor what a message means.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from bridge.http_bodies import BodyRefused, bearer_token, read_request
from bridge.log_limiter import LogLimiter
from bridge.matrix.reader import BadJson, NotJson, TooMuch
from bridge.matrix.transactions import Intake, Received, read_object, split
from bridge.ports import Clock

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Above the largest honest transaction: 100 events that each carry a previous content (2 x 64 KiB), 100
ephemeral and 100 to-device parts of 64 KiB make 26 MiB. Less would stop the queue for ever."""
MAX_QUERY_BYTES = 64 * 1024
"""A ping is one short object."""
READ_SECONDS = 30.0
"""A homeserver gives up after 60 s; a body that takes half of that is not on its way."""
MAX_CONCURRENT = 4
"""The homeserver sends one at a time and another when it gave up on one; bounds memory to 4 bodies."""
LARGE_BYTES = 256 * 1024
"""A larger body is taken apart in a thread: it takes longer than everybody else should wait."""

_BODY_REFUSALS = {
    400: ("M_NOT_JSON", "The body ended early."),
    408: ("M_UNKNOWN", "The body took too long."),
    413: ("M_TOO_LARGE", "The body is too large."),
    415: ("M_UNKNOWN", "Compressed bodies are not accepted."),
}

_log = structlog.get_logger(__name__)


@dataclass
class RefusedCalls:
    """How many calls brought a token that is not ours. The start-up checks read it around a ping."""

    count: int = 0


def appservice_routes(
    *, hs_token: str, intake: Intake, clock: Clock, refused: RefusedCalls
) -> list[web.RouteDef]:
    """The routes of the homeserver listener; serve them with ``auto_decompress=False``."""
    endpoint = Endpoint(hs_token=hs_token, intake=intake, clock=clock, refused=refused)
    prefix = "/_matrix/app/v1"
    known = [
        web.put(prefix + "/transactions/{transaction}", endpoint.transaction),
        web.get(prefix + "/rooms/{alias}", endpoint.query, allow_head=False),
        web.get(prefix + "/users/{user}", endpoint.query, allow_head=False),
        web.post(prefix + "/ping", endpoint.ping),
    ]
    others = [web.route("*", route.path, endpoint.not_by(route.method)) for route in known]
    return [*known, *others, web.route("*", "/_matrix/{tail:.*}", endpoint.unknown)]


class Endpoint:
    """Holds the token's digest and counts the transactions that are being read."""

    def __init__(self, *, hs_token: str, intake: Intake, clock: Clock, refused: RefusedCalls) -> None:
        self._token = _sha256(hs_token.encode())
        self._intake = intake
        self._clock = clock
        self._refused = refused
        self._refusal_log = LogLimiter(clock)
        self._reading = 0

    async def transaction(self, request: web.Request) -> web.Response:
        """Store every durable part, then answer 200."""
        self._authenticate(request)
        with self._place():
            body = await self._read(request, MAX_BODY_BYTES)
            received = await _parts(request.match_info["transaction"], body)
            del body
            try:
                if received:
                    await self._intake.accept(received)
            except Exception as error:  # noqa: BLE001 - whatever it was, nothing may be answered 200
                _log.error("transaction not stored", error=type(error).__name__)
                raise _failure(503, "M_UNKNOWN", "The transaction could not be stored.") from None
        return web.json_response({})

    async def query(self, request: web.Request) -> web.Response:
        """Whether a ghost or an alias exists: never, since all of them are made before anyone can ask.

        No one can create a ghost, or learn whether a person exists, by guessing a name.
        """
        self._authenticate(request)
        raise _failure(404, "M_NOT_FOUND", "There is none of this name.")

    async def ping(self, request: web.Request) -> web.Response:
        """Answer the homeserver's ping, which we ask for at start."""
        self._authenticate(request)
        with self._place():
            try:
                read_object(await self._read(request, MAX_QUERY_BYTES))
            except (NotJson, BadJson, TooMuch) as error:
                raise _refused(error) from None
        return web.json_response({})

    def not_by(self, allowed: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Another method on a known path: 405 (Application Service API, section Unknown routes)."""

        async def refuse(request: web.Request) -> web.Response:
            self._authenticate(request)
            refused = _failure(405, "M_UNRECOGNIZED", "This path is not for this method.")
            refused.headers["Allow"] = allowed
            raise refused

        return refuse

    async def unknown(self, request: web.Request) -> web.Response:
        """Another path of the Matrix API."""
        self._authenticate(request)
        raise _failure(404, "M_UNRECOGNIZED", "This is not part of the application service API.")

    def _authenticate(self, request: web.Request) -> None:
        """Compare the token, always, over digests of one length; only the header counts (S1, S2)."""
        token = bearer_token(request.raw_headers)
        if hmac.compare_digest(_sha256(token or b""), self._token) and token is not None:
            return
        self._refused.count += 1
        if count := self._refusal_log.due():
            _log.warning("homeserver call refused", reason="wrong-token", count=count)
        if "Authorization" not in request.headers:
            raise _failure(401, "M_MISSING_TOKEN", "A token is required.")
        raise _failure(403, "M_FORBIDDEN", "The token is wrong.")

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the few places for bodies in memory; 503 when all are taken."""
        if self._reading >= MAX_CONCURRENT:
            raise _failure(503, "M_UNKNOWN", "Too many transactions at once.")
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1

    async def _read(self, request: web.Request, limit: int) -> bytes:
        """The body, at most ``limit`` bytes of it, within ``READ_SECONDS``."""
        try:
            return await read_request(request, limit=limit, seconds=READ_SECONDS, clock=self._clock)
        except BodyRefused as error:
            errcode, text = _BODY_REFUSALS[error.status]
            raise _failure(error.status, errcode, text) from None


async def _parts(transaction_id: str, body: bytes) -> list[Received]:
    """What ``split`` makes of it, without holding up the loop; an answer is raised when it cannot be."""
    try:
        if len(body) <= LARGE_BYTES:
            return split(transaction_id, body)
        return await asyncio.to_thread(split, transaction_id, body)
    except (NotJson, BadJson, TooMuch) as error:
        raise _refused(error) from None


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class _Refused(web.HTTPException):
    """An answer with a Matrix error code."""

    def __init__(self, status: int, body: Mapping[str, str]) -> None:
        self.status_code = status
        super().__init__(text=json.dumps(body), content_type="application/json")
        self.force_close()  # what is left of a refused body is not for the next request


def _failure(status: int, errcode: str, error: str) -> _Refused:
    return _Refused(status, {"errcode": errcode, "error": error})


def _refused(error: Exception) -> _Refused:
    if isinstance(error, TooMuch):
        return _failure(413, *_BODY_REFUSALS[413])
    errcode = "M_NOT_JSON" if isinstance(error, NotJson) else "M_BAD_JSON"
    return _failure(400, errcode, "The body is not a transaction.")
