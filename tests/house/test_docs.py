"""The documentation is in step with the house."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from bridge.cli.verbs import PROGRAM, cli
from bridge.commands.table import COMMANDS
from bridge.config.example import example_text
from bridge.config.schema import IGNORED_SECTIONS, KEYS
from tests.house.source import ROOT, dotted, files, modules, show, text_of
from tools import reference

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)

NOUNS = (
    "appservice", "transaction", "ghost", "portal", "network", "service", "account", "contact", "enlistment",
    "connector", "stanza", "identity key", "prekey bundle", "session", "ratchet", "content", "capability",
    "loss", "decision", "entry", "lane", "unit", "receipt", "custody", "label",
)  # fmt: skip

DECISION_PARTS = ("## Context", "## Decision", "## Consequences")
README_HEAD_LINES = 10


def documents() -> list[str]:
    return [path for path in files() if path.endswith(".md") and not path.startswith("tests/")]


@pytest.mark.parametrize("path", documents())
def test_every_link_leads_somewhere(path: str) -> None:
    broken = []
    for target in LINK.findall(text_of(path)):
        file, _, heading = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        aim = (ROOT / PurePosixPath(path).parent / file).resolve() if file else ROOT / path
        if not aim.exists():
            broken.append(f"{path}: {target}")
        elif heading and heading not in headings(aim.relative_to(ROOT).as_posix()):
            broken.append(f"{path}: {target}: no such heading")
    assert not broken, show(broken)


def headings(path: str) -> set[str]:
    """The anchors of a document's headings."""
    lines = [line.lstrip("#").strip() for line in text_of(path).splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_the_glossary_has_every_noun_with_a_sentence_and_an_example() -> None:
    entries = re.split(r"^### ", text_of("docs/glossary.md"), flags=re.MULTILINE)[1:]
    texts = {entry.splitlines()[0].strip().lower(): entry for entry in entries}
    assert [noun for noun in NOUNS if noun not in texts] == []
    assert [name for name, text in texts.items() if "*Example:*" not in text] == []
    assert list(texts) == sorted(texts), "the glossary is in alphabetical order"


def test_every_decision_gives_its_context_and_consequences() -> None:
    decisions = [path for path in files() if re.fullmatch(r"docs/decisions/\d{4}-[a-z0-9-]+\.md", path)]
    strange = [
        p for p in files() if p.startswith("docs/decisions/") and p not in decisions and "README" not in p
    ]
    assert strange == []
    numbers = [int(PurePosixPath(path).name[:4]) for path in decisions]
    assert numbers == list(range(1, len(numbers) + 1)), "numbers without a gap or a double"
    assert [path for path in decisions if not all(part in text_of(path) for part in DECISION_PARTS)] == []


def test_every_document_can_be_found_from_the_readme() -> None:
    reached, todo = set(), ["README.md"]
    while todo:
        path = todo.pop()
        if path in reached:
            continue
        reached.add(path)
        for target in LINK.findall(text_of(path)):
            aim = (ROOT / PurePosixPath(path).parent / target.partition("#")[0]).resolve()
            if not re.match(r"[a-z]+:", target) and aim.is_relative_to(ROOT):
                inside = aim.relative_to(ROOT).as_posix()
                todo += [path for path in documents() if path == inside or path.startswith(inside + "/")]
    fragments = {path for path in documents() if path.startswith("changes/")}
    assert set(documents()) - reached - fragments == set()


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_the_reference_is_as_the_code_is_now(name: str) -> None:
    assert dict(reference.pages())[name] == text_of(f"docs/reference/{name}"), "run 'make reference'"


def test_the_reference_has_no_page_that_nothing_makes() -> None:
    found = {PurePosixPath(path).name for path in files() if path.startswith("docs/reference/")}
    assert found - set(reference.PAGES) - {"README.md", "performance.md"} == set()


def test_every_key_of_the_config_is_explained() -> None:
    rows = {key for key, _, _ in reference.config_rows(example_text())}
    missing = {".".join(path) for path in KEYS.fields if path[0] not in IGNORED_SECTIONS} - rows
    # The master key itself is meant for the environment, and stands in the file of its neighbour.
    assert missing - {"bridge.master_key"} == set()


def exit_code_names() -> Iterator[tuple[str, str]]:
    for module in modules("bridge"):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.keyword) and node.arg == "exit_code":
                yield f"{module.path}:{node.value.lineno}", dotted(node.value) or ast.unparse(node.value)


def test_every_exit_code_is_a_constant_that_says_what_it_means() -> None:
    constants = {
        target.id: node.value.value
        for module in modules("bridge")
        for node in module.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    explained = reference.exit_codes()
    problems = [
        f"{where}: {name}"
        for where, name in exit_code_names()
        if name.isdigit() or (name in constants and constants[name] not in explained)
    ]
    assert not problems, show(problems)


def test_the_admins_guide_names_no_exit_code_that_there_is_not() -> None:
    cells = re.findall(r"^\| ([\d, ]+) \|", text_of("docs/guide/admin.md"), re.MULTILINE)
    named = {int(code) for cell in cells for code in cell.split(", ")}
    assert named
    assert named - set(reference.exit_codes()) - {0} == set()


def commands() -> Iterator[tuple[str, str]]:
    """(file, line) of every command in a code block of README and docs."""
    for path in documents():
        for block in CODE.findall(text_of(path)):
            for line in block.splitlines():
                yield path, line.strip().removeprefix("$ ")


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named = [(path, match[1]) for path, line in commands() if (match := re.match(r"make ([a-z]+)", line))]
    assert named
    assert [(path, target) for path, target in named if target not in targets] == []


def test_every_target_of_the_makefile_says_what_it_does() -> None:
    makefile = text_of("Makefile")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None and set(phony[1].split()) == targets


def test_every_verb_and_flag_of_the_command_line_in_the_documentation_exists() -> None:
    assert PROGRAM in tomllib.loads(text_of("pyproject.toml"))["project"]["scripts"]
    flags = {name for option in cli.params for name in option.opts}
    wrong = []
    for path, line in commands():
        words = line.partition("#")[0].split()
        after = words[words.index(PROGRAM) + 1 :] if PROGRAM in words[:1] else []
        verb = cli.commands.get(after[0]) if after else None
        known = flags | {name for option in (verb.params if verb else ()) for name in option.opts}
        if after and verb is None and after[0] not in flags:
            wrong.append(f"{path}: {line}")
        wrong += [f"{path}: {line}" for word in after if word.startswith("-") and word not in known]
    assert not wrong, show(wrong)


def test_the_users_guide_has_the_bots_commands_with_all_their_names_in_the_order_of_help() -> None:
    rows = re.findall(r"^\| `([a-z-]+)[^`]*`(.*?) \|", text_of("docs/guide/user.md"), re.MULTILINE)
    named = [(name, tuple(re.findall(r"`([a-z-]+)`", others))) for name, others in rows]
    assert named == [(command.name, command.aliases) for command in COMMANDS]


FIGURE = re.compile(r"\d (?:messages?|requests?|commits?) (?:a|per) (?:CPU-)?second|\bp(?:50|99)\b")


def test_a_measured_figure_stands_only_where_make_bench_is_named() -> None:
    quoting = [path for path in documents() if FIGURE.search(text_of(path))]
    assert "docs/reference/performance.md" in quoting
    assert [path for path in quoting if "make bench" not in text_of(path)] == []


def test_the_first_lines_of_the_readme_say_what_must_be_known_first() -> None:
    head = " ".join(text_of("README.md").splitlines()[:README_HEAD_LINES])
    for word in ("Matrix", "signed agreement with Meta", "affiliated", "sandbox", "third-party chat"):
        assert word in head, word


CLAIM = re.compile(
    r"WhatsApp interoperab|bridge to WhatsApp|WhatsApp bridge|chat with WhatsApp users", re.IGNORECASE
)


def test_no_text_claims_more_than_a_sandbox() -> None:
    wrong = [
        f"{path}:{number}"
        for path in files()
        if path.endswith((".md", ".yaml", ".toml", ".py")) and path != "tests/house/test_docs.py"
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if CLAIM.search(line)
    ]
    assert not wrong, show(wrong)


def test_every_change_for_users_is_one_short_file() -> None:
    fragments = [path for path in files() if path.startswith("changes/") and not path.endswith("README.md")]
    assert fragments
    strange = [
        p
        for p in fragments
        if not re.fullmatch(r"changes/[a-z0-9-]+\.(added|changed|fixed|removed|security)\.md", p)
    ]
    assert strange == []
    assert [path for path in fragments if not 1 <= len(text_of(path).splitlines()) <= 10] == []
