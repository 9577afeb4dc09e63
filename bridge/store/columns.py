"""The columns of the schema and their types: what a parameter may hold follows from its name.

A parameter is named like a column, or like one after ``new_`` or ``old_``. So columns of one name
have one type in all tables, and PostgreSQL is told the type of every parameter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bridge.ports import Row, Value
from bridge.store.errors import Malformed

BYTES, INTEGER, REAL, TEXT = "BYTES", "INTEGER", "REAL", "TEXT"
PREFIXES = ("new_", "old_")
INTEGER_BITS = 63
"""Both engines keep 64-bit signed integers."""

_TYPE = "(BYTES|INTEGER|REAL|TEXT)\\b"
_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*)\)", re.DOTALL)
_COLUMN = re.compile(rf"(?:^|[(,])\s*(\w+) {_TYPE}")
_ADDED = re.compile(rf"ALTER TABLE (\w+) ADD COLUMN (\w+) {_TYPE}")


class Columns:
    """The type of each column name that occurs in a schema, given as its statements.

    ``ValueError`` for two columns of one name and different types. What was dropped stays known.
    """

    def __init__(self, statements: Iterable[str]) -> None:
        types: dict[str, str] = {}
        tables: dict[str, frozenset[str]] = {}
        for statement in statements:
            for table, column, kind in _declared(statement):
                if types.setdefault(column, kind) != kind:
                    raise ValueError(f"column {table}.{column} is {kind}, but another is {types[column]}")
                tables[table] = tables.get(table, frozenset()) | {column}
        self.types: Mapping[str, str] = MappingProxyType(types)
        self.tables: Mapping[str, frozenset[str]] = MappingProxyType(tables)
        """Every table that the schema ever made, with its columns."""

    def type_of(self, parameter: str) -> str | None:
        """The type of a parameter by its name, or nothing when no column is named so."""
        found = self.types.get(parameter)
        for prefix in PREFIXES:
            if found is None and parameter.startswith(prefix):
                found = self.types.get(parameter[len(prefix) :])
        return found

    def check(self, names: Iterable[str], row: Row) -> None:
        """Raise ``Malformed`` unless ``row`` has a value of the right type for each of ``names``.

        The engines differ in what they accept (a NUL in text, a float for an integer, NaN), so
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


def _declared(statement: str) -> list[tuple[str, str, str]]:
    """Table, column and type of each column that a statement declares."""
    if table := _TABLE.match(statement):
        return [(table[1], name, kind) for name, kind in _COLUMN.findall(table[2])]
    return [(table, name, kind) for table, name, kind in _ADDED.findall(statement)]


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
