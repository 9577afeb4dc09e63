"""Which units may run together on PostgreSQL: those of one kind that touch different rows.

Merged, each statement runs over the rows of all units before the next statement does. That is the
same as unit after unit when no unit touches a row that another one writes. Statements declare the
parameters that tell their rows apart (``Statement.merge_by``): units which share no value of them
are independent. What remains (unique indexes on other columns, counts that differ) shows as an error,
and the caller runs the batch again unit by unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.ports import Unit, Value

_Key = tuple[str, Value]


def groups(units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    """Cut ``units`` into groups in their order; the units of a group are of one kind and independent."""
    group: list[Unit] = []
    taken: set[_Key] = set()
    for unit in units:
        keys = _written(unit)
        fits = bool(group) and unit.kind is group[0].kind and keys is not None and taken.isdisjoint(keys)
        if group and not fits:
            yield group
            group, taken = [], set()
        group.append(unit)
        taken |= keys or set()
    if group:
        yield group


def _written(unit: Unit) -> set[_Key] | None:
    """What tells apart the rows that a unit writes; None where its kind is not merged."""
    names = unit.kind.merge_by
    if names is None:
        return None
    return {(name, row[name]) for rows in unit.rows.values() for row in rows for name in names if name in row}
