"""The rows of the fault and threat tables that are claimed have their tests, and no test claims another."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source import dotted, modules, show

CLAIMED_FAULTS = {
    *range(1, 12),
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    24,
    25,
    26,
    27,
    29,
    30,
    31,
    40,
    41,
    42,
    45,
    46,
}
CLAIMED_THREATS = {1, 2, 4, 8, 9, 10, 11, 14, 15, 18, 19, 20, 21, 26, 27, 28, 29, 30, 31, 32, 39, 48}
"""Rows that this version answers for. A row is taken off only together with what it promised."""

LAST_FAULT, LAST_THREAT = 50, 50


def marked(kind: str) -> Iterator[tuple[str, str]]:
    """(row, where) of each ``fault("F17")`` or ``threat("S8")`` on a test."""
    for module in modules("tests"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and dotted(node.func) == f"pytest.mark.{kind}":
                for argument in node.args:
                    assert isinstance(argument, ast.Constant), (
                        f"{module.path}:{node.lineno}: a row is a literal"
                    )
                    yield str(argument.value), f"{module.path}:{node.lineno}"


def check(kind: str, letter: str, last: int, claimed: set[int]) -> None:
    found = dict(marked(kind))
    table = {f"{letter}{number}" for number in range(1, last + 1)}
    listed = {f"{letter}{number}" for number in claimed}
    assert listed <= table
    assert not (strange := [f"{found[row]}: no row {row}" for row in found.keys() - table]), show(strange)
    assert sorted(listed - found.keys()) == [], "claimed rows without a test"
    assert not (unlisted := [f"{found[row]}: add {row} to the table" for row in found.keys() - listed]), show(
        unlisted
    )


def test_every_claimed_row_of_the_fault_table_has_a_test() -> None:
    check("fault", "F", LAST_FAULT, CLAIMED_FAULTS)


def test_every_claimed_row_of_the_threat_table_has_a_test() -> None:
    check("threat", "S", LAST_THREAT, CLAIMED_THREATS)
