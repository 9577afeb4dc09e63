"""Where a Matrix event goes: to a contact, to the bot, or nowhere."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import structlog

from bridge.flow import outbox
from bridge.flow.contacts.contacts import People
from bridge.flow.contacts.portals import Portals
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring
from bridge.flow.outbound.pipeline import Outbound
from bridge.flow.outbound.sealed_message import SealedOut
from bridge.flow.rooms.management import Reception
from bridge.flow.rooms.read_markers import Reading
from bridge.ids import EventId, RoomId, UserId
from bridge.matrix import events
from bridge.sentences import say
from bridge.store.journal import Entry, EntryState
from bridge.store.tables import contacts, messages

LOG = structlog.get_logger()


DOUBLE_PUPPET = "fi.mau.double_puppet_source"

Talk = Callable[[Entry, events.Event, UserId, str | None], Awaitable[None]]
"""Handles what was said to the bot: entry, event, whose room it is, where the talk stands (portals: None)."""


class Routing:
    """The step for everything the homeserver pushes."""

    def __init__(
        self,
        parts: Parts,
        keyring: Keyring,
        people: People,
        portals: Portals,
        outbound: Outbound,
        reading: Reading,
        reception: Reception,
        talk: Talk,
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people
        self._portals = portals
        self._outbound = outbound
        self._reading = reading
        self._reception = reception
        self._talk = talk

    async def event(self, entry: Entry) -> None:
        """The step for a room event."""
        if entry.state is EntryState.SEALED:
            await self._resume(entry)
            return
        event = events.parse(self._parts.journal.read(entry))
        if isinstance(event, events.Odd):
            LOG.warning("odd event", what=event.what.value)
            await self._parts.journal.settle(entry)
        elif self._is_ours(event):
            await self._parts.journal.settle(entry)
        elif event.type == "m.room.member":
            await self._membership(entry, event)
        else:
            await self._in_room(entry, event)

    async def _resume(self, entry: Entry) -> None:
        """A message of a portal (its lane is the room) that was sealed before a stop or a doubt."""
        sealed = SealedOut.from_bytes(self._parts.journal.read(entry))
        row = await contacts.by_id(self._parts.store, sealed.contact_id)
        unlocked = await self._keyring.unlock(row.account_id) if row is not None else None
        if row is None or unlocked is None:
            await self._parts.journal.settle(
                entry, sealed.not_sent(RoomId(entry.lane), say("policy.has_left"))
            )
            return
        await self._outbound.resume(entry, unlocked, self._people.read(unlocked, row), sealed)

    def _is_ours(self, event: events.Event) -> bool:
        """Our own echo: nothing of it may ever go out again (S33)."""
        settings = self._parts.settings
        ours = event.sender == settings.bot or self._parts.is_ghost(event.sender)
        # A client that forwards an event copies its content: only our own word is our own echo.
        return ours or event.content.get(DOUBLE_PUPPET) == settings.appservice_id

    async def _in_room(self, entry: Entry, event: events.Event) -> None:
        row = await contacts.by_room(self._parts.store, event.room)
        unlocked = await self._keyring.unlock(row.account_id) if row is not None else None
        if row is not None and unlocked is not None:
            if self._is_command(event, unlocked.account.user_id):
                await self._talk(entry, event, unlocked.account.user_id, None)
            else:
                await self._outbound.message_out(entry, event, unlocked, self._people.read(unlocked, row))
        elif (managed := await messages.management_room(self._parts.store, event.room)) is not None:
            await self._talk(entry, event, *managed)
        elif self._is_command(event, event.sender):
            await self._talk(entry, event, event.sender, None)
        else:
            await self._nobody(entry, event)

    def _is_command(self, event: events.Event, owner: UserId) -> bool:
        """In a portal only what begins with the prefix is for the bot, and only from the owner."""
        body = event.content.get("body")
        prefix = self._parts.settings.command_prefix
        words = body.lower().split(maxsplit=1) if isinstance(body, str) else []
        return event.sender == owner and words[:1] == [prefix.lower()]

    async def _nobody(self, entry: Entry, event: events.Event) -> None:
        """A room of a chat that ended: what is written there reaches nobody, and that is said."""
        if isinstance(events.to_content(event), events.NotBridged):
            await self._parts.journal.settle(entry)
            return
        notice = outbox.Notice(event.room, say("room.ended"), event.id, event.sender)
        await self._parts.journal.settle(entry, notice.owed(f"failed/{event.id}"))

    async def _membership(self, entry: Entry, event: events.Event) -> None:
        bot = self._parts.settings.bot
        membership = event.content.get("membership")
        if event.state_key == bot and membership == "invite":
            await self._reception.invited(entry, event)
            return
        if membership == "invite" and self._parts.is_ghost(event.state_key or ""):
            await self._reception.ghost_invited(entry, event)
            return
        if membership in ("leave", "ban"):
            await self._left(event)
        await self._parts.journal.settle(entry)

    async def _left(self, event: events.Event) -> None:
        """Somebody left: of a portal nothing is sent there until there is something new to show.

        A talk with the bot has ended when its user left, and also when they removed the bot.
        """
        managed = await messages.management_room(self._parts.store, event.room)
        if managed is not None and event.state_key in (managed[0], self._parts.settings.bot):
            await self._reception.left(event.room)
            return
        row = await contacts.by_room(self._parts.store, event.room)
        unlocked = await self._keyring.unlock(row.account_id) if row is not None else None
        if row is None or unlocked is None or event.state_key != unlocked.account.user_id:
            return
        await self._portals.owner_left(unlocked, self._people.read(unlocked, row))

    async def receipt(self, entry: Entry) -> None:
        """The step for a read receipt of the homeserver; its lane is the room."""
        try:
            read = json.loads(self._parts.journal.read(entry))
            user, event_id = UserId(read["user_id"]), EventId(read["event_id"])
        except (ValueError, KeyError, TypeError):
            await self._parts.journal.settle(entry)
            return
        await self._reading.in_matrix(entry, user, event_id, _read_at(read.get("data")))


def _read_at(data: object) -> float | None:
    """When the receipt was made, in seconds since 1970, if it says so."""
    moment = data.get("ts") if isinstance(data, dict) else None
    return moment / 1000 if isinstance(moment, int) else None
