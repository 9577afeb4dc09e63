"""States are members of enums, and only the transition tables change them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source import Module, modules, show

COLUMNS = {"state", "old_state"}

CHANGES_STATES = {"transitions", "enlist", "journal"}
"""Modules that give the row which moves a message, an account or an entry on; all others ask them."""


def product() -> list[Module]:
    """The sandbox has states of its own, and tells them as text."""
    return [module for module in modules("bridge") if not module.name.startswith("bridge.sandbox")]


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def texts_for_states(module: Module) -> Iterator[int]:
    """The lines in which a state is compared with a text, or a column of one is set to it."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            is_state = any(isinstance(side, ast.Attribute) and side.attr == "state" for side in sides)
            if is_state and any(is_text(part) for side in sides for part in ast.walk(side)):
                yield node.lineno
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in COLUMNS and is_text(value):
                    yield value.lineno


def rows_of_changes(module: Module) -> Iterator[int]:
    """The lines in which a row is made that moves a state."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and key.value == "old_state":
                    yield key.lineno


def test_state_is_never_a_text() -> None:
    problems = [f"{module.path}:{line}" for module in product() for line in texts_for_states(module)]
    assert not problems, show(problems)


def test_state_is_changed_in_few_places() -> None:
    found = {module.name.split(".")[-1] for module in product() if any(rows_of_changes(module))}
    assert found == CHANGES_STATES


def test_text_for_a_state_is_found() -> None:
    tree = ast.parse('if known.state in ("a", "b"): row = {"state": "c"}\nif x.state == "d": pass')
    assert sorted(texts_for_states(Module("", "", tree))) == [1, 1, 2]
