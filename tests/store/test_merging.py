"""Which units run together on PostgreSQL, and in which form."""

from __future__ import annotations

import pytest

from bridge.ports import Kind, Row, Statement, Unit
from bridge.store.merging import Merging
from bridge.store.migrations import load_schema
from tests.store.support import CHANGE, INTAKE, OWNER, RENAMED, SCHEMA, THING, move, put, thing, unit

COLUMNS = load_schema(SCHEMA).columns


def sizes(*units: Unit) -> list[int]:
    """How many units run together: negative where they run row by row."""
    return [
        len(group.units) if group.forms is not None else -len(group.units)
        for group in Merging(COLUMNS).groups(units)
    ]


def intake(key: int) -> Unit:
    return unit(INTAKE, put=[thing(key)], remember=[{"thing_id": key.to_bytes(4, "big")}])


def test_units_of_one_kind_that_follow_each_other_run_together() -> None:
    assert sizes(put(1), put(2), put(3)) == [3]
    assert sizes(put(1), move(2, 1, 2), put(3), put(4)) == [1, 1, 2]


def test_units_that_write_the_same_row_do_not_run_together() -> None:
    assert sizes(move(1, 1, 2), move(2, 1, 2), move(1, 2, 3), move(2, 2, 3)) == [2, 2]


def test_a_unit_does_not_run_with_one_that_writes_what_it_asks_for() -> None:
    assert sizes(intake(1), intake(2), intake(1)) == [2, 1]


def test_rows_of_one_statement_that_meet_run_one_by_one() -> None:
    twice = unit(THING, put=[thing(1), thing(1)])
    assert sizes(put(2), twice, put(3)) == [1, -1, 1]


def test_units_share_what_they_only_read() -> None:
    fence: list[Row] = [{"name": "a", "epoch": 1}]
    assert sizes(*(unit(CHANGE, fence=fence, put=[thing(key)]) for key in range(5))) == [5]


def test_the_column_that_a_statement_changes_tells_no_rows_apart() -> None:
    rows = [{"name": "a", "new_name": "b"}, {"name": "b", "new_name": "c"}]
    assert sizes(*(unit(RENAMED, rename=[row]) for row in rows)) == [-1, -1]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE thing SET body = :body",
        "UPDATE thing SET body = :body WHERE version < :version",
        "UPDATE thing SET body = :body WHERE thing_id = :thing_id OR name = :name",
        "DELETE FROM thing WHERE version = (SELECT MAX(version) FROM thing WHERE name = :name)",
        "INSERT INTO thing (thing_id, name, version) VALUES (:thing_id, :name, (SELECT COUNT(*) FROM thing))",
        "INSERT INTO thing (thing_id, name, version) SELECT thing_id, :name, 1 FROM seen",
        "INSERT INTO owner (name, epoch) VALUES (:name, :epoch) ON CONFLICT (name) DO UPDATE SET epoch = 0",
        "UPDATE owner SET epoch = 1 FROM thing WHERE owner.name = :name",
        "DELETE FROM thing",
    ],
)
def test_a_statement_whose_rows_cannot_be_told_apart_is_not_merged(sql: str) -> None:
    assert sizes(Unit(Kind("k", {"s": Statement(sql)}), {"s": [thing(1)]})) == [-1]


def test_an_insert_that_forgives_is_not_merged_with_what_removes_from_its_table() -> None:
    forgiving = Statement("INSERT INTO owner (name, epoch) VALUES (:name, 1) ON CONFLICT DO NOTHING")
    removing = Statement("DELETE FROM owner WHERE name = :name")
    kind = Kind("k", {"put": forgiving, "drop": removing})
    assert sizes(Unit(kind, {"put": [{"name": "a"}]})) == [-1]
    counted = Kind("k", {"put": Statement(forgiving.sql, expect=1), "drop": removing})
    assert sizes(Unit(counted, {"put": [{"name": "a"}]})) == [1]


def test_a_column_of_the_outer_table_tells_nothing_of_the_inner_one() -> None:
    sql = "INSERT INTO owner (name, epoch) SELECT :name, 1 WHERE NOT EXISTS (SELECT 1 FROM seen WHERE {})"
    forget = Statement("DELETE FROM seen WHERE thing_id = :thing_id")
    plain = Kind("k", {"s": Statement(sql.format("thing_id = :thing_id")), "f": forget})
    assert sizes(Unit(plain, {"s": [{"name": "a", "thing_id": b""}]})) == [1]
    fooled = Kind("k", {"s": Statement(sql.format("name = :name")), "f": forget})
    assert sizes(Unit(fooled, {"s": [{"name": "a"}]})) == [-1]


def test_a_kind_that_only_inserts_is_told_apart_by_its_key() -> None:
    assert sizes(*(unit(OWNER, own=[{"name": name, "epoch": 1}]) for name in "aba")) == [2, 1]
