"""Requests to the homeserver: mautrix's ``HTTPAPI``, with its exchange and its waits replaced by ours.

Bodies are JSON without lone surrogates, answers are bounded, nothing is followed, unpacked, repeated
or logged. Every failure is one of ``mautrix.errors``; ``bridge.matrix.errors`` says what it means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from mautrix.api import HTTPAPI, Method, PathBuilder
from mautrix.errors import (
    MatrixConnectionError,
    MatrixRequestError,
    MatrixResponseError,
    make_request_error,
)
from mautrix.types import UserID
from yarl import URL

from bridge.ids import UserId
from bridge.matrix.limiter import Limiter
from bridge.ports import Clock

TIMEOUT_SECONDS = 60.0
"""What a homeserver gives us as well; a room takes half a second when it is idle."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""A page of 100 events of 64 KiB with their previous contents, or the members of a large room."""
CHUNK_BYTES = 64 * 1024
_JSON = {"Content-Type": "application/json"}


class Connection:
    """One token's connections to one homeserver. Make it inside the running loop; ``close`` it at the end."""

    def __init__(self, *, url: str, token: str, clock: Clock, limiter: Limiter) -> None:
        self.url = url.rstrip("/")
        self.base = URL(self.url)
        self.clock = clock
        self.limiter = limiter
        self.session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self.session.close()


class Api(HTTPAPI):
    """The requests of one call, as ``as_user``; a new one for each call, so that calls share no state.

    The token is the connection's: mautrix never sees it.
    """

    retry_after: float | None = None
    """Seconds that the homeserver asked us to wait, which mautrix's errors do not keep."""

    def __init__(self, connection: Connection, as_user: UserId | None = None) -> None:
        super().__init__(
            connection.base,
            client_session=connection.session,
            as_user_id=None if as_user is None else UserID(as_user),
        )
        self._connection = connection

    async def request(
        self,
        method: Method,
        path: PathBuilder | str,
        content: Any = None,
        headers: dict[str, str] | None = None,
        query_params: Mapping[str, str] | None = None,
        *_: object,
        **__: object,
    ) -> Any:
        """The object answered to one request; ``content`` is sent as JSON.

        ``TryAgain`` while the homeserver's wait lasts, else one of ``mautrix.errors``.
        In the place of mautrix's own, which logs the body, escapes lone surrogates, repeats by a
        clock of its own and builds each URL three times.
        """
        query = dict(query_params or {})
        if self.as_user_id:
            query["user_id"] = self.as_user_id
        url = f"{self._connection.url}/{path}" + ("?" + urlencode(query) if query else "")
        body = None if method is Method.GET else _encode(content or {})
        headers = {**(headers or {}), **({} if body is None else _JSON)}
        async with self._connection.limiter.turn():
            try:
                async with self._connection.clock.limit(TIMEOUT_SECONDS):
                    fields, _answer = await self._send(method, URL(url, encoded=True), body, {}, headers)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise MatrixConnectionError(type(error).__name__) from error
        return fields

    async def _send(
        self, method: Method, url: URL, content: Any, query_params: dict[str, str], headers: dict[str, str]
    ) -> tuple[Any, aiohttp.ClientResponse]:
        """One exchange: a bounded JSON object or an error; the query is part of the URL already."""
        async with self.session.request(
            method.value, url, data=content, params=query_params, headers=headers, allow_redirects=False
        ) as answer:
            fields = _object(await _read(answer))
            if not 200 <= answer.status < 300:
                raise self._error(answer, fields or {})
            if fields is None:
                raise MatrixResponseError("no answer of a homeserver")
            return fields, answer

    def _error(self, answer: aiohttp.ClientResponse, fields: Mapping[str, Any]) -> MatrixRequestError:
        """The refusal, without the homeserver's words: they may quote what was sent."""
        if answer.status == 429:
            self.retry_after = self._connection.limiter.wait(_asked_wait(answer.headers, fields))
        else:
            self.retry_after = _seconds(answer.headers)
        errcode = fields.get("errcode")
        return make_request_error(
            http_status=answer.status,
            text="",
            errcode=errcode if isinstance(errcode, str) else None,
            message="",
        )

    def _log_request(self, *_: object, **__: object) -> None:
        """Nothing: mautrix would log message texts."""

    def _log_request_done(self, *_: object, **__: object) -> None:
        """Nothing: mautrix would log paths with the ids of rooms and people."""

    def get_txn_id(self) -> str:
        """Refuse: a repeated event must have the id of its first attempt, so callers make all ids."""
        raise NotImplementedError("callers give the transaction id")


def _encode(body: Any) -> bytes:
    """JSON in UTF-8. A lone surrogate becomes ``?``: Synapse would answer 500 to its escape, for ever."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body, never more than the limit of it in memory."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise MatrixResponseError("a compressed answer")
    body = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise MatrixResponseError(f"an answer beyond {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _asked_wait(headers: Mapping[str, str], fields: Mapping[str, Any]) -> float | None:
    """Seconds to wait as the body says, or else the header; None when neither does."""
    milliseconds = fields.get("retry_after_ms")
    if isinstance(milliseconds, (int, float)) and not isinstance(milliseconds, bool) and milliseconds >= 0:
        return milliseconds / 1000
    return _seconds(headers)


def _seconds(headers: Mapping[str, str]) -> float | None:
    """The Retry-After header in seconds; its form as a date is not used by homeservers."""
    text = headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
