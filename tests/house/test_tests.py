"""A test checks something, waits for nothing but what it asked for, and is never switched off."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source import Module, dotted, modules, show

CHECKING_NAMES = (
    "assert",
    "check",
    "expect",
    "raises",
    "must",
    "refuse",
    "suppress",
    "survives",
    "verify",
    "state_machine",
)
"""A call of such a name checks by itself: a helper, or pytest's own."""

SWITCHES = {"pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "unittest.skip", "pytest.xfail"}
"""What a machine lacks is said by ``missing`` of tests.peers.presence, which fails where it matters."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def every_test() -> Iterator[tuple[Module, Definition]]:
    for module in modules("tests"):
        for node in ast.walk(module.tree):
            if isinstance(node, Definition) and node.name.startswith("test_"):
                yield module, node


def checks(test: Definition) -> bool:
    for node in ast.walk(test):
        if isinstance(node, ast.Assert | ast.Raise | ast.Try):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
            if any(word in name.lower() for word in CHECKING_NAMES):
                return True
    return False


def test_every_test_checks_something() -> None:
    problems = [
        f"{module.path}:{test.lineno}: {test.name}" for module, test in every_test() if not checks(test)
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
