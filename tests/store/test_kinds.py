"""Every kind of unit that the bridge declares is understood by both engines, merged or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.ports import Kind, Row, Unit, Value
from bridge.store import kinds
from bridge.store.columns import Columns
from bridge.store.dialect import for_sqlite
from bridge.store.errors import Malformed
from bridge.store.merging import Merging
from bridge.store.migrations import SCHEMA_FOLDER, load_schema
from bridge.store.postgres import PostgresEngine
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


async def test_no_statement_is_malformed(url: str) -> None:
    database = await open_at(url, schema=SCHEMA_FOLDER)
    for each in singles():
        outcomes = await database.engine.write([each])
        assert not isinstance(outcomes[0], Malformed), f"{each.kind.name}: {outcomes[0]}"
    await database.close()


async def test_every_merged_form_is_understood(postgres_url: str) -> None:
    database = await open_at(postgres_url, schema=SCHEMA_FOLDER)
    assert isinstance(database.engine, PostgresEngine)
    for kind in kinds.ALL:
        for group in Merging(COLUMNS).groups([sample(kind, COLUMNS)]):
            for merged in (group.forms or {}).values():
                await database.engine._writing.prepare(merged.sql)
    await database.close()


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_kinds_can_run_together(kind: Kind) -> None:
    (group,) = Merging(COLUMNS).groups([sample(kind, COLUMNS)])
    assert (group.forms is None) == (kind.name in NOT_MERGED)


def test_kinds_have_different_names() -> None:
    names = [kind.name for kind in kinds.ALL]
    assert len(set(names)) == len(names)
