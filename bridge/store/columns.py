"""The columns of the schema and their types: what a parameter may hold follows from its name.

A parameter is named like a column, or like one after ``new_`` or ``old_``. So columns of one name
have one type in all tables, and PostgreSQL is told the type of every parameter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bridge.ports import Row, Value
from bridge.store.errors import Malformed
from bridge.store.tokens import Is, Token, split, statements, tokenize, without_space

BYTES, INTEGER, REAL, TEXT = "BYTES", "INTEGER", "REAL", "TEXT"
TYPES = frozenset({BYTES, INTEGER, REAL, TEXT})
PREFIXES = ("new_", "old_")
INTEGER_BITS = 63
"""Both engines keep 64-bit signed integers."""

_NO_COLUMN = frozenset({"PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT"})


class Columns:
    """The type of each column name that occurs in a schema."""

    def __init__(self, scripts: Iterable[str]) -> None:
        found = _Found({}, {}, {})
        for script in scripts:
            for statement in statements(script):
                _collect(without_space(tokenize(statement)), found)
        self.types: Mapping[str, str] = MappingProxyType(found.types)
        self.tables = {name: frozenset(columns) for name, columns in found.tables.items()}
        """Every table that the schema ever made, with its columns."""
        self.primary_keys = {name: frozenset(columns) for name, columns in found.primary_keys.items()}

    def type_of(self, parameter: str) -> str | None:
        """The type of a parameter by its name, or nothing when no column is named so."""
        found = self.types.get(parameter)
        for prefix in PREFIXES:
            if found is None and parameter.startswith(prefix):
                found = self.types.get(parameter[len(prefix) :])
        return found

    def check(self, names: Iterable[str], row: Row) -> None:
        """Raise ``Malformed`` unless ``row`` has a value of the right type for each of ``names``.

        The engines differ in what they swallow (a NUL in text, a float for an integer, NaN), so
        what is refused is decided here, the same for both.
        """
        for name in names:
            if name not in row:
                raise Malformed(f"no value for {name}")
            expected = self.type_of(name)
            if expected is None:
                raise Malformed(f"{name} is not named like a column of the schema")
            value = row[name]
            if value is not None and not _fits(value, expected):
                raise Malformed(f"the value for {name} is not {expected}")


@dataclass(frozen=True)
class _Found:
    types: dict[str, str]
    tables: dict[str, set[str]]
    primary_keys: dict[str, set[str]]


def _collect(tokens: tuple[Token, ...], found: _Found) -> None:
    """Note what a statement declares. What was dropped stays known: the name keeps its type."""
    words = [token.word for token in tokens]
    if words[:2] == ["CREATE", "TABLE"]:
        name = tokens[2].text
        found.tables[name], found.primary_keys[name] = set(), set()
        for declaration in split(tokens[4:-1], ","):
            if declaration[0].word == "PRIMARY":
                found.primary_keys[name] |= {token.text for token in declaration[3:-1] if token.text != ","}
            elif declaration[0].word not in _NO_COLUMN:
                _note(name, declaration, found)
    elif words[:2] == ["ALTER", "TABLE"]:
        _alter(tokens[2].text, tokens[3:], found)


def _alter(table: str, change: tuple[Token, ...], found: _Found) -> None:
    words = [token.word for token in change[:2]]
    if words == ["ADD", "COLUMN"]:
        _note(table, change[2:], found)
    elif words == ["RENAME", "TO"]:
        found.tables[change[2].text] = found.tables[table]
        found.primary_keys[change[2].text] = found.primary_keys[table]
    elif words == ["RENAME", "COLUMN"]:
        old, new = change[2].text, change[4].text
        found.types[new] = found.types[old]
        found.tables[table].add(new)
        if old in found.primary_keys[table]:
            found.primary_keys[table].add(new)


def _note(table: str, declaration: tuple[Token, ...], found: _Found) -> None:
    name = declaration[0].text
    kind = declaration[1].text if len(declaration) > 1 and declaration[1].kind is Is.WORD else ""
    if kind not in TYPES:
        raise ValueError(f"column {table}.{name} has the type {kind!r}; there are {', '.join(sorted(TYPES))}")
    if found.types.setdefault(name, kind) != kind:
        raise ValueError(f"column {table}.{name} is {kind}, but one of that name is {found.types[name]}")
    found.tables[table].add(name)
    if "PRIMARY" in [token.word for token in declaration]:
        found.primary_keys[table].add(name)


def _fits(value: Value, expected: str) -> bool:
    if expected == BYTES:
        return isinstance(value, bytes)
    if expected == TEXT:
        return isinstance(value, str) and "\0" not in value and _encodable(value)
    if expected == INTEGER:
        return isinstance(value, int) and -(2**INTEGER_BITS) <= value < 2**INTEGER_BITS
    return isinstance(value, int | float) and math.isfinite(value)


def _encodable(text: str) -> bool:
    """No lone surrogates: they have no UTF-8 form."""
    return text.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in text)
