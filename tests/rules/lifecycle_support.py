"""Transition tables as text: events are rows, states are columns."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from bridge.errors import LocalProtocolError
from bridge.lifecycle.machine import Machine

Cells = dict[tuple[Enum, Enum], str]

IMPOSSIBLE, IGNORED = ".", "-"


def words_of(line: str) -> list[str]:
    """The words of a line, with the spaces that they stand for."""
    return [word.replace("_", " ") for word in line.split()]


def cells(machine: Machine[Any, Any, Any], rows: str) -> Cells:
    """(state, event) -> the word in its cell: the next state, ``-`` for ignored, ``.`` for impossible.

    The first line names the states, an underscore is a space. An event's name ends at two spaces.
    """
    states = type(machine.start)
    head, *lines = rows.strip("\n").splitlines()
    columns = [states(word) for word in words_of(head)]
    found: Cells = {}
    for line in lines:
        name, _, words = line.partition("  ")
        event = machine.events(name)
        found |= {(state, event): word for state, word in zip(columns, words_of(words), strict=True)}
    return found


def check_every_cell(machine: Machine[Any, Any, Any], rows: str) -> None:
    """The machine does what the text says, in each state and for each event there is."""
    expected = cells(machine, rows)
    assert expected.keys() == {(s, e) for s in type(machine.start) for e in machine.events}
    for (state, event), word in expected.items():
        if word == IMPOSSIBLE:
            with pytest.raises(LocalProtocolError) as refused:
                machine.after(state, event)
            assert state.value in str(refused.value)
            assert event.value in str(refused.value)
            continue
        found = machine.after(state, event)
        follows = state.value if word == IGNORED else word
        assert (found.state.value, found.ignored) == (follows, word == IGNORED), (state, event)


def effects(machine: Machine[Any, Any, Any]) -> dict[tuple[str, str], tuple[str, ...]]:
    """(state, event) -> effects, of the cells that have any, all by their values."""
    return {
        (state.value, event.value): tuple(effect.value for effect in cell.effects)
        for state, row in machine.table.items()
        for event, cell in row.items()
        if cell is not None and cell.effects
    }


def reachable(machine: Machine[Any, Any, Any], start: Enum) -> set[Enum]:
    """The states that can follow ``start``, itself included."""
    found, todo = {start}, [start]
    while todo:
        for cell in machine.table[todo.pop()].values():
            if cell is not None and cell.state not in found:
                found.add(cell.state)
                todo.append(cell.state)
    return found


def dead_effects(machine: Machine[Any, Any, Any], kind: type[Enum]) -> set[Enum]:
    """Effects that no cell owes."""
    owed = {e for row in machine.table.values() for cell in row.values() if cell for e in cell.effects}
    return set(kind) - owed


def dead_events(machine: Machine[Any, Any, Any]) -> set[Enum]:
    """Events that change or owe nothing anywhere."""
    live = {event for row in machine.table.values() for event, cell in row.items() if cell is not None}
    every: type[Enum] = machine.events
    return set(every) - live
