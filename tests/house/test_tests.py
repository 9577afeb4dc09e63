"""A test checks something, waits for nothing but what it asked for, and is never switched off."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source import Module, dotted, modules, show

CHECKS = {"pytest.raises", "pytest.warns", "pytest.fail", "run_state_machine_as_test"}
"""Calls that fail by themselves. ``try`` and ``suppress`` do not: they only say what is allowed."""

SWITCHES = {"pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "unittest.skip", "pytest.xfail"}
"""What a machine lacks is said by ``missing`` of tests.peers.presence, which fails where it matters."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def every_test() -> Iterator[tuple[Module, Definition]]:
    for module in modules("tests"):
        for node in ast.walk(module.tree):
            if isinstance(node, Definition) and node.name.startswith("test_"):
                yield module, node


def called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)


def fails_by_itself(node: ast.AST) -> bool:
    """Whether a node is an assertion, as opposed to a call of a function that holds one."""
    if isinstance(node, ast.Assert | ast.Raise):
        return True
    return isinstance(node, ast.Call) and dotted(node.func) in CHECKS


class Assertions:
    """Which functions of the tests can fail, by themselves or through one that they call."""

    def __init__(self) -> None:
        self._definitions: dict[str, set[tuple[str, int]]] = {}
        self._failing: set[tuple[str, int]] = set()
        calls: dict[tuple[str, int], set[str]] = {}
        for module in modules("tests"):
            for node in ast.walk(module.tree):
                if not isinstance(node, Definition):
                    continue
                place = module.path, node.lineno
                self._definitions.setdefault(node.name, set()).add(place)
                inside = list(ast.walk(node))
                calls[place] = {called(each) for each in inside if isinstance(each, ast.Call)}
                if any(map(fails_by_itself, inside)):
                    self._failing.add(place)
        while found := {
            place
            for place, names in calls.items()
            if place not in self._failing and any(self._can_fail(name, place[0]) for name in names)
        }:
            self._failing |= found

    def stand_in(self, module: Module, test: Definition) -> bool:
        """Whether a test can fail for what it saw."""
        return (module.path, test.lineno) in self._failing

    def _can_fail(self, name: str, path: str) -> bool:
        """Whether a call of this name in a file can: the one defined there, or else every one there is."""
        places = self._definitions.get(name, set())
        here = {place for place in places if place[0] == path}
        return bool(places) and (here or places) <= self._failing


def test_every_test_checks_something() -> None:
    assertions = Assertions()
    problems = [
        f"{module.path}:{test.lineno}: {test.name}"
        for module, test in every_test()
        if not assertions.stand_in(module, test)
    ]
    assert not problems, show(problems)


def test_no_test_is_switched_off() -> None:
    problems = [
        f"{module.path}:{node.lineno}: {dotted(node)}"
        for module in modules("tests")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and dotted(node) in SWITCHES
    ]
    assert not problems, show(problems)


def test_no_test_sleeps_and_hopes() -> None:
    problems = []
    for module in modules("tests"):
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or dotted(node.func) not in {"time.sleep", "asyncio.sleep"}:
                continue
            # A form of the clock hands its argument on; sleep(0) lets the others run once.
            if node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value != 0:
                problems.append(f"{module.path}:{node.lineno}: {ast.unparse(node)}")
    assert not problems, show(problems)


def test_no_two_tests_of_a_file_have_the_same_name() -> None:
    problems, seen = [], set()
    for module, test in every_test():
        key = (module.path, test.name)
        if key in seen:
            problems.append(f"{module.path}:{test.lineno}: {test.name}")
        seen.add(key)
    assert not problems, show(problems)
