"""What a database holds, read without its lock and without a change, also while a bridge runs on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from bridge.ports import Clock
from bridge.store.database import POSTGRES_PREFIXES, sqlite_path
from bridge.store.engine import Session
from bridge.store.errors import busy, cannot_open
from bridge.store.migrations import checked_version, load_schema
from bridge.store.postgres import CANNOT_CONNECT
from bridge.store.postgres_connections import check_server, connect, place, unusable
from bridge.store.postgres_session import PostgresSession
from bridge.store.sqlite import Result, SqliteSession, unusable_file
from bridge.store.tables.contacts import ANY_GHOST

WAIT_FOR_LOCK_MS = 2_000
"""An admin waits for the answer; a bridge that writes holds a lock for milliseconds."""
NAME = "interop-bridge-check"


@dataclass(frozen=True)
class Inspected:
    """What was found. ``version`` 0: no bridge has started on it. ``kept``: its wrapped keys by name."""

    where: str
    version: int = 0
    kept: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    accounts: int = 0
    ghost: str | None = None
    """The localpart of a contact's ghost."""


async def inspect(url: str, *, profile_id: str | None, clock: Clock) -> Inspected:
    """Look at the database of ``url``; ``Misconfigured`` (14, 15) when a start could not use it.

    ``profile_id`` None: which profile it was made under is not compared.
    """
    if url.startswith(POSTGRES_PREFIXES):
        where, opened = place(url), _postgres(url, clock)
    else:
        path = sqlite_path(url)
        where, opened = str(path), _sqlite(path)
        if not _exists(path):
            return Inspected(where)
    async with opened as session:
        return await _read(session, where, profile_id)


async def _read(session: Session, where: str, profile_id: str | None) -> Inspected:
    version = await checked_version(session, load_schema(), where, profile_id)
    if version == 0:
        return Inspected(where)
    kept = {
        str(row["name"]): bytes(row["value"])  # type: ignore[arg-type]  # the schema says BYTES
        for row in await session.rows("SELECT name, value FROM installation")
    }
    counted = await session.rows("SELECT COUNT(*) AS accounts FROM account WHERE own_keys IS NOT NULL")
    ghosts = await session.rows(ANY_GHOST)
    ghost = str(ghosts[0]["ghost"]) if ghosts else None
    return Inspected(where, version, kept, int(counted[0]["accounts"] or 0), ghost)


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[Session]:
    try:
        # Without a log nobody has the database open. It is then read as it is: else SQLite would make
        # a log and an index beside it, perhaps for the wrong user.
        is_open = path.with_name(path.name + "-wal").exists()
        uri = f"{path.as_uri()}?mode=ro{'' if is_open else '&immutable=1'}"
        connection = apsw.Connection(uri, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            connection.set_busy_timeout(WAIT_FOR_LOCK_MS)
            yield SqliteSession(_Directly(connection), path)
        finally:
            connection.close()
    except (apsw.BusyError, apsw.LockedError) as error:
        raise busy(str(path)) from error
    except (apsw.Error, OSError) as error:
        raise unusable_file(path, error) from error


class _Directly:
    """Runs a function of the connection at once: a check has no loop to keep free."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def run(self, function: Callable[[apsw.Connection], Result]) -> Result:
        """See ``bridge.store.sqlite.Runs``."""
        return function(self._connection)


@asynccontextmanager
async def _postgres(url: str, clock: Clock) -> AsyncIterator[Session]:
    try:
        connection = await connect(url, NAME, clock, writing=False)
        try:
            await check_server(connection, place(url))
            yield PostgresSession(connection, load_schema().columns, url)
        finally:
            connection.terminate()
    except CANNOT_CONNECT as error:
        raise unusable(url, error) from error


def _exists(path: Path) -> bool:
    """Whether there is a file. A first start makes the file but no folder: ``Misconfigured`` without one."""
    try:
        if path.exists():
            return True
        folder = path.parent
        if folder.is_dir():
            return False
        what = f"cannot be made: {folder} {'is not a folder' if folder.exists() else 'does not exist'}."
    except OSError as error:
        what = f"cannot be made ({error.strerror})."
    raise cannot_open(
        str(path),
        what,
        "Name a file in database.uri in a folder that exists and that the bridge can write to.",
    )
