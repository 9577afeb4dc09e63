"""Reading what the other end of an HTTP connection sent: bounded bodies and the bearer token."""

from __future__ import annotations

from collections.abc import Iterable

import aiohttp
from aiohttp import web

from bridge.errors import BridgeError
from bridge.ports import Clock

CHUNK_BYTES = 64 * 1024
"""Read at a time; a body is never more than this beyond its limit in memory."""


class BodyRefused(BridgeError):
    """A request's body was not read. ``status`` is the HTTP status to answer: 400, 408, 413 or 415."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class AnswerRefused(BridgeError):
    """An answer's body was not read; the text says why and is safe to log."""


async def read_request(request: web.Request, *, limit: int, seconds: float, clock: Clock) -> bytes:
    """The body of ``request``: at most ``limit`` bytes, within ``seconds``; else ``BodyRefused``.

    The server must not decompress (``auto_decompress=False``): a small body could become a large one.
    """
    if "Content-Encoding" in request.headers:
        raise BodyRefused(415)
    if (request.content_length or 0) > limit:
        raise BodyRefused(413)
    try:
        async with clock.limit(seconds):
            body = await _bounded(request.content, limit)
    except TimeoutError:
        raise BodyRefused(408) from None
    except (web.RequestPayloadError, ConnectionError):
        raise BodyRefused(400) from None
    if body is None:
        raise BodyRefused(413)
    return body


async def read_answer(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body of ``answer``: at most ``limit`` bytes, not compressed; else ``AnswerRefused``."""
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise AnswerRefused("a compressed answer")
    body = await _bounded(answer.content, limit)
    if body is None:
        raise AnswerRefused(f"an answer beyond {limit} bytes")
    return body


def bearer_token(raw_headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The token of the only Authorization header; None when there is none, several, or another scheme."""
    given = [value for name, value in raw_headers if name.lower() == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


async def _bounded(stream: aiohttp.StreamReader, limit: int) -> bytes | None:
    """The whole stream, or None once it is longer than ``limit``."""
    body = bytearray()
    async for chunk in stream.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)
