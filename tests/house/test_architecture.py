"""docs/architecture.md names places in the code: each exists, and no folder of the flows is left out."""

from __future__ import annotations

import ast
import re

from tests.house.source import ROOT, modules, show, text_of

PAGE = "docs/architecture.md"
PLACE = re.compile(r"`(bridge/[\w/]+\.py): (\w+)\.(\w+)`")
ROW = re.compile(r"^\| (`[^|]*`) \|", re.MULTILINE)


def methods(path: str) -> set[tuple[str, str]]:
    """(class, method) of each method in a file."""
    (module,) = [module for module in modules("bridge") if module.path == path]
    return {
        (outer.name, inner.name)
        for outer in ast.walk(module.tree)
        if isinstance(outer, ast.ClassDef)
        for inner in outer.body
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_named_places_exist() -> None:
    places = PLACE.findall(text_of(PAGE))
    assert len(places) > 10, "the page names the steps of both ways"
    known = {module.path for module in modules("bridge")}
    missing = [
        f"{path}: {owner}.{method}"
        for path, owner, method in places
        if path not in known or (owner, method) not in methods(path)
    ]
    assert not missing, show(missing)


def test_flow_table_is_complete() -> None:
    named = {name.rstrip("/") for row in ROW.findall(text_of(PAGE)) for name in re.findall(r"`([^`]+)`", row)}
    helpers = {
        "transitions.py",
        "translate.py",
        "unknown_outcomes.py",
    }  # small rules that several steps share
    found = {
        entry.name
        for entry in (ROOT / "bridge" / "flow").iterdir()
        if not entry.name.startswith("__") and (entry.is_dir() or entry.suffix == ".py")
    }
    assert named == found - helpers
