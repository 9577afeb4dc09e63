"""Tables for the pages of docs/reference/, and the texts that stand in the source."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType


def cell(text: object) -> str:
    """Text as it may stand in a table's cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A table; an empty one is a mistake of the caller."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell(c) for c in line) + " |\n" for line in lines) + "\n"


def attribute_docs(module: ModuleType) -> Mapping[tuple[str, str], str]:
    """(class, attribute) -> the string below it, read from a module's source."""
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for line, after in itertools.pairwise(node.body):
                target = line.target if isinstance(line, ast.AnnAssign) else None
                if isinstance(line, ast.Assign):
                    target = line.targets[0] if isinstance(line.targets[0], ast.Name) else None
                text = after.value if isinstance(after, ast.Expr) else None
                if isinstance(target, ast.Name) and isinstance(text, ast.Constant):
                    found[node.name, target.id] = str(text.value)
    return found
