"""One way to write SQL, translated here and nowhere else for the two engines.

Parameters are ``:name``. Types are the capital words BYTES, INTEGER, REAL, TEXT: 64-bit integers,
double floats, and text that sorts by its bytes. NULLs in an ORDER BY behave differently on the
engines: avoid them. Forms that one engine does not know, or reads differently, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.store.columns import BYTES, INTEGER, REAL, TEXT, Columns

POSTGRES_TYPES: Mapping[str, str] = {
    BYTES: "BYTEA",
    INTEGER: "BIGINT",
    REAL: "DOUBLE PRECISION",
    TEXT: "TEXT",
}
SQLITE_TYPES: Mapping[str, str] = {BYTES: "BLOB", INTEGER: "INTEGER", REAL: "REAL", TEXT: "TEXT"}
_DDL_POSTGRES_TYPES = {**POSTGRES_TYPES, TEXT: 'TEXT COLLATE "C"'}
_PIECE = re.compile(
    r"""
      (?P<quoted> '(?:[^']|'')*' | "[^"]*" )
    | :(?P<name> [a-z_][a-z0-9_]* )
    | \b(?P<type> BYTES|INTEGER|REAL|TEXT )\b
    | (?P<refused> [$?@`\[:;'"\\] | -- | /\* | \b(?:LIKE|ILIKE|GLOB|AUTOINCREMENT|RETURNING|REPLACE)\b )
    """,
    re.VERBOSE,
)
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True)
class Prepared:
    """A statement in an engine's form; ``names`` are its parameters in the order of their numbers."""

    sql: str
    names: tuple[str, ...]
    is_select: bool


def statements(script: str) -> tuple[str, ...]:
    """The statements of a schema file, in order, without comments; no string there holds ``--`` or ``;``."""
    parts = _COMMENT.sub("", script).split(";")
    return tuple(text for part in parts if (text := part.strip()))


def for_sqlite(sql: str) -> Prepared:
    """The SQLite form: parameters stay ``:name`` and are bound by name.

    Never numbered ones with a tuple: ``apsw`` takes ``$2`` for a *name* and binds by order of
    appearance, silently wrong. ``ValueError`` for what is not in the dialect.
    """
    names: dict[str, None] = {}

    def translate(piece: re.Match[str]) -> str:
        if (name := piece["name"]) is not None:
            names[name] = None
        return SQLITE_TYPES[piece["type"]] if piece["type"] else piece[0]

    text = _translated(sql, translate)
    strict = " STRICT" if text.startswith("CREATE TABLE") else ""
    return Prepared(text + strict, tuple(names), text.startswith("SELECT"))


def for_postgres(sql: str, columns: Columns, *, guard: bool = False) -> Prepared:
    """The PostgreSQL form: ``$n``, each cast to its column's type; ``ValueError`` as for SQLite.

    A ``guard`` locks the rows it finds until the commit: without that, another process could change
    them between the guard and the commit, and a fenced writer would get through.
    """
    names: dict[str, int] = {}
    types = _DDL_POSTGRES_TYPES if sql.lstrip().startswith(("CREATE", "ALTER")) else POSTGRES_TYPES

    def translate(piece: re.Match[str]) -> str:
        if (name := piece["name"]) is not None:
            return _parameter(names.setdefault(name, len(names) + 1), columns.type_of(name))
        return types[piece["type"]] if piece["type"] else piece[0]

    text = _translated(sql, translate)
    is_select = text.startswith("SELECT")
    return Prepared(text + (" FOR SHARE" if guard and is_select else ""), tuple(names), is_select)


def counted(prepared: Prepared, expect: int) -> str:
    """A form of a PostgreSQL statement that fails with a division by zero unless it touches ``expect`` rows.

    So many rows of parameters can be sent in one exchange, and each is counted by itself.
    """
    done = prepared.sql if prepared.is_select else f"{prepared.sql} RETURNING 1"
    return f"WITH done AS ({done}) SELECT 1 / (COUNT(*) = {expect:d})::int FROM done"  # noqa: S608 # our own


def _translated(sql: str, translate: Callable[[re.Match[str]], str]) -> str:
    def checked(piece: re.Match[str]) -> str:
        if piece["refused"]:
            raise ValueError(f"{piece[0]} is not in the dialect of both engines: {sql}")
        return translate(piece)

    text = _PIECE.sub(checked, sql).strip()
    if not text:
        raise ValueError("an empty statement")
    return text


def _parameter(number: int, kind: str | None) -> str:
    """``$number`` as PostgreSQL shall read it; without a type it infers one."""
    return f"${number}" if kind is None else f"CAST(${number} AS {POSTGRES_TYPES[kind]})"
