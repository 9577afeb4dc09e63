"""What may not stand in any file: this machine, package hosts, real hosts of the network, loose ends."""

from __future__ import annotations

import json
import re

from tests.house.source import files, show, text_of

THIS_FILE = "tests/house/test_text.py"

# Written in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile(
    "(?<![\\w.])/(?:" + "|".join(("work", "farm", "root", "home/[a-z]+", "Users")) + ")/"
)
PACKAGE_HOSTS = re.compile(
    "|".join(
        (
            "files[.]pythonhosted",
            "//pypi[.]",
            "registry[.]npmjs",
            "registry[.]yarnpkg",
            "deb[.]debian",
            "proxy[.]golang",
        )
    )
)
LOOSE_ENDS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
NOT_ABOUT_MAKING = re.compile(
    r"\b("
    + "|".join(
        (
            "sub-?agents?",
            "language model",
            "AI assistant",
            "Clau" + "de",
            "Chat" + "GPT",
            "prompt engineering",
        )
    )
    + r")\b",
    re.IGNORECASE,
)
REAL_HOSTS = re.compile(
    r"\b(?:v|g|mmg|web|static|graph|media)\.whatsapp\.(?:net|com)\b|graph\.facebook\.com", re.IGNORECASE
)

FOREIGN_TEXT = ("LICENSE",)
PUBLIC_DATA = ("bridge/wire/tokens-v3.tsv",)
"""The public token dictionary has the network's own names among its words."""


def found(pattern: re.Pattern[str], *, but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{path}:{number}: {match[0]}"
        for path in files()
        if path != THIS_FILE and not path.startswith((*FOREIGN_TEXT, *but))
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if (match := pattern.search(line))
    ]


def test_no_path_of_a_developers_machine() -> None:
    assert not (problems := found(MACHINE_PATHS)), show(problems)


def test_no_host_of_a_package_index() -> None:
    assert not (problems := found(PACKAGE_HOSTS)), show(problems)


def test_no_loose_ends() -> None:
    assert not (problems := found(LOOSE_ENDS, but=PUBLIC_DATA)), show(problems)


def test_the_text_is_about_the_program_not_about_its_making() -> None:
    assert not (problems := found(NOT_ABOUT_MAKING)), show(problems)


def test_real_hosts_of_the_network_are_named_in_the_documentation_only() -> None:
    assert not (problems := found(REAL_HOSTS, but=("docs/", *PUBLIC_DATA))), show(problems)


def test_javascript_locks_name_no_host() -> None:
    problems = [
        f"{path}: {name}"
        for path in files()
        if path.endswith("package-lock.json")
        for name, package in json.loads(text_of(path))["packages"].items()
        if "resolved" in package
    ]
    assert not problems, show(problems)
