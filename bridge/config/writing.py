"""Writing values back into the config's text: every comment and every other byte stays."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from bridge.config.document import Path, read_document
from bridge.errors import Misconfigured

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
NOT_SAVED = 22
"""Exit code: the config could not be saved."""


def write_back(text: str, values: Mapping[Path, str], *, name: str = "config.yaml") -> str:
    """``text`` with ``values`` in their places; keys and sections that are missing are added.

    Misconfigured (exit 22) when that cannot be done without touching anything else.
    """
    result = _written(text, values, name)
    if result is None:
        raise Misconfigured(
            name,
            f"{', '.join('.'.join(path) for path in values)} could not be written without other changes.",
            "Write each key on a line of its own below its section, and try again.",
            exit_code=NOT_SAVED,
        )
    return result


def _written(text: str, values: Mapping[Path, str], name: str) -> str | None:
    """The new text, or None when it would not say the old values and the new ones, and nothing else."""
    expected = _with(read_document(text, name).values, values)
    result = text
    try:
        for path, value in values.items():
            result = _set(result, path, json.dumps(value))
        return result if read_document(result, name).values == expected else None
    except (YAMLError, Misconfigured):
        return None


def _with(values: Mapping[str, object], additions: Mapping[Path, str]) -> dict[str, object]:
    result: dict[str, object] = dict(values)
    for path, value in additions.items():
        key, *below = path
        inner = result.get(key)
        section = inner if isinstance(inner, Mapping) else {}
        result[key] = _with(section, {tuple(below): value}) if below else value
    return result


def _set(text: str, path: Path, scalar: str) -> str:
    root = YAML(typ="safe", pure=True).compose(text)
    if not isinstance(root, MappingNode):
        return _appended(text, path, scalar)
    node: Node = root
    key_node: Node = root
    for depth, key in enumerate(path):
        if not isinstance(node, MappingNode):
            break
        found = next((pair for pair in node.value if _is(pair[0], key)), None)
        if found is None:
            return (
                _appended(text, path, scalar) if depth == 0 else _inserted(text, node, path[depth:], scalar)
            )
        key_node, node = found
        if depth + 1 < len(path) and not isinstance(node, MappingNode):
            return _below(text, key_node, path[depth + 1 :], scalar)
    start, end = _place(text, key_node, node)
    space = "" if start == 0 or text[start - 1] in " \t{[" else " "
    return text[:start] + space + scalar + text[end:]


def _place(text: str, key: Node, value: Node) -> tuple[int, int]:
    """Where the value stands. The reader puts a missing one behind the comments that follow it."""
    if isinstance(value, ScalarNode) and value.start_mark.index == value.end_mark.index:
        colon = text.index(":", key.end_mark.index) + 1
        return colon, colon
    return value.start_mark.index, value.end_mark.index


def _is(node: object, key: str) -> bool:
    return isinstance(node, ScalarNode) and str(node.value) == key


def _name(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else json.dumps(key)


def _lines(path: Path, scalar: str, indent: int) -> str:
    lines = [f"{' ' * (indent + 4 * depth)}{_name(key)}:" for depth, key in enumerate(path)]
    return "\n".join(lines) + f" {scalar}\n"


def _appended(text: str, path: Path, scalar: str) -> str:
    """A section that is not there yet goes to the end."""
    ending = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{ending}{_lines(path, scalar, 0)}"


def _inserted(text: str, section: MappingNode, path: Path, scalar: str) -> str:
    """A key that is not there yet goes before the first one of its section."""
    start = section.start_mark.index
    if section.flow_style:
        comma = ", " if section.value else ""
        inner = scalar
        for key in reversed(path[1:]):
            inner = f"{{{_name(key)}: {inner}}}"
        return f"{text[: start + 1]}{_name(path[0])}: {inner}{comma}{text[start + 1 :]}"
    column = section.start_mark.column
    return f"{text[:start]}{_lines(path, scalar, column).lstrip()}{' ' * column}{text[start:]}"


def _below(text: str, key: Node, path: Path, scalar: str) -> str:
    """A section's name stands there with nothing below it."""
    end = text.find("\n", key.end_mark.index)
    end = len(text) if end < 0 else end
    return f"{text[:end]}\n{_lines(path, scalar, key.start_mark.column + 4)}{text[end + 1 :]}"
