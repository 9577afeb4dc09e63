"""TCP connections, the address a proxy passes on, and randomness."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from bridge.adapters.proxy_header import SIGNATURE, Endpoint, proxy_v2
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.streams import TcpDialer
from bridge.errors import TryAgain
from bridge.ports import Step

Ends = asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


@asynccontextmanager
async def _listening() -> AsyncIterator[tuple[int, Ends]]:
    ends: Ends = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        ends.put_nowait((reader, writer))

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], ends
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


async def test_bytes_pass_both_ways_until_empty_end() -> None:
    async with _listening() as (port, ends):
        stream = await TcpDialer().dial("127.0.0.1", port, timeout=10)
        reader, writer = await ends.get()
        await stream.send(b"there", step=Step.SEND)
        assert await reader.readexactly(5) == b"there"
        writer.write(b"back")
        assert await stream.receive() == b"back"
        writer.close()
        assert await stream.receive() == b""
        await stream.close()
        await stream.close()


async def test_send_on_a_closed_connection_raises_try_again() -> None:
    async with _listening() as (port, ends):
        stream = await TcpDialer().dial("127.0.0.1", port, timeout=10)
        await ends.get()
        await stream.close()
        with pytest.raises(TryAgain, match="send"):
            await stream.send(b"late", step=Step.SEND)


async def test_reset_connection_raises_try_again() -> None:
    async with _listening() as (port, ends):
        stream = await TcpDialer().dial("127.0.0.1", port, timeout=10)
        _, writer = await ends.get()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER: a reset instead of an end
        writer.transport.abort()
        with pytest.raises(TryAgain, match="receive: ConnectionResetError"):
            await stream.receive()
        await stream.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "host.invalid", "x" * 64 + ".invalid", "a..b"])
async def test_unreachable_host_raises_try_again(host: str) -> None:
    async with _listening() as (port, _):
        pass
    with pytest.raises(TryAgain, match="dial"):
        await TcpDialer().dial(host, port, timeout=5)


def _endpoint(address: str, port: int) -> Endpoint:
    return Endpoint(ip_address(address), port)


@pytest.mark.parametrize(
    ("client", "server", "body"),
    [
        (("192.0.2.7", 5), ("198.51.100.1", 443), "c0000207c6336401000501bb"),
        (
            ("2001:db8::7", 5),
            ("2001:db8::1", 443),
            "20010db8" + "0" * 22 + "0720010db8" + "0" * 22 + "01000501bb",
        ),
        (
            ("2001:db8::7", 5),
            ("198.51.100.1", 443),
            "20010db8" + "0" * 22 + "07" + "0" * 20 + "ffffc6336401000501bb",
        ),
    ],
)
def test_proxy_header_names_the_client_and_the_server(
    client: tuple[str, int], server: tuple[str, int], body: str
) -> None:
    expected = bytes.fromhex(body)
    header = proxy_v2(_endpoint(*client), _endpoint(*server))
    assert header[:12] == SIGNATURE == bytes.fromhex("0d0a0d0a000d0a515549540a")
    assert header[12:14] == (b"\x21\x11" if len(expected) == 12 else b"\x21\x21")
    assert header[14:16] == len(expected).to_bytes(2, "big")
    assert header[16:] == expected


def test_unknown_client_address_is_not_invented() -> None:
    assert proxy_v2(None, _endpoint("198.51.100.1", 443)) == SIGNATURE + b"\x20\x00\x00\x00"


async def test_proxy_header_comes_first() -> None:
    client = _endpoint("192.0.2.7", 4711)
    async with _listening() as (port, ends):
        stream = await TcpDialer(lambda: client).dial("127.0.0.1", port, timeout=10)
        reader, _ = await ends.get()
        await stream.send(b"first", step=Step.HANDSHAKE)
        assert await reader.readexactly(28 + 5) == proxy_v2(client, _endpoint("127.0.0.1", port)) + b"first"
        await stream.close()


def test_random_bytes_have_the_asked_length_and_differ() -> None:
    random = OperatingSystemRandom()
    assert [len(random.bytes(count)) for count in (0, 1, 32)] == [0, 1, 32]
    assert random.bytes(32) != random.bytes(32)
