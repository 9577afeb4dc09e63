"""The page of the transition tables: diagrams and cells, drawn from ``bridge/lifecycle``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import ModuleType
from typing import Any

from bridge import states
from bridge.lifecycle import account, connection, message
from bridge.lifecycle.machine import Machine
from tools.markdown import attribute_docs, table

AnyMachine = Machine[Any, Any, Any]
Texts = Mapping[tuple[str, str], str]

SECTIONS: Sequence[tuple[str, AnyMachine, tuple[ModuleType, ...]]] = (
    ("An account", account.ACCOUNT, (states, account)),
    ("A message from Matrix to the network", message.OUTGOING, (message,)),
    ("A message from the network to Matrix", message.INCOMING, (message,)),
    ("A connection", connection.CONNECTION, (connection,)),
)

COMMON_SHARE = 2 / 3
"""An event that leads from so many of the states to the same one is said below the diagram, not drawn."""


def node(state: Enum) -> str:
    """A state's name within a diagram."""
    return state.name.lower()


def edges(machine: AnyMachine) -> Mapping[tuple[Enum, Enum], list[Enum]]:
    """(from, to) -> the events that lead there, in the order of the table."""
    found: dict[tuple[Enum, Enum], list[Enum]] = {}
    for state, row in machine.table.items():
        for event, cell in row.items():
            if cell is not None and cell.state is not state:
                found.setdefault((state, cell.state), []).append(event)
    return found


def common(machine: AnyMachine) -> Mapping[tuple[Enum, Enum], int]:
    """(event, to) -> from how many states, of those that are not drawn."""
    count: dict[tuple[Enum, Enum], int] = {}
    for (_, following), events in edges(machine).items():
        for event in events:
            count[event, following] = count.get((event, following), 0) + 1
    least = COMMON_SHARE * len(machine.table)
    return {key: number for key, number in count.items() if number >= least}


def diagram(machine: AnyMachine) -> str:
    """The table as a Mermaid diagram."""
    left_out = common(machine)
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{state.value}" as {node(state)}' for state in machine.table]
    lines.append(f"    [*] --> {node(machine.start)}")
    for (state, following), events in edges(machine).items():
        drawn = [event.value for event in events if (event, following) not in left_out]
        if drawn:
            lines.append(f"    {node(state)} --> {node(following)}: {'<br>'.join(drawn)}")
    lines += [f"    {node(state)} --> [*]" for state in machine.table if state in machine.final]
    text = "```mermaid\n" + "\n".join(lines) + "\n```\n\n"
    for event, following in left_out:
        text += f"Not drawn: *{event.value}* leads from nearly every state to *{following.value}*.\n\n"
    return text


def cells(machine: AnyMachine) -> Iterator[tuple[str, str, str, str]]:
    """(state, event, next state, what is owed) of each transition; the ignored ones of a state in one row."""
    for state, row in machine.table.items():
        for event, cell in row.items():
            if cell is not None:
                owed = ", ".join(effect.value for effect in cell.effects)
                yield state.value, event.value, cell.state.value, owed
        ignored = ", ".join(event.value for event, cell in row.items() if cell is None)
        if ignored:
            yield state.value, f"*ignored:* {ignored}", "", ""


def words(kind: type[Enum], texts: Texts) -> Iterator[tuple[str, str]]:
    """(word, what it means) of an enum's members."""
    for member in kind:
        yield member.value, texts.get((kind.__name__, member.name), "")


def lifecycle_page() -> str:
    """The lives of an account, a message and a connection."""
    parts = [
        "# Life cycles\n\n"
        "Each life is one table: in a state, an event leads to the next state and to what is owed because of "
        "it. An event that a state does not list is impossible there: the bridge treats it as a mistake of "
        "its own, and changes nothing.\n\n"
    ]
    for title, machine, modules in SECTIONS:
        texts = {key: text for module in modules for key, text in attribute_docs(module).items()}
        kinds = type(machine.start), machine.events
        parts.append(f"## {title}\n\n" + diagram(machine))
        parts.append(table(("state", "event", "next state", "what is owed"), cells(machine)))
        for name, kind in zip(("state", "event"), kinds, strict=True):
            parts.append(table((name, "meaning"), words(kind, texts)))
    return "".join(parts)
