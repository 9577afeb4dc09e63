"""One SQL, two engines: parameters, types and what is refused."""

from __future__ import annotations

import apsw
import pytest

from bridge.store.columns import Columns
from bridge.store.dialect import for_postgres, for_sqlite
from bridge.store.tokens import statements, tokenize

COLUMNS = Columns(
    ["CREATE TABLE t (a BYTES NOT NULL PRIMARY KEY, b INTEGER, c REAL, d TEXT NOT NULL DEFAULT 'x,y')"]
)


def test_a_parameter_is_numbered_by_its_name_and_told_its_type() -> None:
    prepared = for_postgres("UPDATE t SET d = :d WHERE a = :a AND b = :old_b AND d <> :d", COLUMNS)
    assert prepared.sql == (
        "UPDATE t SET d = CAST($1 AS TEXT) WHERE a = CAST($2 AS BYTEA)"
        " AND b = CAST($3 AS BIGINT) AND d <> CAST($1 AS TEXT)"
    )
    assert prepared.names == ("d", "a", "old_b")


def test_sqlite_binds_by_name_whatever_the_order() -> None:
    prepared = for_sqlite("SELECT :b AS first, :a AS second, :b AS third")
    found = apsw.Connection(":memory:").execute(prepared.sql, {"a": 1, "b": 2}).fetchall()
    assert found == [(2, 1, 2)]


def test_the_binding_trap_is_there_and_the_dialect_keeps_out_of_it() -> None:
    trap = apsw.Connection(":memory:").execute("SELECT $2, $1", (1, 2)).fetchall()
    assert trap == [(1, 2)], "apsw binds numbered-looking names by appearance: if not, simplify the dialect"
    with pytest.raises(ValueError, match="dialect"):
        for_sqlite("SELECT $2, $1")


def test_colons_in_strings_names_and_comments_are_no_parameters() -> None:
    sql = """SELECT ':a', 'it''s :b', ":c" FROM t -- not :d
             /* nor :e */ WHERE a = :a"""
    assert for_sqlite(sql).names == ("a",)
    prepared = for_postgres(sql, COLUMNS)
    assert prepared.names == ("a",)
    assert "':a', 'it''s :b', \":c\"" in prepared.sql and ":d" not in prepared.sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ?",
        "SELECT ?1",
        "SELECT $1",
        "SELECT @a",
        "SELECT :1",
        "SELECT a::text FROM t",
        "SELECT E'\\n'",
        "SELECT x'00'",
        "SELECT $$text$$",
        "SELECT [a] FROM t",
        "SELECT `a` FROM t",
        "SELECT 'open",
        'SELECT "open',
        "SELECT 1 /* open",
        "SELECT 1 /* a /* b */ */",
        "SELECT 1; SELECT 2",
        "SELECT d FROM t WHERE d LIKE 'a'",
        "INSERT INTO t (a) VALUES (:a) RETURNING a",
        "REPLACE INTO t (a) VALUES (:a)",
        "",
        " -- nothing",
    ],
)
def test_what_only_one_engine_understands_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        for_sqlite(sql)
    with pytest.raises(ValueError, match=r".+"):
        for_postgres(sql, COLUMNS)


def test_tables_are_strict_and_types_are_each_engines_own() -> None:
    sql = "CREATE TABLE t (a BYTES, b INTEGER, c REAL, d TEXT DEFAULT 'BYTES TEXT')"
    assert for_sqlite(sql).sql == (
        "CREATE TABLE t (a BLOB, b INTEGER, c REAL, d TEXT DEFAULT 'BYTES TEXT') STRICT"
    )
    assert for_postgres(sql, COLUMNS).sql == (
        "CREATE TABLE t (a BYTEA, b BIGINT, c DOUBLE PRECISION, d TEXT COLLATE \"C\" DEFAULT 'BYTES TEXT')"
    )


def test_a_guard_locks_what_it_finds_on_postgresql_only() -> None:
    sql = "SELECT a FROM t WHERE a = :a"
    assert for_postgres(sql, COLUMNS, guard=True).sql.endswith(" FOR SHARE")
    assert "FOR SHARE" not in for_postgres(sql, COLUMNS).sql
    assert "FOR SHARE" not in for_postgres("DELETE FROM t WHERE a = :a", COLUMNS, guard=True).sql


def test_a_script_is_cut_at_its_semicolons_only() -> None:
    script = "-- First; a sentence.\nCREATE TABLE t (a TEXT DEFAULT ';'); /* ; */ CREATE INDEX i ON t (a);\n"
    assert statements(script) == ("CREATE TABLE t (a TEXT DEFAULT ';')", "CREATE INDEX i ON t (a)")


def test_tokens_give_back_the_sql() -> None:
    sql = "SELECT a.b, COUNT(*) FROM t WHERE x <> :x AND y = 'q' || \"z\" AND n >= 1.5"
    assert "".join(str(token) for token in tokenize(sql)) == sql
