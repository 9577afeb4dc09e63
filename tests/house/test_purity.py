"""Rules touch nothing but their arguments, and the product reaches the world through its ports."""

from __future__ import annotations

import ast

import pytest

from tests.house.source import Module, dotted, imports, modules, show
from tests.house.test_floors import FLOORS, room

HIGHEST_PURE_FLOOR = 1

IMPURE = {
    "aiohttp", "apsw", "asyncio", "asyncpg", "click", "concurrent", "fcntl", "http", "io", "logging",
    "multiprocessing", "os", "pathlib", "queue", "random", "secrets", "select", "selectors", "shutil",
    "signal", "socket", "sqlite3", "ssl", "structlog", "subprocess", "sys", "tempfile", "threading",
    "time", "urllib.request", "uuid",
}  # fmt: skip

SANDBOX_EDGES = {"control", "edges", "main"}
"""The folders and files of the sandbox that do I/O. All else is rules over plain state, so that it also
runs within a simulation."""

FORBIDDEN_IMPORTS = {"time", "random", "secrets", "socket", "select", "selectors", "uuid"}

FORBIDDEN_NAMES = {
    "os.urandom", "os.getrandom",
    "asyncio.sleep", "asyncio.wait_for", "asyncio.timeout", "asyncio.timeout_at", "asyncio.open_connection",
    "datetime.now", "datetime.datetime.now", "datetime.utcnow", "datetime.datetime.utcnow", "date.today",
    "datetime.date.today", "nacl.utils.random", "AESGCM.generate_key", "PrivateKey.generate",
    "X25519PrivateKey.generate", "Ed25519PrivateKey.generate", "SigningKey.generate",
}  # fmt: skip

FORBIDDEN_METHODS = {"call_later", "call_at", "create_connection", "sock_connect"}

REAL_FORMS = "bridge/adapters/"


def pure_modules() -> list[Module]:
    return [
        module
        for module in modules("bridge")
        if FLOORS.get(room(module.name), 9) <= HIGHEST_PURE_FLOOR
        or (
            room(module.name) == "sandbox"
            and module.name.split(".")[2:3] not in [[name] for name in SANDBOX_EDGES]
        )
    ]


def test_the_lower_floors_and_the_rules_of_the_sandbox_do_no_io() -> None:
    problems = [
        f"{module.path}:{line}: imports {name}"
        for module in pure_modules()
        for name, line in imports(module)
        if ({name, name.split(".")[0]} & IMPURE)
    ]
    assert not problems, show(problems)


def test_the_lower_floors_open_no_files() -> None:
    problems = [
        f"{module.path}:{node.lineno}: opens a file or asks for input"
        for module in pure_modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and dotted(node.func) in {"open", "input", "print", "breakpoint"}
        if not defines(module, dotted(node.func))
    ]
    assert not problems, show(problems)


def defines(module: Module, name: str) -> bool:
    """Whether ``name`` is a function of this module's own (the opposite of seal is called open)."""
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in module.tree.body)


def effects(tree: ast.Module) -> list[tuple[int, str]]:
    """(line, what) of each effect that does not come through a port."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = dotted(node)
            if name in FORBIDDEN_NAMES:
                found.append((node.lineno, name))
            elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_METHODS:
                found.append((node.lineno, node.attr))
            elif name.endswith("loop.time") or (
                isinstance(node, ast.Attribute)
                and node.attr == "time"
                and isinstance(node.value, ast.Call)
                and "loop" in dotted(node.value.func)
            ):
                found.append((node.lineno, "the loop's time"))
        elif isinstance(node, ast.ImportFrom) and node.module in {"asyncio", "os", "nacl.utils"}:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(node.lineno, name) for name in whole if name in FORBIDDEN_NAMES]
    return found


def test_time_randomness_and_sockets_come_through_the_ports() -> None:
    problems = []
    for module in modules("bridge"):
        if module.path.startswith(REAL_FORMS):
            continue
        for name, line in imports(module):
            if name.split(".")[0] in FORBIDDEN_IMPORTS:
                problems.append(f"{module.path}:{line}: imports {name}")
        problems += [f"{module.path}:{line}: uses {what}" for line, what in effects(module.tree)]
    assert not problems, show(problems)


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos.urandom(3)",
        "import asyncio\nasync def f(): await asyncio.sleep(1)",
        "from asyncio import wait_for",
        "import asyncio\nasyncio.get_running_loop().time()",
        "from datetime import datetime\ndatetime.now()",
        "loop.call_later(1, print)",
    ],
)
def test_an_effect_past_the_ports_is_found(code: str) -> None:
    assert effects(ast.parse(code))
