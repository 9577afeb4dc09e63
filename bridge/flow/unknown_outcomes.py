"""Whether something was sent already: asked of the room itself, and only when there is a doubt.

The homeserver answers a repeated transaction id with the old event, as long as it remembers; after
a restart it may not (fault F11). Our events carry a marker, so the room can be asked.
"""

from __future__ import annotations

from bridge.flow.context import Parts
from bridge.ids import EntryId, EventId, RoomId, UserId
from bridge.matrix import events
from bridge.store.journal import Entry

LOOK_BACK_EVENTS = 50
"""What can have come into a room between a try and the next one."""


class Doubts:
    """Knows which entries an earlier try may have sent."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tried: set[EntryId] = set()

    def about(self, entry: Entry) -> bool:
        """Whether an earlier try may have sent it: by this process, or by one before it."""
        if entry.entry_id in self._tried:
            return True
        self._tried.add(entry.entry_id)
        return self._parts.journal.is_old(entry)

    def over(self, entry: Entry) -> None:
        """The entry is settled."""
        self._tried.discard(entry.entry_id)

    async def find(self, room_id: RoomId, sender: UserId, marker: str) -> EventId | None:
        """The event of ours that carries ``marker``, if it is among the newest of the room."""
        history = self._parts.homeserver.history(self._parts.settings.bot, room_id, limit=LOOK_BACK_EVENTS)
        async for each in history:
            event = events.envelope(each)
            if event is not None and event.sender == sender and event.marker == marker:
                return event.id
        return None
