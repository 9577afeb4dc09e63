"""What was removed in Matrix before it was sent is not sent any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.errors import TryAgain
from bridge.flow.context import Parts
from bridge.flow.rooms.management import EVENT
from bridge.ids import EntryId, EventId
from bridge.matrix import events
from bridge.store.journal import Entry
from bridge.store.vault import Unreadable

WAITED_S = 1.0
"""A message that leaves sooner cannot have been removed by a person before; it costs no look."""


class Removals:
    """Knows which messages may have left, and finds the removals that stand behind those that have not."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._handed_over: set[EntryId] = set()

    @contextmanager
    def handing_over(self, entry: Entry) -> Iterator[None]:
        """While the block runs, and after a doubt for ever, the message may have left."""
        self._handed_over.add(entry.entry_id)
        try:
            yield
        except TryAgain:
            raise
        except BaseException:
            self._handed_over.discard(entry.entry_id)
            raise
        self._handed_over.discard(entry.entry_id)

    async def before_sending(self, entry: Entry, event_id: EventId) -> bool:
        """Whether the event of ``entry`` was removed and has certainly not left."""
        if self._parts.clock.now() - entry.accepted_at < WAITED_S:
            return False
        if entry.entry_id in self._handed_over or self._parts.journal.is_old(entry):
            return False
        behind = await self._parts.journal.behind(entry)
        return any(self._removes(each, event_id) for each in behind)

    def _removes(self, entry: Entry, event_id: EventId) -> bool:
        if entry.kind != EVENT:
            return False
        try:
            event = events.parse(self._parts.journal.read(entry))
        except Unreadable:
            return False
        return isinstance(event, events.Event) and event.redacts == event_id
