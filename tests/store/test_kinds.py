"""Every kind of unit that the bridge declares is understood by both engines, merged or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.ports import Kind, Row, Unit, Value
from bridge.store import kinds
from bridge.store.columns import Columns
from bridge.store.dialect import counted, for_postgres, for_sqlite
from bridge.store.errors import Fenced, Malformed
from bridge.store.migrations import SCHEMA_FOLDER, load_schema
from bridge.store.postgres import PostgresEngine
from bridge.store.tables import accounts
from tests.store.support import open_at

COLUMNS = load_schema().columns
SAMPLES: dict[str | None, Value] = {"BYTES": b"x", "TEXT": "x", "INTEGER": 1, "REAL": 1.0}
NOT_MERGED = {"agree", "take-over", "left", "expire"}
"""Rare ones, whose statements touch whatever fits and not a row by its key."""


def sample(kind: Kind, columns: Columns) -> Unit:
    """A unit of ``kind`` with one row for each statement, which fits the schema and little else."""
    rows: dict[str, list[Row]] = {}
    for name, statement in kind.statements.items():
        rows[name] = [
            {each: SAMPLES[columns.type_of(each)] for each in for_sqlite(statement.sql).names},
        ]
    return Unit(kind, rows)


def singles() -> Iterator[Unit]:
    """Each statement of each kind as a unit of its own."""
    for kind in kinds.ALL:
        whole = sample(kind, COLUMNS)
        for name, statement in kind.statements.items():
            yield Unit(Kind(f"{kind.name}.{name}", {name: statement}), {name: whole.rows[name]})


async def test_every_statement_runs_on_both_engines(url: str) -> None:
    database = await open_at(url, schema=SCHEMA_FOLDER)
    for each in singles():
        outcomes = await database.engine.write([each])
        assert not isinstance(outcomes[0], Malformed), f"{each.kind.name}: {outcomes[0]}"
    await database.close()


async def test_every_counted_form_can_be_prepared(postgres_url: str) -> None:
    database = await open_at(postgres_url, schema=SCHEMA_FOLDER)
    assert isinstance(database.engine, PostgresEngine)
    for statement in (each for kind in kinds.ALL for each in kind.statements.values()):
        prepared = for_postgres(statement.sql, COLUMNS, guard=True)
        if statement.expect is not None:
            await database.engine._writing.prepare(counted(prepared, statement.expect))
    await database.close()


def test_only_rare_kinds_are_not_merged() -> None:
    assert {kind.name for kind in kinds.ALL if kind.merge_by is None} == NOT_MERGED


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_merge_by_names_parameters_of_its_statement(kind: Kind) -> None:
    for name, statement in kind.statements.items():
        assert set(statement.merge_by or ()) <= set(for_sqlite(statement.sql).names), name


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_only_the_fence_merges_without_keys(kind: Kind) -> None:
    shared = [statement for statement in kind.statements.values() if statement.merge_by == ()]
    assert set(shared) <= {accounts.FENCE}


async def test_guarded_kinds_are_fenced_by_a_newer_epoch(url: str) -> None:
    database = await open_at(url, schema=SCHEMA_FOLDER)
    await database.commit(Unit(kinds.AGREE, {"open": sample(kinds.AGREE, COLUMNS).rows["open"]}))
    await database.commit(kinds.unit(kinds.TAKE_OVER, take_over=[{"owner": "another"}]))
    for kind in kinds.ALL:
        if "fence" in kind.statements:
            with pytest.raises(Fenced):
                await database.commit(sample(kind, COLUMNS))
    await database.close()


def test_kind_names_are_unique() -> None:
    names = [kind.name for kind in kinds.ALL]
    assert len(set(names)) == len(names)
