"""Units of one kind as one run of each statement: PostgreSQL takes all their rows through ``unnest``.

Merged, statement after statement runs over the rows of all units. That is the same as unit after
unit only when no unit touches what another one writes; ``Merging`` answers for which units that is so.
What remains (unique indexes on other columns, counts that differ) shows as an error or a wrong
count, and the caller runs the batch again unit by unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.ports import Kind, Statement, Unit, Value
from bridge.store.columns import Columns
from bridge.store.dialect import POSTGRES_TYPES, parse
from bridge.store.engine import rows_in_order
from bridge.store.footprint import NotPlain, Parts, Touch, cut, touches
from bridge.store.tokens import Is, Token, without_space

_COUNT = "SELECT COUNT(*), COUNT(DISTINCT number) FROM done"
_Key = tuple[str, tuple[Value, ...]]


@dataclass(frozen=True)
class Merged:
    """The merged form of a statement: one array of values for each of ``names``.

    ``counts``: it answers (rows touched, rows of parameters that touched one), else with a status.
    """

    sql: str
    names: tuple[str, ...]
    counts: bool


@dataclass(frozen=True)
class Group:
    """Units that follow each other. ``forms`` run them together; without them each runs row by row."""

    units: Sequence[Unit]
    forms: Mapping[str, Merged] | None


@dataclass(frozen=True)
class _Mark:
    """How a row of parameters says what it touches: a table and the parameters that tell rows of it apart."""

    table: str
    names: tuple[str, ...]
    writes: bool


@dataclass(frozen=True)
class _Plan:
    forms: Mapping[str, Merged]
    marks: Mapping[str, tuple[_Mark, ...]]


class _Touched:
    """What a group of rows reads and writes."""

    def __init__(self) -> None:
        self.read: set[_Key] = set()
        self.written: set[_Key] = set()

    def meets(self, other: _Touched) -> bool:
        """Whether one writes what the other touches."""
        return not (
            self.written.isdisjoint(other.written)
            and self.written.isdisjoint(other.read)
            and self.read.isdisjoint(other.written)
        )

    def add(self, other: _Touched) -> None:
        self.read |= other.read
        self.written |= other.written


class Merging:
    """Plans for the kinds of a schema, made when a kind is first seen."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._plans: dict[int, tuple[Kind, _Plan | None]] = {}

    def groups(self, units: Sequence[Unit]) -> Iterator[Group]:
        """Cut ``units``, whose rows were checked, into groups in their order."""
        members: list[Unit] = []
        forms: Mapping[str, Merged] | None = None
        touched = _Touched()
        for unit in units:
            plan = self._plan(unit.kind)
            mine = _touched(unit, plan) if plan is not None else None
            fits = mine is not None and bool(members) and members[0].kind is unit.kind
            if members and not (fits and mine is not None and not touched.meets(mine)):
                yield Group(members, forms)
                members, touched = [], _Touched()
            if plan is None or mine is None:
                yield Group([unit], None)
            else:
                members.append(unit)
                touched.add(mine)
                forms = plan.forms
        if members:
            yield Group(members, forms)

    def _plan(self, kind: Kind) -> _Plan | None:
        known = self._plans.get(id(kind))
        if known is None or known[0] is not kind:
            known = kind, _make_plan(kind, self._columns)
            self._plans[id(kind)] = known
        return known[1]


def _touched(unit: Unit, plan: _Plan) -> _Touched | None:
    """What a unit touches; ``None`` when rows of one statement depend on each other."""
    whole = _Touched()
    for name, _, rows in rows_in_order(unit):
        of_statement = _Touched()
        for row in rows:
            of_row = _Touched()
            for mark in plan.marks[name]:
                key = mark.table, tuple(row[parameter] for parameter in mark.names)
                (of_row.written if mark.writes else of_row.read).add(key)
            if of_statement.meets(of_row):
                return None
            of_statement.add(of_row)
        whole.add(of_statement)
    return whole


def _make_plan(kind: Kind, columns: Columns) -> _Plan | None:
    try:
        parts = {name: cut(without_space(parse(each.sql))) for name, each in kind.statements.items()}
        touched = {name: touches(each, columns) for name, each in parts.items()}
        if _may_hide(kind, parts, touched):
            return None
        marks = _marks(touched, columns)
        forms = {name: _merged(parts[name], each, columns) for name, each in kind.statements.items()}
    except NotPlain:
        return None
    return _Plan(forms, marks)


def _may_hide(kind: Kind, parts: Mapping[str, Parts], touched: Mapping[str, Sequence[Touch]]) -> bool:
    """Whether an INSERT that forgives conflicts, uncounted, could meet a row another statement removes."""
    written: list[str] = [touch.table for each in touched.values() for touch in each if touch.writes]
    return any(
        bool(parts[name].conflict) and statement.expect is None and written.count(parts[name].table) > 1
        for name, statement in kind.statements.items()
    )


def _marks(touched: Mapping[str, Sequence[Touch]], columns: Columns) -> Mapping[str, tuple[_Mark, ...]]:
    """For each table that a kind writes, the columns that tell its rows apart in every statement."""
    every = [touch for each in touched.values() for touch in each]
    telling: dict[str, tuple[str, ...]] = {}
    for table in {touch.table for touch in every if touch.writes}:
        of_table = [touch for touch in every if touch.table == table]
        common = set.intersection(*(set(touch.equal) for touch in of_table))
        common -= {name for touch in of_table for name in touch.changes}
        if not common:
            raise NotPlain(f"rows of {table} cannot be told apart")
        primary = columns.primary_keys.get(table, frozenset())
        telling[table] = tuple(sorted(primary if primary and primary <= common else common))
    return {
        name: tuple(
            _Mark(touch.table, tuple(touch.equal[column] for column in telling[touch.table]), touch.writes)
            for touch in each
            if touch.table in telling
        )
        for name, each in touched.items()
    }


def _merged(parts: Parts, statement: Statement, columns: Columns) -> Merged:
    tokens = parse(statement.sql)
    names = tuple(dict.fromkeys(token.text for token in tokens if token.kind is Is.PARAMETER))
    if not names or statement.expect not in (None, 0, 1):
        raise NotPlain("no parameters, or a count of its own")
    types = [columns.type_of(name) for name in names]
    arrays = ", ".join(f"${n}::{POSTGRES_TYPES[kind]}[]" for n, kind in enumerate(types, 1) if kind)
    if None in types:
        raise NotPlain("a parameter of no known type")
    listed = ", ".join(f'"p_{name}"' for name in names)
    given = f'unnest({arrays}) WITH ORDINALITY AS given({listed}, "p#")'
    where = f" WHERE {_text(parts.where)}" if parts.where else ""
    if parts.verb == "INSERT":
        into = f"{parts.table} ({', '.join(parts.columns)})"
        sql = f"INSERT INTO {into} SELECT {_text(parts.values)} FROM {given}{where}"  # noqa: S608 # our own
        conflict = f" ON {_text(parts.conflict)}" if parts.conflict else ""
        return Merged(f'{sql} ORDER BY given."p#"{conflict}', names, counts=False)
    if parts.verb == "UPDATE":
        sql = f"UPDATE {parts.table} SET {_text(parts.values)} FROM {given}{where}"  # noqa: S608 # our own
    elif parts.verb == "DELETE":
        sql = f"DELETE FROM {parts.table} USING {given}{where}"  # noqa: S608 # our own
    else:
        found = f"{given} CROSS JOIN LATERAL ({_text(parts.values)} FOR SHARE) AS found"
        sql = f'SELECT given."p#" AS number FROM {found}'  # noqa: S608 # our own
        return Merged(f"WITH done AS ({sql}) {_COUNT}", names, counts=True)
    return Merged(f'WITH done AS ({sql} RETURNING given."p#" AS number) {_COUNT}', names, counts=True)


def _text(tokens: Sequence[Token]) -> str:
    """SQL with each parameter as a column of the rows given."""
    return " ".join(_piece(token) for token in tokens)


def _piece(token: Token) -> str:
    if token.kind is Is.PARAMETER:
        return f'given."p_{token.text}"'
    if token.kind is Is.WORD:
        return POSTGRES_TYPES.get(token.text, token.text)
    return str(token)
