"""The columns of a schema and their types."""

from __future__ import annotations

import pytest

from bridge.store.columns import Columns
from bridge.store.errors import Malformed
from bridge.store.migrations import load_schema


def test_a_parameter_has_the_type_of_its_column() -> None:
    columns = Columns(["CREATE TABLE t (a BYTES, old_b TEXT)", "ALTER TABLE t ADD COLUMN c INTEGER"])
    names = ["a", "new_a", "old_a", "old_b", "c", "b", "other_a"]
    assert [columns.type_of(name) for name in names] == [
        "BYTES",
        "BYTES",
        "BYTES",
        "TEXT",
        "INTEGER",
        None,
        None,
    ]


def test_columns_of_one_name_have_one_type_everywhere() -> None:
    with pytest.raises(ValueError, match=r"u\.a is TEXT, but one of that name is BYTES"):
        Columns(["CREATE TABLE t (a BYTES)", "CREATE TABLE u (a TEXT)"])


@pytest.mark.parametrize("kind", ["", "VARCHAR", "BOOLEAN", "text", "BLOB"])
def test_a_type_of_one_engine_only_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=r"there are BYTES, INTEGER, REAL, TEXT"):
        Columns([f"CREATE TABLE t (a {kind})"])


def test_constraints_are_no_columns_and_keys_are_known() -> None:
    columns = Columns(
        [
            "CREATE TABLE t (a BYTES, b TEXT, PRIMARY KEY (a, b), UNIQUE (b), CHECK (b <> ','))",
            "CREATE TABLE u (a BYTES PRIMARY KEY, c REAL, FOREIGN KEY (a) REFERENCES t (a))",
        ]
    )
    assert columns.tables == {"t": {"a", "b"}, "u": {"a", "c"}}
    assert columns.primary_keys == {"t": {"a", "b"}, "u": {"a"}}


def test_a_renamed_table_and_column_keep_what_is_known() -> None:
    columns = Columns(
        [
            "CREATE TABLE t (a BYTES PRIMARY KEY)",
            "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME COLUMN a TO b;",
        ]
    )
    assert "b" in columns.tables["u"] and "b" in columns.primary_keys["u"]
    assert columns.type_of("b") == "BYTES"


def test_a_parameter_that_is_no_column_is_refused_in_a_unit() -> None:
    with pytest.raises(Malformed, match="named like a column"):
        Columns(["CREATE TABLE t (a BYTES)"]).check(["b"], {"b": 1})


def test_the_bridges_own_schema_can_be_read() -> None:
    schema = load_schema()
    assert schema.version >= 1
    assert schema.columns.tables.keys() >= {"schema_version", "store_lease"}
