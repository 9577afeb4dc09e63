"""SQLite behind two threads: one with the writing connection, one with the reading connection.

Settings are those of reliability.md: WAL, ``synchronous=FULL``, immediate transactions. They are
read back, since SQLite ignores what it cannot do (no WAL on a network file system).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

import apsw

from bridge.errors import Misconfigured, TryAgain
from bridge.ports import Row, Statement, Unit, Value
from bridge.store.actor import ThreadActor
from bridge.store.columns import Columns
from bridge.store.dialect import Prepared, for_sqlite
from bridge.store.engine import WAIT_FOR_LOCK_MS, Outcome, rows_in_order, wrong_count
from bridge.store.errors import AlreadyThere, Malformed, busy, cannot_open
from bridge.store.files import sync_folder
from bridge.store.lock import FileLock

OLDEST_ENGINE = (3, 51, 3)
"""Older ones can corrupt a database in WAL mode when a writer meets a checkpoint (reliability.md, 5)."""
STATEMENTS_KEPT = 1_000
BACKUP_FORM = "{name}.before-version-{version}"

Result = TypeVar("Result")
_prepare = lru_cache(STATEMENTS_KEPT)(for_sqlite)
_FAULTS_OF_A_UNIT = (apsw.ConstraintError, apsw.MismatchError, apsw.SQLError, apsw.TooBigError, TypeError)
_LOCKED = (apsw.BusyError, apsw.LockedError)
_UNIQUE = (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY)


def check_engine(version: str) -> None:
    """Refuse an SQLite that is too old, by its version such as ``3.54.1``."""
    if tuple(int(part) for part in version.split(".")) < OLDEST_ENGINE:
        wanted = ".".join(str(part) for part in OLDEST_ENGINE)
        raise cannot_open(
            "database",
            f"the SQLite engine is {version}, which can corrupt a database; {wanted} is the oldest safe one.",
            "Install the pinned version of apsw, which brings its own engine.",
        )


class SqliteEngine:
    """One SQLite file. ``session`` is the writing connection as migrations use it."""

    def __init__(self, path: Path, columns: Columns, wakes: frozenset[str]) -> None:
        self._path = path
        self._columns = columns
        self._wakes = wakes
        self._woken = asyncio.Event()
        self._lock = FileLock(path)
        self._writer = _Connection(path, "store-writer", reading=False)
        self._reader = _Connection(path, "store-reader", reading=True)
        self.session = SqliteSession(self._writer, path)

    @classmethod
    async def open(cls, path: Path, columns: Columns, wakes: frozenset[str]) -> SqliteEngine:
        """Take the lock, then open or make the file."""
        check_engine(apsw.sqlite_lib_version())
        engine = cls(path, columns, wakes)
        try:
            await engine._writer.run(_nothing)
        except BaseException as error:
            await engine.close()
            if (told := engine.unusable(error)) is not None:
                raise told from error
            raise
        return engine

    @property
    def open_calls(self) -> int:
        """See ``Engine``."""
        return self._writer.actor.open_calls + self._reader.actor.open_calls

    async def take_over(self) -> None:
        """See ``Engine``: the kernel holds the lock as long as the process lives, nothing more is needed."""

    async def write(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        """See ``Engine``. The whole batch is one call of the writing thread."""
        outcomes = await self._writer.run(lambda connection: _write(connection, units, self._columns))
        if any(
            outcome is None and unit.kind.name in self._wakes
            for unit, outcome in zip(units, outcomes, strict=True)
        ):
            self._woken.set()
        return outcomes

    async def read(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Row]:
        """See ``Engine``."""
        statement = _prepare(sql)
        if not statement.is_select:
            raise Malformed("only a SELECT reads")
        try:
            return await self._reader.run(lambda connection: _rows(connection, statement, parameters))
        except (apsw.SQLError, apsw.MismatchError, TypeError) as error:
            raise Malformed(f"{type(error).__name__} in: {sql}") from error
        except apsw.Error as error:
            raise TryAgain(f"reading: {type(error).__name__}") from error

    async def changed(self) -> None:
        """See ``Engine``."""
        await self._woken.wait()
        self._woken.clear()

    async def truncate_log(self) -> None:
        """See ``Engine``; ``TryAgain`` while a reader is in the way."""
        try:
            await self._writer.run(
                lambda connection: connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            )
        except apsw.Error as error:
            raise TryAgain(f"emptying the log: {type(error).__name__}") from error

    def unusable(self, error: BaseException) -> Misconfigured | None:
        """See ``Engine``. What SQLite says about a statement of ours is a mistake of ours."""
        if isinstance(error, _LOCKED):
            return busy(str(self._path))
        if not isinstance(error, apsw.Error | OSError) or isinstance(error, _FAULTS_OF_A_UNIT):
            return None
        return unusable_file(self._path, error)

    async def close(self) -> None:
        """See ``Engine``. The writing connection goes last: it empties the log."""
        try:
            await self._reader.close()
            await self._writer.close()
        finally:
            self._lock.free()


class _Connection:
    """A connection that lives in its own thread and is opened anew after any error.

    Closing it rolls back whatever was open, and after a failed COMMIT SQLite's word on what is
    stored cannot be trusted before the file is opened again (F25).
    """

    def __init__(self, path: Path, name: str, *, reading: bool) -> None:
        self._path = path
        self._reading = reading
        self._connection: apsw.Connection | None = None
        self.actor = ThreadActor(name)

    async def run(self, function: Callable[[apsw.Connection], Result]) -> Result:
        """Run ``function`` in the thread. After an error the connection is dropped."""
        return await self.actor.call(lambda: self._run(function))

    def _run(self, function: Callable[[apsw.Connection], Result]) -> Result:
        try:
            if self._connection is None:
                self._connection = _open(self._path, self._reading)
            return function(self._connection)
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close(True)
            self._connection = None

    async def close(self) -> None:
        """Close the connection and end the thread."""
        try:
            await self.actor.call(self._drop)
        finally:
            self.actor.stop()


class Runs(Protocol):
    """Runs a function with a connection."""

    async def run(self, function: Callable[[apsw.Connection], Result]) -> Result:
        """What ``function`` returns."""
        ...


class SqliteSession:
    """The writing connection for migrations."""

    def __init__(self, connection: Runs, path: Path) -> None:
        self._connection = connection
        self._path = path

    async def execute(self, sql: str, parameters: Mapping[str, Value] | None = None) -> None:
        """See ``Session``."""
        text = "BEGIN IMMEDIATE" if sql == "BEGIN" else for_sqlite(sql).sql
        await self._connection.run(lambda connection: connection.execute(text, parameters or {}).fetchall())

    async def rows(self, sql: str) -> Sequence[Row]:
        """See ``Session``."""
        return await self._connection.run(lambda connection: _rows(connection, for_sqlite(sql), {}))

    async def tables(self) -> Mapping[str, frozenset[str]]:
        """See ``Session``."""
        sql = (
            "SELECT s.name, c.name FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c"
            " WHERE s.type = 'table' AND substr(s.name, 1, 7) <> 'sqlite_'"
        )
        found: dict[str, set[str]] = {}
        for table, column in await self._connection.run(
            lambda connection: connection.execute(sql).fetchall()
        ):
            found.setdefault(str(table), set()).add(str(column))
        return {table: frozenset(names) for table, names in found.items()}

    async def back_up(self, version: int) -> str:
        """Write a compact copy beside the database, whole or not at all, readable by its owner only."""
        name = BACKUP_FORM.format(name=self._path.name, version=version)
        target = self._path.with_name(name)
        try:
            await self._connection.run(lambda connection: _copy(connection, target))
        except (apsw.Error, OSError) as error:
            raise cannot_open(
                str(target),
                f"the copy before the change of the database failed ({error}).",
                "Make room beside the database, then start again.",
            ) from error
        return str(target)


def unusable_file(path: Path, error: apsw.Error | OSError) -> Misconfigured:
    """Why a file cannot be used as the database."""
    if isinstance(error, apsw.NotADBError):
        return cannot_open(
            str(path),
            "is not a database of this bridge: another program wrote it.",
            "Name another file in database.uri, or restore a backup under this name.",
        )
    return cannot_open(
        str(path),
        f"is not a database that can be used ({getattr(error, 'strerror', error)}).",
        "Make room and see that the bridge's user may write there, or restore a backup.",
    )


def _nothing(_connection: apsw.Connection) -> None:
    """Do nothing: opening the connection is enough."""


def _open(path: Path, reading: bool) -> apsw.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW)
    connection.set_busy_timeout(WAIT_FOR_LOCK_MS)
    wanted: dict[str, str | int] = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "trusted_schema": 0,
        "temp_store": 2,
    }
    if reading:
        wanted["query_only"] = 1
    for name, value in wanted.items():
        connection.pragma(name, value)
        if connection.pragma(name) != value:
            connection.close(True)
            raise cannot_open(
                str(path), f"SQLite cannot set {name} to {value} there.", "Keep the database on a local disk."
            )
    return connection


def _copy(connection: apsw.Connection, target: Path) -> None:
    partial = target.with_name(target.name + ".partial")
    partial.unlink(missing_ok=True)
    file = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        connection.execute("VACUUM INTO ?", (str(partial),))
        os.fsync(file)
    finally:
        os.close(file)
    partial.replace(target)
    sync_folder(target.parent)


def _rows(connection: apsw.Connection, statement: Prepared, parameters: Mapping[str, Value]) -> list[Row]:
    missing = set(statement.names) - parameters.keys()
    if missing:
        raise Malformed(f"no value for {sorted(missing)}")
    found: list[Row] = []
    names: list[str] = []
    cursor = connection.execute(statement.sql, parameters)
    for values in cursor:
        names = names or [column[0] for column in cursor.get_description()]
        found.append(dict(zip(names, values, strict=True)))
    return found


def _write(connection: apsw.Connection, units: Sequence[Unit], columns: Columns) -> list[Outcome]:
    connection.execute("BEGIN IMMEDIATE")
    outcomes: list[Outcome] = []
    for unit in units:
        connection.execute("SAVEPOINT unit")
        outcome = _outcome(connection, unit, columns)
        if outcome is not None:
            connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")
        outcomes.append(outcome)
    connection.execute("COMMIT")
    return outcomes


def _outcome(connection: apsw.Connection, unit: Unit, columns: Columns) -> Outcome:
    """Run a unit; return None or why it was refused. Errors of the engine itself are raised."""
    statement: Statement | None = None
    try:
        for name, statement, rows in rows_in_order(unit):
            prepared = _prepare(statement.sql)
            for row in rows:
                columns.check(prepared.names, row)
                found = connection.execute(prepared.sql, row).fetchall()
                count = len(found) if prepared.is_select else connection.changes()
                if statement.expect is not None and count != statement.expect:
                    return wrong_count(unit, name, count)
    except apsw.ConstraintError as error:
        if getattr(error, "extendedresult", None) in _UNIQUE:
            return ((statement and statement.error) or AlreadyThere)(str(error))
        return Malformed(str(error))
    except Malformed as error:
        return error
    except (*_FAULTS_OF_A_UNIT, ValueError) as error:
        return Malformed(f"{type(error).__name__}: {error}")
    return None
