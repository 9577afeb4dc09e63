"""One HTTP call to the homeserver, and what its answer means.

Every foreign exception and status becomes one of ours here: ``TryAgain`` for what may pass,
``Rejected`` for what will not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from bridge.errors import TryAgain
from bridge.matrix.errors import AliasTaken, Rejected
from bridge.matrix.limiter import Limiter
from bridge.ports import Clock, Step

TIMEOUT_SECONDS = 60.0
"""What a homeserver gives us as well; a room takes half a second when it is idle."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""A page of 100 events of 64 KiB with their previous contents, or the members of a large room."""
CHUNK_BYTES = 64 * 1024
PERMANENT_WITHOUT_CODE: Mapping[int, str] = {
    400: "M_UNKNOWN",
    413: "M_TOO_LARGE",
    414: "M_TOO_LARGE",
    431: "M_TOO_LARGE",
}
"""Refusals of a proxy that concern the request. Its others (a 404 while the homeserver is being
replaced) say nothing about the request, and a message must not be given up for them."""


class MatrixHttp:
    """Makes calls with one token. Make it inside the running loop; ``close`` it at the end."""

    def __init__(self, *, url: str, token: str, clock: Clock, limiter: Limiter) -> None:
        self._url = url.rstrip("/")
        self._clock = clock
        self._limiter = limiter
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def call(
        self,
        step: Step,
        method: str,
        path: Sequence[str],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """The object answered to one call. ``path`` are segments, quoted here."""
        url = self._url + "/_matrix/" + "/".join(quote(segment, safe="") for segment in path)
        if query:
            url += "?" + urlencode(query)
        data = None if body is None else _encode(body)
        async with self._limiter.turn():
            try:
                async with self._clock.limit(TIMEOUT_SECONDS):
                    return await self._once(step, method, url, data)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise TryAgain(f"{step.value}: {type(error).__name__}") from error

    async def _once(self, step: Step, method: str, url: str, data: bytes | None) -> Mapping[str, Any]:
        async with self._session.request(
            method,
            URL(url, encoded=True),
            data=data,
            headers={} if data is None else {"Content-Type": "application/json"},
            allow_redirects=False,
        ) as answer:
            return self._understand(step, answer, await _read(step, answer))

    def _understand(self, step: Step, answer: aiohttp.ClientResponse, body: bytes) -> Mapping[str, Any]:
        status, fields = answer.status, _object(body)
        if 200 <= status < 300:
            if fields is None:
                raise TryAgain(f"{step.value}: no answer of a homeserver")
            return fields
        if status == 429:
            wait = self._limiter.wait(_asked_wait(answer.headers, fields or {}))
            raise TryAgain(f"{step.value}: HTTP 429", after=wait)
        errcode = (fields or {}).get("errcode")
        if status >= 500 or status == 408:
            named = f" {errcode}" if isinstance(errcode, str) else ""
            raise TryAgain(f"{step.value}: HTTP {status}{named}", after=_seconds(answer.headers))
        if not isinstance(errcode, str):
            if status not in PERMANENT_WITHOUT_CODE:
                raise TryAgain(f"{step.value}: HTTP {status} without a Matrix error code")
            errcode = PERMANENT_WITHOUT_CODE[status]
        raise AliasTaken(status) if errcode == "M_ROOM_IN_USE" else Rejected(errcode, status)


def _encode(body: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8. A lone surrogate becomes ``?``: Synapse would answer 500 to its escape, for ever."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


async def _read(step: Step, answer: aiohttp.ClientResponse) -> bytes:
    """The whole body, never more than the limit of it in memory."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise TryAgain(f"{step.value}: a compressed answer")
    body = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise TryAgain(f"{step.value}: an answer beyond {MAX_ANSWER_BYTES} bytes")
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
