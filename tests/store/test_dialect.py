"""One SQL, two engines: parameters, types and what is refused."""

from __future__ import annotations

import apsw
import pytest

from bridge.store.columns import Columns
from bridge.store.dialect import counted, for_postgres, for_sqlite, statements

COLUMNS = Columns(
    ["CREATE TABLE t (a BYTES NOT NULL PRIMARY KEY, b INTEGER, c REAL, d TEXT NOT NULL DEFAULT 'x,y')"]
)


def test_parameter_is_numbered_by_name_and_cast() -> None:
    prepared = for_postgres("UPDATE t SET d = :d WHERE a = :a AND b = :old_b AND d <> :d", COLUMNS)
    assert prepared.sql == (
        "UPDATE t SET d = CAST($1 AS TEXT) WHERE a = CAST($2 AS BYTEA)"
        " AND b = CAST($3 AS BIGINT) AND d <> CAST($1 AS TEXT)"
    )
    assert prepared.names == ("d", "a", "old_b")


def test_sqlite_binds_by_name_in_any_order() -> None:
    prepared = for_sqlite("SELECT :b AS first, :a AS second, :b AS third")
    found = apsw.Connection(":memory:").execute(prepared.sql, {"a": 1, "b": 2}).fetchall()
    assert found == [(2, 1, 2)]


def test_numbered_parameters_are_refused_because_apsw_misbinds_them() -> None:
    trap = apsw.Connection(":memory:").execute("SELECT $2, $1", (1, 2)).fetchall()
    assert trap == [(1, 2)], "apsw binds numbered-looking names by appearance: if not, simplify the dialect"
    with pytest.raises(ValueError, match="dialect"):
        for_sqlite("SELECT $2, $1")


def test_colons_in_quotes_are_not_parameters() -> None:
    sql = """SELECT ':a', 'it''s :b', ":c" FROM t WHERE a = :a"""
    assert for_sqlite(sql).names == ("a",)
    prepared = for_postgres(sql, COLUMNS)
    assert prepared.names == ("a",)
    assert "':a', 'it''s :b', \":c\"" in prepared.sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ?",
        "SELECT ?1",
        "SELECT $1",
        "SELECT @a",
        "SELECT :1",
        "SELECT a::text FROM t",
        "SELECT $$text$$",
        "SELECT [a] FROM t",
        "SELECT `a` FROM t",
        "SELECT 'open",
        'SELECT "open',
        "SELECT 1 /* comment */",
        "SELECT 1 -- comment",
        "SELECT 1; SELECT 2",
        "SELECT d FROM t WHERE d LIKE 'a'",
        "INSERT INTO t (a) VALUES (:a) RETURNING a",
        "REPLACE INTO t (a) VALUES (:a)",
        "",
        " ",
    ],
)
def test_syntax_of_one_engine_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        for_sqlite(sql)
    with pytest.raises(ValueError, match=r".+"):
        for_postgres(sql, COLUMNS)


def test_create_table_is_strict_with_native_types() -> None:
    sql = "CREATE TABLE t (a BYTES, b INTEGER, c REAL, d TEXT DEFAULT 'BYTES TEXT')"
    assert for_sqlite(sql).sql == (
        "CREATE TABLE t (a BLOB, b INTEGER, c REAL, d TEXT DEFAULT 'BYTES TEXT') STRICT"
    )
    assert for_postgres(sql, COLUMNS).sql == (
        "CREATE TABLE t (a BYTEA, b BIGINT, c DOUBLE PRECISION, d TEXT COLLATE \"C\" DEFAULT 'BYTES TEXT')"
    )


def test_guard_locks_its_rows_on_postgresql_only() -> None:
    sql = "SELECT a FROM t WHERE a = :a"
    assert for_postgres(sql, COLUMNS, guard=True).sql.endswith(" FOR SHARE")
    assert "FOR SHARE" not in for_postgres(sql, COLUMNS).sql
    assert "FOR SHARE" not in for_postgres("DELETE FROM t WHERE a = :a", COLUMNS, guard=True).sql


def test_script_is_split_at_its_semicolons() -> None:
    script = "-- First; a sentence.\nCREATE TABLE t (a TEXT);\n-- More.\nCREATE INDEX i ON t (a);\n"
    assert statements(script) == ("CREATE TABLE t (a TEXT)", "CREATE INDEX i ON t (a)")


def test_counted_form_fails_unless_the_count_fits() -> None:
    delete = for_postgres("DELETE FROM t WHERE a = :a", COLUMNS)
    assert counted(delete, 1) == (
        "WITH done AS (DELETE FROM t WHERE a = CAST($1 AS BYTEA) RETURNING 1)"
        " SELECT 1 / (COUNT(*) = 1)::int FROM done"
    )
    guard = for_postgres("SELECT a FROM t WHERE a = :a", COLUMNS, guard=True)
    assert "FOR SHARE)" in counted(guard, 0)
