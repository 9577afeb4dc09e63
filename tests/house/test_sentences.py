"""Every sentence that people read stands in the catalogue, once, and its blanks are filled."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import Formatter

from bridge.sentences import CATALOGUES
from tests.house.source import docstrings, dotted, files, modules, show, text_of

ENGLISH = CATALOGUES["en"]
CATALOGUE_FOLDER = "bridge/sentences/"
PROFILE_SENTENCE = re.compile(r"\bsentence:\s*['\"]?([\w.-]+)")

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")

NOT_SAID_IN_A_CHAT = (
    "bridge/cli/",  # the terminal's words, for the admin
    "bridge/config/",  # remedies, printed by it
    "bridge/store/",  # the same
    "bridge/adapters/private_files.py",  # the same, about key files
    "bridge/network/signing_keys.py",  # the same
    "bridge/matrix/endpoint.py",  # answers that only a homeserver's log shows
    "bridge/sandbox/",  # what simulated people write
)
"""Rooms whose prose no user reads."""

PROSE_WORDS = 4
"""So many words in a row, ended like a sentence, are meant for a person."""

NOT_FOR_USERS = {
    "Misconfigured",
    "TryAgain",
    "PeerFault",
    "ValueError",
    "TypeError",
    "LookupError",
    "KeyError",
    "Metric",
}
"""What only the admin reads: the words of errors go to the log or the terminal, those of a metric to its
help. A person is told what a ``GiveUp`` carries, and that is a sentence of the catalogue."""


@dataclass(frozen=True)
class Use:
    """``say("key", blank=...)`` somewhere; ``blanks`` is None when they cannot be read from the source."""

    where: str
    key: str
    blanks: frozenset[str] | None


def blanks_of(text: str) -> set[str]:
    return {name.partition(".")[0].partition("[")[0] for _, name, _, _ in Formatter().parse(text) if name}


def keys_in(node: ast.expr) -> Iterator[str]:
    """The keys an expression may give: a literal, or either side of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from keys_in(node.body)
        yield from keys_in(node.orelse)


def uses() -> Iterator[Use]:
    for module in modules("bridge"):
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or dotted(node.func).split(".")[-1] not in {"say", "Sentence"}:
                continue
            readable = dotted(node.func).endswith("say") and all(k.arg for k in node.keywords)
            blanks = frozenset(k.arg for k in node.keywords if k.arg) if readable else None
            for key in keys_in(node.args[0]) if node.args else ():
                yield Use(f"{module.path}:{node.lineno}", key, blanks)


def profile_uses() -> Iterator[tuple[str, str]]:
    """(file, key) of the sentences that profiles name."""
    for path in files():
        if path.startswith("bridge/") and path.endswith((".yaml", ".yml")):
            for match in PROFILE_SENTENCE.finditer(text_of(path)):
                yield path, match[1]


def test_every_sentence_said_is_in_the_catalogue() -> None:
    problems = [f"{use.where}: {use.key}" for use in uses() if use.key not in ENGLISH]
    problems += [f"{path}: {key}" for path, key in profile_uses() if key not in ENGLISH]
    assert not problems, show(problems)


def test_every_blank_of_a_sentence_is_filled() -> None:
    problems = [
        f"{use.where}: {use.key} needs {sorted(missing)}"
        for use in uses()
        if use.blanks is not None and (missing := blanks_of(ENGLISH.get(use.key, "")) - use.blanks)
    ]
    assert not problems, show(problems)


def test_nothing_is_given_to_a_sentence_that_has_no_place_for_it() -> None:
    problems = [
        f"{use.where}: {use.key} has no place for {sorted(unused)}"
        for use in uses()
        if use.blanks and use.key in ENGLISH and (unused := use.blanks - blanks_of(ENGLISH[use.key]))
    ]
    assert not problems, show(problems)


def patterns() -> Iterator[re.Pattern[str]]:
    """Keys that are put together, such as ``f"protection.{custody}"``."""
    for module in modules("bridge"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(part.value)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    else None
                    for part in node.values
                ]
                text = "".join(r"[\w-]+" if part is None else part for part in parts)
                if re.match(r"[a-z_]+\\\.", text):
                    yield re.compile(text)


def test_every_sentence_of_the_catalogue_is_said_somewhere() -> None:
    said = {key for _, key in profile_uses()}
    for module in modules("bridge"):
        if not module.path.startswith(CATALOGUE_FOLDER):
            said |= {
                node.value
                for node in ast.walk(module.tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    made = list(patterns())
    unused = [key for key in ENGLISH if key not in said and not any(p.fullmatch(key) for p in made)]
    assert not unused, show(unused)


def test_the_keys_have_one_form() -> None:
    assert [key for key in ENGLISH if not KEY.fullmatch(key)] == []


def test_every_language_has_the_same_blanks_as_english() -> None:
    problems = [
        f"{language}: {key}"
        for language, catalogue in CATALOGUES.items()
        for key, text in catalogue.items()
        if key not in ENGLISH or blanks_of(text) != blanks_of(ENGLISH[key])
    ]
    assert not problems, show(problems)


def is_prose(text: str) -> bool:
    return len(text.split()) >= PROSE_WORDS and text[0].isupper() and text.rstrip()[-1:] in {".", "!", "?"}


def spared(tree: ast.Module) -> set[int]:
    """The ids of constants that no user reads: docstrings, log lines, words of errors for the log."""
    found = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func).split(".")
            logs = len(name) > 1 and name[-1] in {"debug", "info", "warning", "error", "exception"}
            if logs or name[-1] in NOT_FOR_USERS or name[-1].endswith(("Error", "Field")):
                found |= {id(inner) for inner in ast.walk(node)}
        elif isinstance(node, ast.Assert) and node.msg is not None:
            found.add(id(node.msg))
        elif isinstance(node, ast.Assign) and dotted(node.targets[0]) == "remedy":
            found.add(id(node.value))
    return found


def test_no_prose_for_users_stands_outside_the_catalogue() -> None:
    problems = []
    for module in modules("bridge"):
        if module.path.startswith((CATALOGUE_FOLDER, *NOT_SAID_IN_A_CHAT)):
            continue
        quiet = spared(module.tree)
        problems += [
            f"{module.path}:{node.lineno}: {node.value[:60]!r}"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            if id(node) not in quiet and node.value.strip() and is_prose(node.value)
        ]
    assert not problems, show(problems)
