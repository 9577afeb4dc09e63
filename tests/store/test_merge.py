"""Which units run together on PostgreSQL, and that this is the same as running them one by one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.ports import Kind, Row, Statement, Unit, Value
from bridge.store import kinds
from bridge.store.columns import Columns
from bridge.store.database import Database
from bridge.store.dialect import for_sqlite
from bridge.store.merge import groups
from bridge.store.migrations import SCHEMA_FOLDER, load_schema
from tests.store.engines import PostgresServer
from tests.store.support import CHANGE, INTAKE, OWNER, RENAMED, THING, move, open_at, put, thing, unit

COLUMNS = load_schema().columns
TABLES = sorted(COLUMNS.tables.keys() - {"schema_version", "store_lease"})
MERGED = [kind for kind in kinds.ALL if kind.merge_by is not None]
VALUES: Mapping[str | None, Sequence[Value]] = {
    "BYTES": (b"0", b"1", b"2", b"3"),
    "TEXT": ("a", "b", "c"),
    "INTEGER": (0, 1, 2),
    "REAL": (0.0, 1.0),
}
"""So few that units meet each other, and what is in the tables."""
USUAL: Mapping[str, Sequence[Value]] = {"epoch": (1,), "state": ("a", "b"), "old_state": ("a",)}
"""Values of single columns: most units pass their guards."""


def sizes(*units: Unit) -> list[int]:
    """How many units run together."""
    return [len(group) for group in groups(units)]


def intake(key: int) -> Unit:
    return unit(INTAKE, put=[thing(key)], remember=[{"thing_id": key.to_bytes(4, "big")}])


def test_consecutive_units_of_one_kind_are_merged() -> None:
    assert sizes(put(1), put(2), put(3)) == [3]
    assert sizes(put(1), move(2, 1, 2), put(3), put(4)) == [1, 1, 2]


def test_units_that_share_a_row_are_not_merged() -> None:
    assert sizes(move(1, 1, 2), move(2, 1, 2), move(1, 2, 3), move(2, 2, 3)) == [2, 2]
    assert sizes(intake(1), intake(2), intake(1)) == [2, 1]
    assert sizes(*(unit(OWNER, own=[{"name": name, "epoch": 1}]) for name in "aba")) == [2, 1]


def test_units_may_share_a_guard() -> None:
    fence: list[Row] = [{"name": "a", "epoch": 1}]
    assert sizes(*(unit(CHANGE, fence=fence, put=[thing(key)]) for key in range(5))) == [5]


def test_kind_with_an_undeclared_statement_is_never_merged() -> None:
    rows = [{"name": "a", "new_name": "b"}, {"name": "c", "new_name": "d"}]
    assert sizes(*(unit(RENAMED, rename=[row]) for row in rows)) == [1, 1]
    mixed = Kind("mixed", {"put": THING.statements["put"], "any": Statement("DELETE FROM seen")})
    assert mixed.merge_by is None


def values_of(name: str) -> st.SearchStrategy[Value]:
    """Values for a column or parameter."""
    return st.sampled_from(USUAL.get(name) or VALUES[COLUMNS.type_of(name)])


@st.composite
def fillings(draw: st.DrawFn) -> dict[str, list[Row]]:
    """Rows for each table."""
    return {
        table: [
            {
                name: draw(st.sampled_from(VALUES[COLUMNS.types[name]]))
                for name in sorted(COLUMNS.tables[table])
            }
            for _ in range(draw(st.integers(0, 4)))
        ]
        for table in TABLES
    }


@st.composite
def batches(draw: st.DrawFn, kind: Kind) -> list[Unit]:
    """Units of a kind. Positions are given out once, so no two rows have the same."""
    positions = itertools.count(100)

    def value(name: str) -> Value:
        if name == "position":
            return next(positions)
        return draw(values_of(name))

    def rows(statement: Statement) -> list[Row]:
        names = for_sqlite(statement.sql).names
        return [{name: value(name) for name in names} for _ in range(draw(st.integers(0, 2)))]

    return [
        Unit(kind, {name: rows(statement) for name, statement in kind.statements.items()})
        for _ in range(draw(st.integers(2, 6)))
    ]


def _fill_statement(table: str, columns: Columns) -> Statement:
    names = sorted(columns.tables[table])
    values = ", ".join(f":{name}" for name in names)
    return Statement(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING")


CLEAR = Kind("clear", {table: Statement(f"DELETE FROM {table}") for table in TABLES})
FILL = Kind("fill", {table: _fill_statement(table, COLUMNS) for table in TABLES})


async def _run(
    database: Database, filling: dict[str, list[Row]], batches: Sequence[Sequence[Unit]]
) -> tuple[list[object], list[object]]:
    """Outcomes of the units, and what the tables hold at the end."""
    engine = database.engine
    filled = await engine.write([unit(CLEAR, **{table: [{}] for table in TABLES}), Unit(FILL, filling)])
    assert filled == [None, None]
    outcomes: list[object] = [type(outcome) for batch in batches for outcome in await engine.write(batch)]
    tables: list[object] = [
        sorted(map(repr, await database.read(f"SELECT * FROM {table}"))) for table in TABLES
    ]
    return outcomes, tables


class Pair:
    """Two PostgreSQL schemas with the bridge's tables, and a loop for them."""

    def __init__(self, runner: asyncio.Runner, merged: Database, single: Database) -> None:
        self.runner, self.merged, self.single = runner, merged, single


@pytest.fixture(scope="module")
def pair(postgres: PostgresServer) -> Iterator[Pair]:
    """Two empty databases of this module."""
    with asyncio.Runner() as runner:
        opened = [
            runner.run(open_at(runner.run(postgres.new_schema()), schema=SCHEMA_FOLDER)) for _ in range(2)
        ]
        yield Pair(runner, *opened)
        for each in opened:
            runner.run(each.close())


@pytest.mark.parametrize("kind", MERGED, ids=lambda kind: kind.name)
def test_merged_units_do_what_they_do_one_by_one(pair: Pair, kind: Kind) -> None:
    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(filling=fillings(), batch=batches(kind))
    def check(filling: dict[str, list[Row]], batch: list[Unit]) -> None:
        merged = pair.runner.run(_run(pair.merged, filling, [batch]))
        single = pair.runner.run(_run(pair.single, filling, [[each] for each in batch]))
        assert merged == single

    check()
