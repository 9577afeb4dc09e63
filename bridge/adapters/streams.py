"""TCP connections. Every failure of the network becomes ``TryAgain`` here."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from contextlib import suppress

from bridge.adapters.proxy_header import Endpoint, proxy_v2
from bridge.errors import TryAgain
from bridge.ports import Step

READ_BYTES = 64 * 1024
"""What is taken from the kernel at once; frames are put together elsewhere."""
CLOSE_SECONDS = 2.0
"""How long last words may take to leave; a peer that does not read must not keep us."""
NEXT_ADDRESS_SECONDS = 0.25
"""When a host has several addresses, how long one is tried alone (RFC 8305 section 5)."""

Client = Callable[[], Endpoint | None]
"""Where the user's client is, as far as it is known."""


class TcpStream:
    """The real form of the ``Stream`` port."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> bytes:
        """The next bytes, ``b""`` at the end."""
        try:
            return await self._reader.read(READ_BYTES)
        except OSError as error:
            raise TryAgain(f"receive: {type(error).__name__}") from error

    async def send(self, data: bytes, *, step: Step) -> None:
        """Hand ``data`` to the network. A cancelled call may have handed it over."""
        if self._writer.is_closing():
            raise TryAgain(f"{step.value}: the connection is closed")
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise TryAgain(f"{step.value}: {type(error).__name__}") from error

    async def finish(self, *, step: Step) -> None:
        """Say that nothing more will be sent; what the other end still sends can be received."""
        try:
            self._writer.write_eof()
        except OSError as error:
            raise TryAgain(f"{step.value}: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close; harmless when already closed."""
        self._writer.close()
        try:
            with suppress(OSError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._writer.wait_closed()
        finally:
            self._writer.transport.abort()  # does nothing to a connection that is closed


class TcpDialer:
    """The real form of the ``Dialer`` port.

    With ``announce`` each connection begins with a PROXY protocol header (version 2) that names the
    address of the user's client, as a profile's ``client_address: PROXY-v2`` asks for.
    """

    def __init__(self, announce: Client | None = None) -> None:
        self._announce = announce

    async def dial(self, host: str, port: int, *, timeout: float) -> TcpStream:
        """Connect within ``timeout`` seconds; ``TryAgain`` when that fails."""
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection(
                    host, port, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS
                )
        except (OSError, UnicodeError) as error:
            raise TryAgain(f"dial: {type(error).__name__}") from error
        if self._announce is not None:
            writer.write(proxy_v2(self._announce(), _endpoint(writer.get_extra_info("peername"))))
        return TcpStream(reader, writer)


def _endpoint(peername: tuple[str, int]) -> Endpoint:
    return Endpoint(ipaddress.ip_address(peername[0].partition("%")[0]), peername[1])
