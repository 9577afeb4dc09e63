"""Imports go downward, and rooms on one floor do not know each other."""

from __future__ import annotations

from tests.house.source import Module, imports, modules, show

FLOORS: dict[str, int] = {
    "content": 0,
    "curve": 0,
    "errors": 0,
    "ids": 0,
    "ports": 0,
    "sentences": 0,
    "states": 0,
    "backoff": 1,
    "e2ee": 1,
    "labels": 1,
    "lifecycle": 1,
    "log_limiter": 1,
    "policy": 1,
    "profile": 1,
    "wire": 1,
    "adapters": 2,
    "config": 2,
    "http_bodies": 2,
    "matrix": 2,
    "network": 2,
    "sandbox": 2,
    "store": 2,
    "flow": 3,
    "commands": 4,
    "web": 4,
    "app": 5,
    "cli": 6,
    "__main__": 6,
}
"""Every room of the house. A new one is given its floor here, or the test below fails."""

OPEN_TO_NEIGHBOURS = {"ids", "sentences", "errors", "states"}
"""Rooms of the ground floor that the others on it may use: words that everything is made of."""

ALLOWED_DOORS = {
    ("labels", "states"),
    ("__main__", "cli"),
    ("adapters", "http_bodies"),
    ("matrix", "http_bodies"),
}

FRONT = ("bridge.matrix.endpoint", "bridge.matrix.transactions", "bridge.web")
"""What one day runs apart from the keys; it meets the keeper only in the journal."""

NOT_FOR_FRONT = ("bridge.e2ee", "bridge.store.vault", "bridge.content", "bridge.degrade")


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def test_every_room_has_a_floor_and_every_floor_its_rooms() -> None:
    rooms = {room(module.name) for module in modules("bridge")} - {""}
    assert rooms - FLOORS.keys() == set(), "rooms without a floor"
    assert FLOORS.keys() - rooms == set(), "floors given to rooms that do not exist"


def test_imports_go_downward_only() -> None:
    problems = []
    for module in modules("bridge"):
        here = room(module.name)
        for name, line in imports(module):
            there = room(name) if name.startswith("bridge.") else ""
            if not there or there == here or not here:
                continue
            above = FLOORS[there] > FLOORS[here]
            beside = FLOORS[there] == FLOORS[here] and there not in OPEN_TO_NEIGHBOURS
            if above or (beside and (here, there) not in ALLOWED_DOORS):
                where = "the floor above" if above else "the same floor"
                problems.append(f"{module.path}:{line}: {here} imports {there} of {where}")
    assert not problems, show(problems)


def reached(start: Module, by_name: dict[str, Module]) -> dict[str, str]:
    """Every module that ``start`` brings along -> the one that imports it."""
    found, todo = {start.name: ""}, [start]
    while todo:
        module = todo.pop()
        for name, _ in imports(module):
            if name.startswith("bridge.") and name not in found:
                found[name] = module.name
                if name in by_name:
                    todo.append(by_name[name])
    return found


def test_front_code_never_brings_keys_or_plaintext_along() -> None:
    by_name = {module.name: module for module in modules("bridge")}
    front = [m for m in modules("bridge") if any(f"{m.name}.".startswith(f"{name}.") for name in FRONT)]
    assert {name for name in FRONT if name not in by_name} == set(), "front modules that do not exist"
    problems = []
    for module in front:
        for name, importer in reached(module, by_name).items():
            if name.startswith(NOT_FOR_FRONT):
                problems.append(f"{module.path} brings {name} along, through {importer}")
    assert not problems, show(problems)


def test_the_product_imports_nothing_of_the_tests_and_no_foreign_implementation() -> None:
    problems = [
        f"{module.path}:{line}: imports {name}"
        for module in modules("bridge")
        for name, line in imports(module)
        if name.split(".")[0] in {"tests", "demo", "tools", "pytest", "hypothesis", "noise", "noiseprotocol"}
        or "signal_" in name
        or "libsignal" in name
    ]
    assert not problems, show(problems)
