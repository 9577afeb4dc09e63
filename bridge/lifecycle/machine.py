"""A life as one table: state x event -> next state and what is owed because of it.

Every cell is one of three: a transition; ``IGNORED``, where the event is known to come too late, twice
or for nothing; or missing, which is the error. Nothing else changes a state, and the diagrams in
``docs/reference/lifecycle.md`` are drawn from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from bridge.errors import LocalProtocolError

State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)
Effect = TypeVar("Effect", bound=Enum)


@dataclass(frozen=True)
class Transition(Generic[State, Effect]):
    """The answer of a table: the next state and what is owed. ``ignored``: the same state, nothing owed."""

    state: State
    effects: tuple[Effect, ...] = ()
    ignored: bool = False


@dataclass(frozen=True)
class To(Generic[State, Effect]):
    """A cell: the next state and the effects, in the order in which they are carried out."""

    state: State
    effects: tuple[Effect, ...]


def to(state: State, *effects: Effect) -> To[State, Effect]:
    """The cell that leads to ``state`` and owes ``effects``."""
    return To(state, effects)


IGNORED = None
"""The cell of an event that changes nothing and owes nothing in a state."""


class Machine(Generic[State, Event, Effect]):
    """The table of one life. ``subject`` names what lives, for the error and the documentation."""

    def __init__(
        self,
        subject: str,
        start: State,
        events: type[Event],
        table: Mapping[State, Mapping[Event, To[State, Effect] | None]],
    ) -> None:
        self.subject = subject
        self.start = start
        self.events = events
        self.table = table

    def after(self, state: State, event: Event) -> Transition[State, Effect]:
        """What follows ``event`` in ``state``; ``LocalProtocolError`` when the table has no such cell."""
        row = self.table.get(state, {})
        if event not in row:
            raise LocalProtocolError(f"{self.subject}, {state.value}: event {event.value!r} is impossible")
        cell = row[event]
        if cell is None:
            return Transition(state, ignored=True)
        return Transition(cell.state, cell.effects)

    def follows(self, state: State, event: Event) -> bool:
        """Whether ``event`` in ``state`` changes or owes something; the same error as ``after``."""
        return not self.after(state, event).ignored

    @property
    def final(self) -> frozenset[State]:
        """States that nothing leads out of."""
        return frozenset(
            state
            for state, row in self.table.items()
            if all(cell is None or cell.state is state for cell in row.values())
        )
