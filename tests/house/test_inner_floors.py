"""Inside a large room, imports go downward only as well."""

from __future__ import annotations

from tests.house.source import imports, modules, show

INNER_FLOORS: dict[str, tuple[str, ...]] = {
    "bridge.sandbox": ("rules", "people", "gatekeeper", "connections", "edges", "control", "main"),
    "bridge.flow": (
        "context",
        "outbox",
        "translate",
        "unknown_outcomes",
        "pump",
        "keyring",
        "connections",
        "accounts",
        "contacts",
        "transitions",
        "rooms",
        "outbound",
        "inbound",
        "dispatch",
    ),
}
"""Room -> its files and folders, lowest first. Each may import those before it."""


def part(room: str, name: str) -> str:
    """The file or folder of ``room`` that a dotted name is in; '' for the room itself and all else."""
    return name.removeprefix(room + ".").partition(".")[0] if name.startswith(room + ".") else ""


def test_inner_floors_list_is_complete() -> None:
    for room, floors in INNER_FLOORS.items():
        found = {part(room, module.name) for module in modules("bridge")} - {""}
        assert found == set(floors), room


def test_inner_imports_go_downward_only() -> None:
    problems = []
    for room, floors in INNER_FLOORS.items():
        for module in modules("bridge"):
            here = part(room, module.name)
            for name, line in imports(module) if here else ():
                there = part(room, name)
                if there and floors.index(there) > floors.index(here):
                    problems.append(f"{module.path}:{line}: {here} imports {there}, which is above it")
    assert not problems, show(problems)
