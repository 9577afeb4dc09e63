"""The columns of a schema and their types."""

from __future__ import annotations

import pytest

from bridge.store.columns import Columns
from bridge.store.errors import Malformed
from bridge.store.migrations import load_schema


def test_parameter_has_the_type_of_its_column() -> None:
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


def test_column_name_has_one_type_in_all_tables() -> None:
    with pytest.raises(ValueError, match=r"u\.a is TEXT, but another is BYTES"):
        Columns(["CREATE TABLE t (a BYTES)", "CREATE TABLE u (a TEXT)"])


def test_columns_list_every_table() -> None:
    columns = Columns(
        [
            "CREATE TABLE t (a BYTES NOT NULL, b TEXT DEFAULT 'x', PRIMARY KEY (a, b), CHECK (b <> ','))",
            "CREATE TABLE u (\n    a BYTES PRIMARY KEY,\n    c REAL, FOREIGN KEY (a) REFERENCES t (a)\n)",
            "CREATE INDEX u_by_c ON u (c)",
        ]
    )
    assert columns.tables == {"t": {"a", "b"}, "u": {"a", "c"}}


def test_unknown_parameter_is_malformed() -> None:
    with pytest.raises(Malformed, match="named like a column"):
        Columns(["CREATE TABLE t (a BYTES)"]).check(["b"], {"b": 1})


def test_schema_of_the_bridge_is_parsed() -> None:
    schema = load_schema()
    assert schema.version >= 1
    assert schema.columns.tables.keys() >= {"schema_version", "store_lease"}
