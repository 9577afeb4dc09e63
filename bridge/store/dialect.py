"""One way to write SQL, translated here and nowhere else for the two engines.

Parameters are ``:name``. Types are the capital words BYTES, INTEGER, REAL, TEXT: 64-bit integers,
double floats, and text that sorts by its bytes. ``LIKE`` and NULLs in an ORDER BY behave differently
on the engines; the first is refused, the second is for the writer of the statement to avoid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.store.columns import BYTES, INTEGER, REAL, TEXT, Columns
from bridge.store.tokens import Is, Token, join, tokenize, without_space

POSTGRES_TYPES: Mapping[str, str] = {
    BYTES: "BYTEA",
    INTEGER: "BIGINT",
    REAL: "DOUBLE PRECISION",
    TEXT: "TEXT",
}
SQLITE_TYPES: Mapping[str, str] = {BYTES: "BLOB", INTEGER: "INTEGER", REAL: "REAL", TEXT: "TEXT"}
_DDL_POSTGRES_TYPES = {**POSTGRES_TYPES, TEXT: 'TEXT COLLATE "C"'}
_REFUSED = frozenset({"LIKE", "ILIKE", "GLOB", "AUTOINCREMENT", "RETURNING", "REPLACE"})


@dataclass(frozen=True)
class Prepared:
    """A statement in an engine's form; ``names`` are its parameters in the order of their numbers."""

    sql: str
    names: tuple[str, ...]
    is_select: bool


def parse(sql: str) -> tuple[Token, ...]:
    """The tokens of exactly one statement of the dialect; ``ValueError`` otherwise."""
    tokens = tokenize(sql)
    for token in tokens:
        if token.word in _REFUSED or token.text == ";":
            raise ValueError(f"{token.text} is not in the dialect of both engines: {sql}")
    if not without_space(tokens):
        raise ValueError("an empty statement")
    return tokens


def for_sqlite(sql: str) -> Prepared:
    """The SQLite form: parameters stay ``:name`` and are bound by name.

    Never numbered ones with a tuple: ``apsw`` takes ``$2`` for a *name* and binds by order of
    appearance, silently wrong.
    """
    tokens = parse(sql)
    text = "".join(SQLITE_TYPES.get(str(token), str(token)) for token in tokens).strip()
    if _creates_table(tokens):
        text += " STRICT"
    return Prepared(text, _names(tokens), _is_select(tokens))


def for_postgres(sql: str, columns: Columns, *, guard: bool = False) -> Prepared:
    """The PostgreSQL form: ``$n``, each cast to its column's type.

    A ``guard`` locks the rows it finds until the commit: without that, another process could change
    them between the guard and the commit, and a fenced writer would get through.
    """
    tokens = parse(sql)
    names = _names(tokens)
    text = join([Token(Is.WORD, _postgres(token, names, columns, tokens)) for token in tokens])
    if guard and _is_select(tokens):
        text += " FOR SHARE"
    return Prepared(text, names, _is_select(tokens))


def _postgres(token: Token, names: tuple[str, ...], columns: Columns, tokens: Sequence[Token]) -> str:
    if token.kind is Is.PARAMETER:
        return parameter(names.index(token.text) + 1, columns.type_of(token.text))
    if token.kind is Is.WORD:
        types = _DDL_POSTGRES_TYPES if _declares(tokens) else POSTGRES_TYPES
        return types.get(token.text, token.text)
    return str(token)


def parameter(number: int, kind: str | None) -> str:
    """``$number`` as PostgreSQL shall read it; without a type it infers one."""
    return f"${number}" if kind is None else f"CAST(${number} AS {POSTGRES_TYPES[kind]})"


def _names(tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(token.text for token in tokens if token.kind is Is.PARAMETER))


def _is_select(tokens: Sequence[Token]) -> bool:
    return without_space(tokens)[0].word == "SELECT"


def _declares(tokens: Sequence[Token]) -> bool:
    return without_space(tokens)[0].word in ("CREATE", "ALTER")


def _creates_table(tokens: Sequence[Token]) -> bool:
    return [token.word for token in without_space(tokens)[:2]] == ["CREATE", "TABLE"]
