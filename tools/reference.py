"""Write docs/reference/ from the code: ``make reference``. A house test fails when it is out of date.

Each page is made from the thing itself: the example config, the profile's model, the catalogue,
the command line, the table of bot commands, the transition tables, the exit codes.
"""

# ruff: noqa: T201 - a program for the terminal

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel

from bridge import profile
from bridge.cli.verbs import PROGRAM, cli
from bridge.commands.table import COMMANDS
from bridge.config import example
from bridge.sentences import CATALOGUES
from bridge.states import Level
from tools.lifecycle_page import lifecycle_page
from tools.markdown import attribute_docs, table

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made by `make reference` from {}; change it there. -->\n\n"


def config_rows(text: str) -> Iterator[tuple[str, str, str]]:
    """(dotted key, value in the example, the comment above it) of each line with a key."""
    comment: list[str] = []
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("# "))
            continue
        match = re.match(r"( *)(?:- )?(\"[^\"]+\"|[\w*.@:-]+):(?: (.*))?$", line)
        if not stripped or match is None:
            comment = []
            continue
        indent, key, value = len(match[1]), match[2].strip('"'), match[3] or ""
        above = [(depth, name) for depth, name in above if depth < indent]
        yield ".".join((*(name for _, name in above), key)), value, " ".join(comment)
        above.append((indent, key))
        comment = []


def config_page() -> str:
    """The config's keys with their questions."""
    text = example.example_text()
    rows = ((f"`{key}`", f"`{value}`" if value else "", comment) for key, value, comment in config_rows(text))
    return (
        "# The config\n\n"
        "Every key with its value in `config.example.yaml` (`interop-bridge -e` writes that file). "
        "Five values have to be written by you; they are marked `>>>`. "
        "A key that is left out has its default.\n\n" + table(("key", "example", "what it decides"), rows)
    )


def inner_model(kind: Any) -> type[BaseModel] | None:
    """The model within a type such as ``tuple[Service, ...]``, or None."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((model for part in get_args(kind) if (model := inner_model(part))), None)


def profile_rows(model: type[BaseModel], above: str) -> Iterator[tuple[str, str, str]]:
    """(dotted key, default, meaning) of a model's fields and of those within."""
    docs = attribute_docs(profile)
    for name, field in model.model_fields.items():
        key = above + (field.alias or name)
        inner = inner_model(field.annotation)
        required = field.is_required()
        default = "" if required or inner else f"`{field.default!r}`"
        meaning = docs.get((model.__name__, name)) or (inner.__doc__ if inner else "") or ""
        yield f"`{key}`", "needed" if required else default, meaning
        if inner is not None:
            many = field.annotation is not inner
            of = ".<name>" if "Mapping" in str(field.annotation) else "[]" if many else ""
            yield from profile_rows(inner, key + of + ".")


def profile_page() -> str:
    """The profile's keys and the states a refusal leads to."""
    docs = attribute_docs(profile)
    states = ((f"`{state.value}`", docs.get(("Refusal", state.name), "")) for state in profile.Refusal)
    return (
        "# The profile\n\n"
        "A profile is a YAML file with all that the network's published framework leaves open. "
        "The sandbox writes one for itself; a partner's own is filled in from the documents that come with "
        "an agreement. An unknown key is refused.\n\n"
        + table(("key", "default", "meaning"), profile_rows(profile.Profile, ""))
        + "## What a refusal leads to\n\n"
        + "`state` of a reason is one of these.\n\n"
        + table(("state", "what becomes of the account"), states)
    )


def sentences_page() -> str:
    """The English catalogue."""
    rows = ((f"`{key}`", text) for key, text in sorted(CATALOGUES["en"].items()))
    return (
        "# What the bridge says\n\n"
        "Every sentence that people can read, by its key. Words in braces are filled in.\n\n"
        + table(("key", "text"), rows)
    )


def exit_codes() -> Mapping[int, list[str]]:
    """Exit code -> its meanings: the strings ``Exit code: ...`` below constants of the program."""
    found: dict[int, list[str]] = {}
    for path in sorted((ROOT / "bridge").rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for line, after in itertools.pairwise(body):
            value = line.value if isinstance(line, ast.Assign | ast.AnnAssign) else None
            text = after.value if isinstance(after, ast.Expr) else None
            if not (isinstance(value, ast.Constant) and isinstance(text, ast.Constant)):
                continue
            label, _, meaning = str(text.value).partition(":")
            if label.lower() == "exit code" and isinstance(value.value, int):
                meanings = found.setdefault(value.value, [])
                if meaning.strip() not in meanings:
                    meanings.append(meaning.strip())
    return found


def exit_codes_page() -> str:
    """The exit codes."""
    rows = ((code, " Or: ".join(meanings)) for code, meanings in sorted(exit_codes().items()))
    return (
        "# Exit codes\n\n"
        "The numbers of the Matrix bridge ecosystem; our own begin at 40. 0 is a stop by SIGINT or SIGTERM. "
        "Each is told with one sentence that names the remedy.\n\n" + table(("code", "meaning"), rows)
    )


def options_of(command: click.Command) -> Iterator[tuple[str, str]]:
    """(option, help) of a command's options, as its own help shows them."""
    context = click.Context(command, help_option_names=["-h", "--help"])
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if record is not None:
            yield f"`{record[0]}`", record[1]


def command_line_page() -> str:
    """The verbs and flags of the console command."""
    parts = [
        f"# The command line\n\n{cli.help}\n\n## Flags\n\n",
        table(("flag", "meaning"), options_of(cli)),
    ]
    for name, command in sorted(cli.commands.items()):
        parts.append(f"## {PROGRAM} {name}\n\n{command.help}\n\n")
        parts.append(table(("flag", "meaning"), options_of(command)))
    return "".join(parts)


def commands_page() -> str:
    """What a user can say to the bot."""
    rows = (
        (
            f"`{command.usage}`",
            ", ".join(f"`{alias}`" for alias in command.aliases),
            summary,
            "whoever opted in" if command.level is Level.BLOCK else command.level.name.lower(),
        )
        for command in COMMANDS
        for summary in [CATALOGUES["en"].get(command.summary, "")]
    )
    return (
        "# Commands\n\n"
        "What you can say to the bot; elsewhere begin with the prefix, by default `!interop`. "
        "`help` shows those that you may use.\n\n"
        + table(("command", "also", "what it does", "permission"), rows)
    )


PAGES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "config.md": ("bridge/config/config.example.yaml", config_page),
    "profile.md": ("bridge/profile.py", profile_page),
    "sentences.md": ("bridge/sentences/", sentences_page),
    "commands.md": ("bridge/commands/table.py", commands_page),
    "command-line.md": ("bridge/cli/verbs.py", command_line_page),
    "lifecycle.md": ("bridge/lifecycle/", lifecycle_page),
    "exit-codes.md": ("the constants that say so", exit_codes_page),
}


def pages() -> Iterator[tuple[str, str]]:
    """(file name, text) of every page."""
    for name, (source, make) in PAGES.items():
        title, _, rest = make().partition("\n\n")
        yield name, f"{title}\n\n{MADE.format(source)}{rest.rstrip()}\n"


def main() -> int:
    """Write what changed; 0."""
    for name, text in pages():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
