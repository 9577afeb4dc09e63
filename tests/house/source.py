"""The project's files as the house tests see them: parsed once, without running any of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("_pb2.py", "_pb2.pyi")
NOT_OURS = {".git", ".venv", ".synapse", ".cache", "node_modules", "build", "dist"}


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name, its path from the root, its tree."""

    name: str
    path: str
    tree: ast.Module


@cache
def text_of(path: str) -> str:
    """A file's text; '' for one that is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return ""


@cache
def files() -> tuple[str, ...]:
    """Every file of the project, as git sees it: what is ignored or made by tools is none."""
    found = []
    folders = [ROOT]
    while folders:
        for entry in sorted(folders.pop().iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                if entry.name not in NOT_OURS and not entry.name.endswith(
                    ("cache", "__", "egg-info", ".hypothesis")
                ):
                    folders.append(entry)
            elif entry.is_file() and entry.name not in NOT_OURS:  # .git is a file in a worktree
                found.append(entry.relative_to(ROOT).as_posix())
    return tuple(sorted(found))


@cache
def modules(package: str, *, generated: bool = False) -> tuple[Module, ...]:
    """The Python files below a package's folder."""
    found = []
    for path in files():
        if not path.startswith(package + "/") or not path.endswith(".py"):
            continue
        if path.endswith(GENERATED) and not generated:
            continue
        name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        found.append(Module(name, path, ast.parse(text_of(path), path)))
    return tuple(found)


@cache
def names(package: str) -> frozenset[str]:
    """The dotted names of a package's modules."""
    return frozenset(module.name for module in modules(package, generated=True))


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of all a module imports; ``from a import b`` is ``a.b`` where that is a module."""
    known = names(module.name.partition(".")[0])
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{module.path}:{node.lineno}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in known else node.module), node.lineno


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of an attribute or name; '' of anything else at its root."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def docstrings(tree: ast.Module) -> set[int]:
    """The ids of the constants that are docstrings, of attributes too (a bare string statement)."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def show(problems: list[str]) -> str:
    """Problems as lines for an assertion's message."""
    return "\n" + "\n".join(problems)
