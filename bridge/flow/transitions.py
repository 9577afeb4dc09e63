"""The changes of messages: asked of the tables, given as rows for a unit.

Whoever changes the state of a message does it through here, so that no change happens that the
tables of ``bridge.lifecycle.message`` do not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.flow.contacts.contacts import Contact
from bridge.flow.context import Parts
from bridge.ids import EventId, StanzaId
from bridge.lifecycle.message import (
    INCOMING,
    OUTGOING,
    Direction,
    InEffect,
    InEvent,
    InState,
    OutEffect,
    OutEvent,
    OutState,
    message_key,
)
from bridge.ports import Row

State = TypeVar("State", OutState, InState)
Effect = TypeVar("Effect", OutEffect, InEffect)


@dataclass(frozen=True)
class Change(Generic[State, Effect]):
    """What an event makes of a message: from ``old`` to ``state``, and what is owed."""

    message_id: bytes
    old: State
    state: State
    effects: tuple[Effect, ...]
    ignored: bool
    at: float

    @property
    def rows(self) -> Sequence[Row]:
        """For a unit's ``change``: none where the state stays as it is."""
        return () if self.old is self.state else (self._row(),)

    def shown(self, event_id: EventId | None) -> Row:
        """For a unit's ``show``: the event that stands for the message now, and no plaintext any more."""
        return {**self._row(), "event_id": event_id}

    def _row(self) -> Row:
        return {
            "message_id": self.message_id,
            "state": self.state.value,
            "old_state": self.old.value,
            "changed_at": self.at,
        }


def change_out(message_id: bytes, state: OutState, event: OutEvent, at: float) -> Change[OutState, OutEffect]:
    """The change of a message out at a time; ``LocalProtocolError`` when the event is impossible."""
    following = OUTGOING.after(state, event)
    return Change(message_id, state, following.state, following.effects, following.ignored, at)


def change_in(message_id: bytes, state: InState, event: InEvent, at: float) -> Change[InState, InEffect]:
    """The change of a message in at a time; ``LocalProtocolError`` when the event is impossible."""
    following = INCOMING.after(state, event)
    return Change(message_id, state, following.state, following.effects, following.ignored, at)


def message_id_out(parts: Parts, contact: Contact, stanza_id: StanzaId) -> bytes:
    """The key of a message to a contact."""
    key = parts.account_key(contact.row.account_id)
    return message_key(key, contact.contact_id, Direction.OUT, stanza_id)


def message_id_in(parts: Parts, contact: Contact, stanza_id: StanzaId) -> bytes:
    """The key of a message from a contact."""
    key = parts.account_key(contact.row.account_id)
    return message_key(key, contact.contact_id, Direction.IN, stanza_id)
