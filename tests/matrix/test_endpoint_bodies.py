"""Bodies that lie, never end, or would not fit into memory, over a raw socket (fault F20)."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bridge.matrix.endpoint import MAX_BODY_BYTES
from tests.matrix.support import HS_TOKEN, HandClock, Shelf, endpoint
from tests.matrix.test_transactions import EVENT

pytestmark = pytest.mark.fault("F20")
MIB = 1024 * 1024


class Socket:
    """One raw connection to the endpoint."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def head(self, *lines: str) -> None:
        text = "\r\n".join(
            [
                "PUT /_matrix/app/v1/transactions/1 HTTP/1.1",
                "Host: bridge",
                f"Authorization: Bearer {HS_TOKEN}",
                *lines,
            ]
        )
        await self.body(text.encode() + b"\r\n\r\n")

    async def body(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, str]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.splitlines()
            if line.lower().startswith(b"content-length")
        )
        fields = json.loads(await self.reader.readexactly(length))
        return int(head.split()[1]), fields.get("errcode", "")


@asynccontextmanager
async def connection(shelf: Shelf, clock: HandClock) -> AsyncIterator[Socket]:
    async with endpoint(shelf, clock) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Socket(reader, writer)
        finally:
            writer.close()


async def test_a_length_beyond_the_limit_is_refused_before_anything_is_read() -> None:
    shelf = Shelf()
    async with connection(shelf, HandClock()) as socket:
        await socket.head(f"Content-Length: {MAX_BODY_BYTES + 1}")
        assert await socket.answer() == (413, "M_TOO_LARGE")
    assert shelf.parts == {}


async def test_a_chunked_body_beyond_the_limit_is_refused_with_bounded_memory() -> None:
    shelf = Shelf()
    chunk = b"%x\r\n" % MIB + b" " * MIB + b"\r\n"
    async with connection(shelf, HandClock()) as socket:
        await socket.head("Transfer-Encoding: chunked")
        tracemalloc.start()
        for _ in range(MAX_BODY_BYTES // MIB + 1):
            await socket.body(chunk)
        assert await socket.answer() == (413, "M_TOO_LARGE")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 3 * MAX_BODY_BYTES
    assert shelf.parts == {}


async def test_a_body_of_very_many_small_objects_is_refused_with_bounded_memory() -> None:
    shelf = Shelf()
    body = b'{"events":[' + b"{}," * 10_000_000 + b"{}]}"
    async with connection(shelf, HandClock()) as socket:
        tracemalloc.start()
        await socket.head(f"Content-Length: {len(body)}")
        await socket.body(body)
        assert await socket.answer() == (413, "M_TOO_LARGE")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * MAX_BODY_BYTES
    assert shelf.parts == {}


async def test_a_large_body_is_taken_apart_beside_the_loop() -> None:
    shelf = Shelf()
    events = [{**EVENT, "event_id": f"${n}", "content": {"body": "x" * 64 * 1024}} for n in range(100)]
    body = json.dumps({"events": events}).encode()
    async with connection(shelf, HandClock()) as socket:
        await socket.head(f"Content-Length: {len(body)}")
        await socket.body(body)
        assert await socket.answer() == (200, "")
    assert shelf.stored() == [f"${n}" for n in range(100)]


async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    shelf = Shelf()
    body = json.dumps({"events": [EVENT]}).encode()
    async with connection(shelf, HandClock()) as socket:
        await socket.head(f"Content-Length: {MAX_BODY_BYTES}")
        await socket.body(body + b" " * (MAX_BODY_BYTES - len(body)))
        assert await socket.answer() == (200, "")
    assert shelf.stored() == ["$one"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity", ""])
async def test_a_compressed_body_is_refused_before_it_is_read(encoding: str) -> None:
    shelf = Shelf()
    async with connection(shelf, HandClock()) as socket:
        await socket.head(f"Content-Encoding: {encoding}", "Content-Length: 100000")
        assert await socket.answer() == (415, "M_UNKNOWN")
    assert shelf.parts == {}


async def test_a_gzip_bomb_takes_no_memory() -> None:
    bomb = gzip.compress(b" " * (200 * MIB), compresslevel=9)
    shelf = Shelf()
    async with connection(shelf, HandClock()) as socket:
        tracemalloc.start()
        await socket.head("Content-Encoding: gzip", f"Content-Length: {len(bomb)}")
        await socket.body(bomb)
        assert await socket.answer() == (415, "M_UNKNOWN")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * MIB
    assert shelf.parts == {}


async def test_a_body_shorter_than_it_says_is_not_answered_200_and_stores_nothing() -> None:
    shelf = Shelf()
    async with connection(shelf, HandClock()) as socket:
        await socket.head("Content-Length: 1000")
        await socket.body(json.dumps({"events": [EVENT]}).encode())
        socket.writer.write_eof()
        assert b" 200 " not in await socket.reader.read()
    assert shelf.parts == {}


async def test_a_body_longer_than_it_says_is_not_answered_200_stored_or_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    shelf = Shelf()
    body = json.dumps({"events": [EVENT]}).encode()
    async with connection(shelf, HandClock()) as socket:
        await socket.head(f"Content-Length: {len(body) - 5}")
        await socket.body(body)
        assert b" 200 " not in await socket.reader.read()
    assert shelf.parts == {}
    assert "hallo" not in caplog.text


async def test_a_broken_chunk_is_not_answered_200_and_stores_nothing() -> None:
    shelf = Shelf()
    async with connection(shelf, HandClock()) as socket:
        await socket.head("Transfer-Encoding: chunked")
        await socket.body(b"zz\r\n{}\r\n0\r\n\r\n")
        assert b" 200 " not in await socket.reader.read()
    assert shelf.parts == {}


async def test_both_kinds_of_length_at_once_are_not_answered_200() -> None:
    shelf = Shelf()
    async with connection(shelf, HandClock()) as socket:
        await socket.head("Content-Length: 2", "Transfer-Encoding: chunked")
        await socket.body(b"2\r\n{}\r\n0\r\n\r\n")
        assert b" 200 " not in await socket.reader.read()
    assert shelf.parts == {}


async def test_a_body_that_never_ends_is_given_up_when_its_time_is_over() -> None:
    shelf, clock = Shelf(), HandClock()
    async with connection(shelf, clock) as socket:
        await socket.head("Content-Length: 1000")
        await socket.body(b'{"events":[')
        await clock.expire()
        assert await socket.answer() == (408, "M_UNKNOWN")
    assert shelf.parts == {}
