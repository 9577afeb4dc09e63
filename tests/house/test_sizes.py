"""A file is read in one sitting, a function fits on a screen."""

from __future__ import annotations

import ast

from tests.house.source import modules, show, text_of

MAX_FILE_LINES = 400
"""Of hand-written logic; most are under 250. Generated code and data tables are exempt."""
MAX_FUNCTION_LINES = 60
"""A screen."""

DATA_TABLES = ("bridge/sentences/",)


def test_no_file_is_longer_than_one_sitting() -> None:
    problems = [
        f"{module.path}: {lines} lines"
        for package in ("bridge", "tests", "demo", "tools")
        for module in modules(package)
        if not module.path.startswith(DATA_TABLES)
        if (lines := len(text_of(module.path).splitlines())) > MAX_FILE_LINES
    ]
    assert not problems, show(problems)


def test_no_function_is_longer_than_a_screen() -> None:
    problems = [
        f"{module.path}:{node.lineno}: {node.name} has {lines} lines"
        for package in ("bridge", "tests", "demo", "tools")
        for module in modules(package)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not problems, show(problems)


def test_every_folder_of_the_house_has_its_sentence() -> None:
    problems = [module.path for module in modules("bridge") if ast.get_docstring(module.tree) is None]
    assert not problems, show(problems)
