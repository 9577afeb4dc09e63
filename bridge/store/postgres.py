"""PostgreSQL: one writing connection, one that holds the lock and listens, a few that read.

Independent units of one kind run together (``merge``): each statement with all their rows in one
exchange. When anything does not fit, the transaction is rolled back and the batch runs again unit by
unit, each under a savepoint. Every batch first takes the
lease, a row with a number that each new owner raises, and keeps it locked until its commit. So a process
that lost its lock without noticing can write nothing (F29); and what a batch whose answer was lost may
still commit is visible before anything that is written after it: the pump, which looks for entries
behind the last it saw, misses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from bridge.errors import Misconfigured, TryAgain
from bridge.ports import Clock, Row, Statement, Unit, Value
from bridge.store.columns import Columns
from bridge.store.dialect import Prepared, counted, for_postgres
from bridge.store.engine import Outcome, rows_in_order, wrong_count
from bridge.store.errors import AlreadyThere, Fenced, Malformed, busy
from bridge.store.merge import groups
from bridge.store.postgres_connections import (
    CONNECTIONS,
    NOT_READING,
    READ_SECONDS,
    Guard,
    Readers,
    connect,
    end_former,
    place,
    unusable,
)
from bridge.store.postgres_session import PostgresSession

WRITE_SECONDS = 30.0
"""A batch that takes longer has an unknown outcome; its connection is cut."""
STATEMENTS_KEPT = 1_000
LEASE_TABLE = "store_lease"
WRITING = "-writing"
"""Suffix of the writing session's name."""

_FAULTS_OF_A_UNIT = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.SyntaxOrAccessError,
    asyncpg.CardinalityViolationError,
    asyncpg.UnsupportedClientFeatureError,
)


CANNOT_CONNECT = (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""``ValueError`` for an address that cannot be read; its text is not told, it may hold the password."""


class _Refused(Exception):
    """Something of a batch did not fit; ``outcome`` is what it means to its unit, if that is known."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


class PostgresEngine:
    """One database, of which a schema is ours: the first of the search path."""

    open_calls = 0

    def __init__(
        self,
        url: str,
        columns: Columns,
        wakes: frozenset[str],
        clock: Clock,
        name: str,
        connections: int = CONNECTIONS,
    ) -> None:
        self._url = url
        self._name = name
        self._columns = columns
        self._wakes = wakes
        self._clock = clock
        self._woken = asyncio.Event()
        self._guard = Guard(url, name, clock, self._woken.set, self._is_own)
        self._readers = Readers(url, name, clock, max(1, connections - NOT_READING))
        self._writing: Any = None
        self._lease: int | None = None
        self._prepare = lru_cache(STATEMENTS_KEPT)(self._prepared)

    @classmethod
    async def open(
        cls,
        url: str,
        columns: Columns,
        wakes: frozenset[str],
        clock: Clock,
        name: str,
        connections: int = CONNECTIONS,
    ) -> PostgresEngine:
        """Take the lock and connect; ``Misconfigured`` when that cannot be, or the server is unsafe.

        ``connections``: at most so many in all, but never less than one that reads.
        """
        engine = cls(url, columns, wakes, clock, name, connections)
        try:
            await engine._guard.take()
            await engine._readers.open()
            engine._writing = await engine._connect()
        except BaseException as error:
            await engine.close()
            if isinstance(error, CANNOT_CONNECT):
                raise unusable(url, error) from error
            raise
        return engine

    @property
    def session(self) -> PostgresSession:
        """See ``Engine``."""
        return PostgresSession(self._writing, self._columns, self._url)

    async def take_over(self) -> None:
        """See ``Engine``: raise the lease, so that an earlier owner can write no more."""
        sql = f"UPDATE {LEASE_TABLE} SET lease_epoch = lease_epoch + 1 RETURNING lease_epoch"  # noqa: S608
        self._lease = await self._writing.fetchval(sql)
        if self._lease is None:
            raise unusable(self._url, ValueError("its lease is missing"))

    async def write(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        """See ``Engine``."""
        outcomes: list[Outcome] = [self._fault(unit) for unit in units]
        sound = [index for index, outcome in enumerate(outcomes) if outcome is None]
        if not sound:
            return outcomes
        try:
            async with self._clock.limit(WRITE_SECONDS):
                await self._make_ready()
                found = await self._transact([units[index] for index in sound])
        except BaseException:
            self._drop()
            self._woken.set()  # it may have happened
            raise
        if any(found[at] is None and units[index].kind.name in self._wakes for at, index in enumerate(sound)):
            self._woken.set()
        for index, outcome in zip(sound, found, strict=True):
            outcomes[index] = outcome
        return outcomes

    async def read(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Row]:
        """See ``Engine``. A connection that turns out dead is tried anew once: to read again is harmless."""
        prepared = self._prepare(sql, False)
        if not prepared.is_select:
            raise Malformed("only a SELECT reads")
        if missing := set(prepared.names) - parameters.keys():
            raise Malformed(f"no value for {sorted(missing)}")
        values = [parameters[name] for name in prepared.names]
        try:
            async with self._clock.limit(READ_SECONDS):
                return [dict(record) for record in await self._readers.fetch(prepared.sql, values)]
        except _FAULTS_OF_A_UNIT as error:
            # without the cause, whose text quotes values
            raise Malformed(f"{type(error).__name__} in: {prepared.sql}") from None
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise TryAgain(f"reading: {type(error).__name__}") from error

    async def changed(self) -> None:
        """See ``Engine``. Looks after the guard as well; ``Fenced`` when another process took over."""
        while True:
            left = self._guard.look_in
            if left <= 0:
                with suppress(*CANNOT_CONNECT, Misconfigured):  # the next write says what is wrong
                    await self._guard.look()
            elif self._woken.is_set():
                self._woken.clear()
                return
            else:
                with suppress(TimeoutError):
                    async with self._clock.limit(left):
                        await self._woken.wait()

    async def truncate_log(self) -> None:
        """See ``Engine``: the server's log is the server's business."""

    def unusable(self, error: BaseException) -> Misconfigured | None:
        """See ``Engine``. What PostgreSQL says about a statement of ours is a mistake of ours."""
        if isinstance(error, asyncpg.LockNotAvailableError):
            return busy(place(self._url))
        is_ours = isinstance(error, (*_FAULTS_OF_A_UNIT, ValueError))
        if is_ours and not isinstance(error, asyncpg.InsufficientPrivilegeError):
            return None
        return unusable(self._url, error) if isinstance(error, CANNOT_CONNECT) else None

    async def close(self) -> None:
        """See ``Engine``."""
        self._drop()
        await self._readers.close()
        await self._guard.close()

    def _drop(self) -> None:
        if self._writing is not None:
            self._writing.terminate()
            self._writing = None

    def _fault(self, unit: Unit) -> Outcome:
        try:
            for _, statement, rows in rows_in_order(unit):
                names = self._prepare(statement.sql, True).names
                for row in rows:
                    self._columns.check(names, row)
        except Malformed as error:
            return error
        except ValueError as error:
            return Malformed(str(error))
        return None

    def _prepared(self, sql: str, guard: bool) -> Prepared:
        return for_postgres(sql, self._columns, guard=guard)

    async def _make_ready(self) -> None:
        """Ensure that we hold the lock and a live connection, or raise."""
        await self._guard.take()
        if self._writing is None or self._writing.is_closed():
            self._writing = await self._connect()
            await end_former(self._writing, self._name + WRITING)  # else it may keep the lease from us

    async def _connect(self) -> Any:
        return await connect(self._url, self._name + WRITING, self._clock, writing=True)

    def _is_own(self, session: int) -> bool:
        return self._writing is not None and bool(self._writing.get_server_pid() == session)

    async def _transact(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        await self._begin()
        try:
            for group in groups(units):
                await self._run_group(group)
            outcomes: list[Outcome] = [None] * len(units)
        except _Refused as refused:
            await self._writing.execute("ROLLBACK")
            if len(units) == 1 and refused.outcome is not None:
                return [refused.outcome]
            await self._begin()
            outcomes = [await self._run_guarded(unit) for unit in units]
        await self._notify(units, outcomes)
        if await self._writing.execute("COMMIT") != "COMMIT":
            raise TryAgain("the transaction was rolled back")  # PostgreSQL answers ROLLBACK without an error
        return outcomes

    async def _begin(self) -> None:
        """Open the transaction and hold the lease until its end; one exchange for both."""
        held = f"SELECT 1 FROM {LEASE_TABLE} WHERE lease_epoch = {self._lease:d} FOR UPDATE"  # noqa: S608
        if await self._writing.execute(f"BEGIN; {held}") != "SELECT 1":
            raise Fenced("another process has taken over the database")

    async def _notify(self, units: Sequence[Unit], outcomes: Sequence[Outcome]) -> None:
        stored = {unit.kind.name for unit, outcome in zip(units, outcomes, strict=True) if outcome is None}
        if stored & self._wakes:
            await self._writing.execute(self._guard.notify)

    async def _run_group(self, units: Sequence[Unit]) -> None:
        """Run each statement of a kind with the rows of all ``units`` before the next one."""
        for name, statement in units[0].kind.statements.items():
            rows = [(unit, row) for unit in units for row in unit.rows.get(name, ())]
            if len(rows) == 1:
                unit, row = rows[0]
                await self._run_row(unit, name, statement, row)
            elif rows:
                await self._run_rows(statement, [row for _, row in rows])

    async def _run_rows(self, statement: Statement, rows: Sequence[Row]) -> None:
        """Run a statement once for each row, in their order and in one exchange."""
        prepared = self._prepare(statement.sql, True)
        sql = prepared.sql if statement.expect is None else counted(prepared, statement.expect)
        values = [[row[name] for name in prepared.names] for row in rows]
        try:
            await self._writing.executemany(sql, values)
        except _FAULTS_OF_A_UNIT as error:
            raise _Refused(None) from error

    async def _run_unit(self, unit: Unit) -> None:
        for name, statement, rows in rows_in_order(unit):
            for row in rows:
                await self._run_row(unit, name, statement, row)

    async def _run_row(self, unit: Unit, name: str, statement: Statement, row: Row) -> None:
        prepared = self._prepare(statement.sql, True)
        values = [row[parameter] for parameter in prepared.names]
        try:
            count = _count(await self._writing.execute(prepared.sql, *values))
        except _FAULTS_OF_A_UNIT as error:
            raise _Refused(_meaning(error, statement)) from error
        if statement.expect is not None and count != statement.expect:
            raise _Refused(wrong_count(unit, name, count))

    async def _run_guarded(self, unit: Unit) -> Outcome:
        """Run a unit under its savepoint, so that its failure does not affect others."""
        await self._writing.execute("SAVEPOINT unit")
        try:
            await self._run_unit(unit)
        except _Refused as refused:
            await self._writing.execute("ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit")
            return refused.outcome
        await self._writing.execute("RELEASE SAVEPOINT unit")
        return None


def _count(status: str) -> int:
    """The rows of a status such as ``UPDATE 1`` or ``INSERT 0 1``; a SELECT's are the rows it found."""
    return int(status.rpartition(" ")[2])


def _meaning(error: Exception, statement: Statement) -> Exception:
    """Map an error of PostgreSQL for the unit's caller, without its text, which quotes values."""
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return TryAgain("the database refuses the bridge's role a right that it needs")
    if isinstance(error, asyncpg.UniqueViolationError):
        return (statement.error or AlreadyThere)(type(error).__name__)
    return Malformed(type(error).__name__)
