"""The mark "waiting": shown when a message was not accepted in time, taken away when it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bridge.errors import BridgeError, GiveUp, TryAgain
from bridge.flow.contacts.contacts import Contact
from bridge.flow.context import Parts
from bridge.ids import EntryId, EventId, RoomId
from bridge.matrix import events
from bridge.ports import Step
from bridge.sentences import render, say
from bridge.store import kinds
from bridge.store.journal import Entry
from bridge.store.tables import contacts

MARK_AFTER_S = 10.0
"""Longer than any healthy way through, shorter than a person's patience."""
FIRST_TRY_S = 2.0
"""What has waited behind others is tried for a moment before it is marked: when an outage is over, not
every message that it held up leaves a mark and its removal."""
_INTENDED = "?"
"""Begins what is kept before the mark stands; the event that it is about follows. No event id begins so."""


class Waiting:
    """One line a chat, never one a message."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tried: set[EntryId] = set()

    @asynccontextmanager
    async def marked(self, entry: Entry, contact: Contact, event_id: EventId) -> AsyncIterator[None]:
        """While the block runs: mark the chat when it takes long; unmark it when it ended for good."""
        mark = asyncio.get_running_loop().create_task(self._mark_later(entry, contact, event_id))
        try:
            yield
        except GiveUp:
            self._tried.discard(entry.entry_id)
            await self._ended(mark)
            await self._unmark(contact)
            raise
        except TryAgain:
            self._tried.add(entry.entry_id)
            raise
        finally:
            await self._ended(mark)
        self._tried.discard(entry.entry_id)
        await self._unmark(contact)

    async def _ended(self, mark: asyncio.Task[None]) -> None:
        mark.cancel()
        await asyncio.gather(mark, return_exceptions=True)

    async def _mark_later(self, entry: Entry, contact: Contact, event_id: EventId) -> None:
        """That a mark is about to stand is kept first: cut short anywhere, it is found again and removed."""
        waited = self._parts.clock.now() - entry.accepted_at
        soonest = 0.0 if entry.entry_id in self._tried else FIRST_TRY_S
        await self._parts.clock.sleep(max(soonest, MARK_AFTER_S - waited))
        row = await contacts.by_id(self._parts.store, contact.contact_id)
        if row is None or row.room_id is None:
            return
        if row.waiting_event is not None and not row.waiting_event.startswith(_INTENDED):
            return
        await self._keep(contact, EventId(_INTENDED + event_id))
        await self._keep(contact, await self._show(contact, row.room_id, event_id))

    async def _show(self, contact: Contact, room_id: RoomId, event_id: EventId) -> EventId:
        """The mark about an event; again, it is the one that stands already."""
        return await self._parts.homeserver.send(
            self._parts.settings.bot,
            room_id,
            events.MESSAGE,
            events.notice_content(render(say("outbound.waiting")), reply_to=event_id),
            transaction_id=self._parts.transaction("waiting", contact.contact_id, event_id),
            step=Step.NOTICE,
        )

    async def _unmark(self, contact: Contact) -> None:
        """Idempotent: a mark whose removal was cut short is removed with the next message."""
        row = await contacts.by_id(self._parts.store, contact.contact_id)
        if row is None or row.waiting_event is None or row.room_id is None:
            return
        with suppress(BridgeError):
            mark = row.waiting_event
            if mark.startswith(_INTENDED):
                mark = await self._show(contact, row.room_id, EventId(mark.removeprefix(_INTENDED)))
            await self._parts.homeserver.redact(
                self._parts.settings.bot,
                row.room_id,
                mark,
                transaction_id=self._parts.transaction("waited", contact.contact_id, mark),
            )
            await self._keep(contact, None)

    async def _keep(self, contact: Contact, event_id: EventId | None) -> None:
        row = {"contact_id": contact.contact_id, "waiting_event": event_id}
        await self._parts.store.commit(kinds.unit(kinds.WAITING, fence=[contact.fence], waiting=[row]))
