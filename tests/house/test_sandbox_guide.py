"""The sandbox's guide names everything that can be made to happen there, and everybody who is there."""

from __future__ import annotations

import re

from bridge.sandbox.edges.folder import load_variant
from bridge.sandbox.rules.accounts.push import Forgery
from bridge.sandbox.rules.actions import ACTIONS
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.reasons import EndReason, SendRefusal
from bridge.sandbox.rules.variant import DEFAULT
from tests.house.source import ROOT, modules, text_of

GUIDE = "docs/guide/sandbox.md"
ROUTE = re.compile(r"add_(?:get|post|patch|delete)\(f?\"(/[a-z]+)")


def rows(heading: str) -> dict[str, str]:
    """The first cell of each row of the section's table, without its backticks -> the row."""
    section = re.split(rf"^## {heading}$", text_of(GUIDE), flags=re.MULTILINE)[1].partition("\n## ")[0]
    return {match[1]: match[0] for match in re.finditer(r"^\| `([a-z_]+)`.*$", section, re.MULTILINE)}


def test_every_fault_is_in_the_guide_and_no_other() -> None:
    assert list(rows("Faults")) == [kind.value for kind in Kind]


def test_every_action_is_in_the_guide_and_no_other() -> None:
    assert list(rows("Actions")) == list(ACTIONS)


def test_the_choices_of_an_act_or_a_fault_are_in_its_row() -> None:
    faults, actions = rows("Faults"), rows("Actions")
    for row, choices in (
        (actions["end"], EndReason),
        (actions["forged_push"], Forgery),
        (faults["ack_error"], SendRefusal),
    ):
        assert [choice.value for choice in choices if f"`{choice.value}`" not in row] == []


def test_everybody_who_is_there_from_the_start_is_in_the_guide_with_their_answer() -> None:
    lines = [line for line in text_of(GUIDE).splitlines() if line.startswith("| `")]
    for person in load_variant(DEFAULT).people:
        row = next((line for line in lines if f"`{person.identifier}`" in line), "")
        assert f"`{person.service}`" in row, person.identifier
        assert person.name in row, person.identifier
        assert (f"`{person.answer}`" if person.answer else "nothing") in row, person.identifier


def test_every_part_of_the_control_api_is_in_the_guide() -> None:
    control = [each for each in modules("bridge") if each.path.startswith("bridge/sandbox/control/")]
    routes = {route for each in control for route in ROUTE.findall((ROOT / each.path).read_text())}
    assert {"/people", "/clock", "/faults"} <= routes
    assert [route for route in sorted(routes) if route not in text_of(GUIDE)] == []
