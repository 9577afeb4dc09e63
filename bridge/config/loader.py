"""From a text to a checked ``Config``: a pure function over the text, the environment and a file reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.config.document import Document, Path, read_document
from bridge.config.environment import Overlay, laid_over, read_environment
from bridge.config.findings import DATABASE, NOT_CONFIGURED, Finding, ReadFile, Severity
from bridge.config.model import Config
from bridge.config.rules import Purpose, judge
from bridge.config.schema import KEYS, unknown_keys

FIRST_PRINTABLE = 0x20
SHOWN_VALUE_CHARACTERS = 60
"""Enough to find a value by; a longer one is cut."""


@dataclass(frozen=True)
class Examined:
    """A config as far as it could be read. ``config`` is None when a value has a wrong form."""

    config: Config | None
    findings: tuple[Finding, ...]
    secret_files: Mapping[str, str] = field(default_factory=dict)
    """Variable -> the file it names, for the files that a secret was read from."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What ends a start, in the order of the file."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What does not."""
        return tuple(f for f in self.findings if f.severity is Severity.WARNING)


@dataclass(frozen=True)
class Loaded:
    """A config to run with, and what the admin should know about it."""

    config: Config
    warnings: tuple[Finding, ...] = ()
    secret_files: Mapping[str, str] = field(default_factory=dict)
    """Variable -> the file it names, for the files that a secret was read from."""


def load(
    text: str,
    *,
    name: str = "config.yaml",
    environment: Mapping[str, str] | None = None,
    read_file: ReadFile | None = None,
    purpose: Purpose | None = None,
) -> Loaded:
    """The config in ``text``; Misconfigured with the first thing that is wrong, and how many follow."""
    examined = examine(text, name=name, environment=environment, read_file=read_file, purpose=purpose)
    if examined.errors or examined.config is None:
        first = examined.errors[0]
        raise first.as_error(further=len(examined.errors) - 1)
    return Loaded(examined.config, examined.warnings, examined.secret_files)


def examine(
    text: str,
    *,
    name: str = "config.yaml",
    environment: Mapping[str, str] | None = None,
    read_file: ReadFile | None = None,
    purpose: Purpose | None = None,
) -> Examined:
    """Everything there is to say about ``text``. Misconfigured (10) only where nothing can be read."""
    document = read_document(text, name)
    overlay = read_environment(document, environment or {}, read_file or _no_file)
    warnings = tuple(unknown_keys(document))
    values = laid_over(document.values, overlay)
    if unprintable := tuple(_unprintable(values, (), document, overlay)):
        return Examined(None, unprintable + warnings, overlay.secret_files)
    try:
        config = Config.model_validate(values)
    except ValidationError as invalid:
        wrong = tuple(_findings(invalid, document, overlay))
        return Examined(None, wrong + warnings, overlay.secret_files)
    said = tuple(
        replace(finding, where=_where(_path(finding.path), document, overlay))
        for finding in judge(config, purpose or Purpose())
    )
    return Examined(config, said + warnings, overlay.secret_files)


def _no_file(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def _path(dotted: str) -> Path:
    """A finding's path; keys of free maps have dots of their own."""
    parts = tuple(dotted.split("."))
    for length in range(1, len(parts)):
        if parts[:length] in KEYS.open_maps:
            return (*parts[:length], ".".join(parts[length:]))
    return parts


def _where(path: Path, document: Document, overlay: Overlay) -> str:
    return overlay.origins.get(path) or document.where(path)


def _findings(invalid: ValidationError, document: Document, overlay: Overlay) -> Iterator[Finding]:
    for error in invalid.errors(include_url=False):
        path = tuple(str(part) for part in error["loc"])
        shown = "its value" if KEYS.is_secret(path) else _shown(error["input"])
        what, remedy = _sentences(error, shown)
        yield Finding(
            ".".join(path),
            what,
            remedy,
            exit_code=DATABASE if path == ("database", "type") else NOT_CONFIGURED,
            where=_where(path, document, overlay),
        )


def _unprintable(value: Any, path: Path, document: Document, overlay: Overlay) -> Iterator[Finding]:
    """Texts with control characters: no path, name or address has them, and the system refuses some."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unprintable(inner, (*path, str(key)), document, overlay)
    elif isinstance(value, str) and any(ord(each) < FIRST_PRINTABLE for each in value):
        yield Finding(
            ".".join(path),
            "the value has a control character, such as a line break.",
            "Write it again by hand, on one line.",
            where=_where(path, document, overlay),
        )


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | BaseModel):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN_VALUE_CHARACTERS else text[:SHOWN_VALUE_CHARACTERS] + "..."


def _sentences(error: ErrorDetails, shown: str) -> tuple[str, str]:
    """What was seen and what to write, for one complaint of the model."""
    limits = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            what, remedy = limits["error"].args  # our own validators say both
            return what, remedy
        case "literal_error" | "enum":
            choices = str(limits["expected"]).replace("'", "")
            return f"{shown} is not a known value.", f"Write {choices}."
        case "bool_parsing" | "bool_type":
            return f"{shown} is neither true nor false.", "Write true or false."
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{shown} is not a whole number.", "Write a whole number."
        case "greater_than_equal":
            return f"{shown} is too small.", f"Write at least {limits['ge']}."
        case "less_than_equal":
            return f"{shown} is too large.", f"Write at most {limits['le']}."
        case "string_too_short":
            return "it is empty.", "Write a value or leave the key out."
        case "string_too_long":
            return f"{shown} is too long.", f"Write at most {limits['max_length']} characters."
        case "string_type":
            return f"{shown} is not text.", "Write text, in quotes where it has special characters."
        case "model_type" | "model_attributes_type" | "mapping_type" | "dict_type":
            return f"{shown} is in the place of a section.", "Write its keys below it, indented."
        case "tuple_type" | "list_type":
            return f"{shown} is in the place of a list.", "Write one item per line, each after a dash."
        case _:
            return f"{shown} cannot be used.", "See config.example.yaml for what it takes."
