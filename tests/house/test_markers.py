"""The rows of the fault and threat tables that are claimed have their tests, and no test claims another."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source import dotted, modules, show

CLAIMED_FAULTS: frozenset[str] = frozenset()
CLAIMED_THREATS: frozenset[str] = frozenset()
"""Rows that this version answers for; docs/differences.md says what is not claimed yet."""

LAST_FAULT, LAST_THREAT = 50, 50


def marked(kind: str) -> Iterator[tuple[str, str]]:
    """(row, where) of each ``fault("F17")`` or ``threat("S8")`` on a test."""
    for module in modules("tests"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == kind:
                for argument in node.args:
                    assert isinstance(argument, ast.Constant), (
                        f"{module.path}:{node.lineno}: a row is a literal"
                    )
                    yield str(argument.value), f"{module.path}:{node.lineno}"


def check(kind: str, letter: str, last: int, claimed: frozenset[str]) -> None:
    rows = {f"{letter}{number}" for number in range(1, last + 1)}
    found = dict(marked(kind))
    assert claimed <= rows
    assert not (strange := [f"{where}: no row {row}" for row, where in marked(kind) if row not in rows]), (
        show(strange)
    )
    assert sorted(claimed - found.keys()) == [], "claimed rows without a test"
    assert not (
        extra := [f"{where}: {row} is not in the table" for row, where in found.items() if row not in claimed]
    ), show(extra)


def test_every_claimed_row_of_the_fault_table_has_a_test() -> None:
    check("fault", "F", LAST_FAULT, CLAIMED_FAULTS)


def test_every_claimed_row_of_the_threat_table_has_a_test() -> None:
    check("threat", "S", LAST_THREAT, CLAIMED_THREATS)
