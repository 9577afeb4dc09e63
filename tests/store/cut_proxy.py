"""A cable to PostgreSQL that is cut around the COMMIT, on either side of it (F26)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

CHUNK = 65_536
COMMIT = b"COMMIT\0"


class Cut(Enum):
    """Where the next COMMIT is lost."""

    NOWHERE = "nowhere"
    BEFORE = "before the server has it"
    AFTER = "after the server did it"


class Cable:
    """Carries bytes between the store and the server's socket; ``cut`` decides about the next COMMIT."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.cut = Cut.NOWHERE
        self.cuts = 0
        self.connections = 0
        self.silent: set[int] = set()
        """Connections, counted from 1, that carry nothing any more and tell neither end."""
        self.carriers: set[asyncio.Task[None]] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either end closes it or it is cut."""
        task = asyncio.current_task()
        assert task is not None
        self.carriers.add(task)
        self.connections += 1
        number = self.connections
        from_server, to_server = await asyncio.open_unix_connection(self._target)
        back = asyncio.create_task(self._back(number, from_server, writer))
        try:
            while data := await reader.read(CHUNK):
                if number in self.silent:
                    continue
                if COMMIT in data and self.cut is not Cut.NOWHERE:
                    self.cuts += 1
                    if self.cut is Cut.AFTER:
                        await self._finish(back, data, from_server, to_server)
                    self.cut = Cut.NOWHERE
                    break
                to_server.write(data)
                await to_server.drain()
        except ConnectionError:
            pass
        finally:
            back.cancel()
            for end in (to_server, writer):
                end.transport.abort()
                with suppress(ConnectionError):
                    await end.wait_closed()

    async def _finish(
        self,
        back: asyncio.Task[None],
        data: bytes,
        from_server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        """Let the server commit and keep its answer."""
        back.cancel()
        with suppress(asyncio.CancelledError):
            await back
        to_server.write(data)
        await to_server.drain()
        await from_server.readuntil(COMMIT)

    async def _back(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                if number in self.silent:
                    continue
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def cable(url: str, folder: Path) -> AsyncIterator[tuple[Cable, str]]:
    """A cable to the server of ``url``, and the address that goes through it."""
    parts = urlsplit(url)
    host = parse_qs(parts.query)["host"][0]
    laid = Cable(Path(host) / ".s.PGSQL.5432")
    server = await asyncio.start_unix_server(laid.carry, folder / ".s.PGSQL.5432")
    try:
        yield laid, url.replace(f"host={host}", f"host={folder}")
    finally:
        server.close()
        for carrier in laid.carriers:
            carrier.cancel()
        await asyncio.gather(*laid.carriers, return_exceptions=True)
