"""The interface of a database engine, for the writer and the migrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from bridge.errors import Misconfigured
from bridge.ports import Row, Statement, Unit, Value
from bridge.store.errors import Malformed, WrongCount

Outcome = Exception | None
"""None: the unit is stored; else the reason why nothing of it is."""

WAIT_FOR_LOCK_MS = 5_000
"""How long a statement waits for another writer before the batch is given up (F24)."""


class Session(Protocol):
    """The writing connection as migrations use it, one statement of our dialect at a time."""

    async def execute(self, sql: str, parameters: Mapping[str, Value] | None = None) -> None:
        """Run a statement, BEGIN, COMMIT and ROLLBACK among them."""
        ...

    async def rows(self, sql: str) -> Sequence[Row]:
        """The rows of a SELECT."""
        ...

    async def tables(self) -> Mapping[str, frozenset[str]]:
        """Tables that exist, each with its columns."""
        ...

    async def back_up(self, version: int) -> str:
        """Keep a copy of the database as it is, and say where. ``Misconfigured`` when that cannot be done."""
        ...


class Engine(Protocol):
    """One database with one writing connection."""

    @property
    def session(self) -> Session:
        """The writing connection, for migrations."""
        ...

    async def take_over(self) -> None:
        """From now on only this process writes; called once, after the migrations."""
        ...

    async def write(self, units: Sequence[Unit]) -> Sequence[Outcome]:
        """Commit ``units`` in order, each whole or not at all; return the outcome of each.

        Any exception means that nothing is known; the connection is opened anew before the next
        write.
        """
        ...

    async def read(self, sql: str, parameters: Mapping[str, Value]) -> Sequence[Row]:
        """Return committed rows."""
        ...

    async def changed(self) -> None:
        """Return after the next commit of a waking unit; for one consumer, which misses none."""
        ...

    async def truncate_log(self) -> None:
        """Remove deleted rows from files outside the tables, where the engine can."""
        ...

    @property
    def open_calls(self) -> int:
        """Calls given to threads and not yet answered."""
        ...

    def unusable(self, error: BaseException) -> Misconfigured | None:
        """The refusal for the admin when ``error`` ends a start; None if it is not an error of the engine."""
        ...

    async def close(self) -> None:
        """Close all connections and release the lock."""
        ...


def rows_in_order(unit: Unit) -> list[tuple[str, Statement, Sequence[Row]]]:
    """The statements of a unit that have rows, in their kind's order; ``Malformed`` for unknown names."""
    unknown = unit.rows.keys() - unit.kind.statements.keys()
    if unknown:
        raise Malformed(f"{unit.kind.name} has no statement {sorted(unknown)}")
    return [
        (name, statement, unit.rows[name])
        for name, statement in unit.kind.statements.items()
        if unit.rows.get(name)
    ]


def wrong_count(unit: Unit, name: str, count: int) -> Exception:
    """The error of a statement that touched ``count`` rows."""
    statement = unit.kind.statements[name]
    error = statement.error or WrongCount
    return error(f"{unit.kind.name}.{name}: {count} rows instead of {statement.expect}")
