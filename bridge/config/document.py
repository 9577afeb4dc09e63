"""A YAML text as plain values, with the line of every key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode

from bridge.config.findings import UNREADABLE
from bridge.errors import Misconfigured

Path = tuple[str, ...]
"""The keys down to a value."""


@dataclass(frozen=True)
class Document:
    """What a file says. ``lines`` counts from 1."""

    name: str
    values: Mapping[str, Any]
    lines: Mapping[Path, int]

    def where(self, path: Path) -> str:
        """The file and the line of a key, or of the nearest section above it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.name} line {self.lines[path[:length]]}"
        return self.name


FROM_THE_EXAMPLE = "Begin with the example that `interop-bridge -e` writes."


def read_document(text: str, name: str, *, begin: str = FROM_THE_EXAMPLE) -> Document:
    """Read ``text``; Misconfigured (exit 10) with the line when it is not a YAML mapping.

    ``begin``: the remedy when it is something else altogether.
    """
    try:
        return _read(text, name, begin)
    except RecursionError:
        raise Misconfigured(
            name, "its lists or sections are nested too deeply.", begin, exit_code=UNREADABLE
        ) from None


def _read(text: str, name: str, begin: str) -> Document:
    try:
        values = YAML(typ="safe", pure=True).load(text)
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise Misconfigured(
            f"{name}{line}",
            f"this cannot be read as YAML: {_problem(error)}.",
            "Correct the indentation, quotes or doubled key there.",
            exit_code=UNREADABLE,
        ) from None
    except (YAMLError, ValueError) as error:
        raise Misconfigured(
            name,
            f"this cannot be read as YAML ({type(error).__name__}).",
            f"Save it as UTF-8 text. {begin}",
            exit_code=UNREADABLE,
        ) from None
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        raise Misconfigured(
            f"{name} line 1",
            "the file has no sections.",
            begin,
            exit_code=UNREADABLE,
        )
    lines = dict(_lines(node, ())) if isinstance(node, MappingNode) else {}
    return Document(name, _without_nothing(values), lines)


def _problem(error: MarkedYAMLError) -> str:
    """The reader's first line: its following ones quote the file, which may hold secrets."""
    problem = str(error.problem or error.context or "unexpected text").splitlines()[0]
    # A doubled key is reported with both its values; an alias or tag may be a secret without its quotes.
    if "duplicate key" in problem:
        return problem.split(" with value ")[0].strip()
    if "alias" in problem or "tag" in problem or "anchor" in problem:
        return problem.split("'")[0].strip() + " (quote a value that begins with *, & or !)"
    return problem.strip().rstrip(".")


def _lines(node: MappingNode, above: Path) -> Iterator[tuple[Path, int]]:
    for key, value in node.value:
        if isinstance(key, ScalarNode):
            path = (*above, str(key.value))
            yield path, key.start_mark.line + 1
            if isinstance(value, MappingNode):
                yield from _lines(value, path)


def _without_nothing(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Keys as text; a key without a value counts as left out."""
    return {
        str(key): _without_nothing(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value is not None
    }
