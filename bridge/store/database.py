"""Open, lock, migrate and check the database; then commit units and read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.errors import TryAgain
from bridge.ports import Clock, Random, Row, Store, Unit, Value
from bridge.store.engine import Engine
from bridge.store.errors import StoreError, cannot_open, no_answer
from bridge.store.migrations import SCHEMA_FOLDER, Schema, load_schema, migrate
from bridge.store.postgres import PostgresEngine
from bridge.store.postgres_connections import CONNECTIONS, place
from bridge.store.sqlite import SqliteEngine
from bridge.store.writer import Writer

SQLITE_PREFIX = "sqlite3-fk-wal:"
POSTGRES_PREFIXES = ("postgres://", "postgresql://")
NAME_BYTES = 8
"""Tells instances apart in the server's list of connections, where one may end its own former ones."""


class Database(Store):
    """An open database, held by one process at a time. ``where`` is its name for the admin."""

    def __init__(self, engine: Engine, backup: str | None, where: str) -> None:
        self.engine = engine
        self.where = where
        self.writer = Writer(engine)
        self.backup = backup

    async def commit(self, unit: Unit) -> None:
        """See ``bridge.ports.Store``. Cancelling the caller does not cancel the commit (F30)."""
        await self.writer.commit(unit)

    async def read(self, sql: str, **parameters: Value) -> Sequence[Row]:
        """See ``bridge.ports.Store``; ``TryAgain`` when the database does not answer."""
        return await self.engine.read(sql, parameters)

    async def changed(self) -> None:
        """Return after the next commit of a waking kind; commits between two calls are not missed."""
        await self.engine.changed()

    async def truncate_log(self) -> None:
        """Remove destroyed keys from the write-ahead log (S29)."""
        await self.engine.truncate_log()

    @property
    def open_calls(self) -> int:
        """Number of calls the engine's threads have not answered; a simulated clock waits for them."""
        return self.engine.open_calls

    async def close(self) -> None:
        """Commit the queue, close all connections, release the lock."""
        try:
            await self.writer.close()
        finally:
            await self.engine.close()


async def open_database(
    url: str,
    *,
    profile_id: str,
    clock: Clock,
    random: Random,
    backup: bool = True,
    wakes: frozenset[str] = frozenset(),
    schema_folder: Path = SCHEMA_FOLDER,
    connections: int = CONNECTIONS,
) -> Database:
    """Open ``sqlite3-fk-wal:<path>`` or ``postgres://..``, take its lock, migrate and check it.

    ``wakes``: names of the kinds whose commit wakes ``changed``. ``connections``: to PostgreSQL, at
    most; less than three count as three. Raises ``Misconfigured``: code 40
    when another process has it, 14 when it cannot be used safely, 15 when it is not ours to use.
    """
    schema = load_schema(schema_folder)
    name = f"interop-bridge-{random.bytes(NAME_BYTES).hex()}"
    engine, where = await _open_engine(url, schema, wakes, clock, name, connections)
    try:
        kept = await migrate(
            engine.session, schema, where=where, profile_id=profile_id, clock=clock, backup=backup
        )
        await engine.take_over()
    except BaseException as error:
        await engine.close()
        if (told := engine.unusable(error)) is not None:
            raise told from error
        raise
    return Database(engine, kept, where)


@asynccontextmanager
async def needed_for_a_start(database: Database) -> AsyncIterator[None]:
    """Turn database errors of a block into ``Misconfigured``: the start cannot continue without it."""
    try:
        yield
    except (TryAgain, StoreError) as error:
        told = database.engine.unusable(error.__cause__) if error.__cause__ is not None else None
        raise told or no_answer(database.where, error) from error


async def _open_engine(
    url: str, schema: Schema, wakes: frozenset[str], clock: Clock, name: str, connections: int
) -> tuple[Engine, str]:
    if url.startswith(SQLITE_PREFIX):
        path = sqlite_path(url)
        return await SqliteEngine.open(path, schema.columns, wakes), str(path)
    if url.startswith(POSTGRES_PREFIXES):
        engine = await PostgresEngine.open(url, schema.columns, wakes, clock, name, connections)
        return engine, place(url)
    raise cannot_open(
        "database",
        "the address is neither sqlite3-fk-wal:<path> nor postgres://...",
        "Write file:<path> or postgres://user:password@host/name as database.uri in the config.",
    )


def sqlite_path(url: str) -> Path:
    """The path in an address, without the ``file:`` and ``?options`` that other bridges write."""
    path = url.removeprefix(SQLITE_PREFIX).removeprefix("file:").partition("?")[0]
    if not path or path == ":memory:":
        raise cannot_open(
            "database", "the address names no file.", "Write file:<path> as database.uri in the config."
        )
    return Path(path).absolute()
