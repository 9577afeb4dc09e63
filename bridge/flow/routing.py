"""Where a Matrix event goes: to a contact, to the bot, or nowhere."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from bridge.errors import GiveUp
from bridge.flow import owed
from bridge.flow.keyring import Keyring
from bridge.flow.outbound import Outbound
from bridge.flow.parts import Parts
from bridge.flow.people import People
from bridge.flow.portals import Portals
from bridge.flow.reports import Reports
from bridge.ids import EventId, RoomId, UserId
from bridge.matrix import events
from bridge.policy import Act, Allow, decide
from bridge.ports import Row
from bridge.sentences import say
from bridge.store import kinds
from bridge.store.journal import SEALED, Entry, New
from bridge.store.tables import contacts, messages

LOG = structlog.get_logger()

EVENT = "event"
"""The endpoint's word for a room event."""

DOUBLE_PUPPET = "fi.mau.double_puppet_source"
READ_BACK_EVENTS = 50
"""How much of a room is read back after a join: what a person types before the bot is there."""

Talk = Callable[[Entry, events.Event, UserId, str], Awaitable[None]]
"""Handles what was said to the bot: entry, event, whose management room it is, where the talk stands."""


class Routing:
    """The step for everything the homeserver pushes."""

    def __init__(
        self,
        parts: Parts,
        keyring: Keyring,
        people: People,
        portals: Portals,
        outbound: Outbound,
        reports: Reports,
        talk: Talk,
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people
        self._portals = portals
        self._outbound = outbound
        self._reports = reports
        self._talk = talk

    async def event(self, entry: Entry) -> None:
        """The step for a room event."""
        if entry.state == SEALED:
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
        row = await contacts.by_room(self._parts.store, RoomId(entry.lane))
        unlocked = await self._keyring.unlock(row.account_id) if row is not None else None
        if row is None or unlocked is None:
            await self._parts.journal.settle(entry)
            return
        await self._outbound.resume(entry, unlocked, self._people.read(unlocked, row))

    def _is_ours(self, event: events.Event) -> bool:
        """Our own echo: nothing of it may ever go out again (S33)."""
        settings = self._parts.settings
        ours = event.sender == settings.bot or event.sender.startswith("@ib_")
        return ours or event.content.get(DOUBLE_PUPPET) is not None

    async def _in_room(self, entry: Entry, event: events.Event) -> None:
        contact = await contacts.by_room(self._parts.store, event.room)
        managed = await messages.management_room(self._parts.store, event.room)
        if contact is not None:
            unlocked = await self._keyring.unlock(contact.account_id)
            if unlocked is not None:
                known = self._people.read(unlocked, contact)
                await self._outbound.message_out(entry, event, unlocked, known)
                return
        elif managed is not None:
            await self._talk(entry, event, *managed)
            return
        await self._parts.journal.settle(entry)

    async def _membership(self, entry: Entry, event: events.Event) -> None:
        bot = self._parts.settings.bot
        membership = event.content.get("membership")
        if event.state_key == bot and membership == "invite":
            await self._invited(entry, event)
            return
        if membership in ("leave", "ban"):
            await self._left(event)
        await self._parts.journal.settle(entry)

    async def _invited(self, entry: Entry, event: events.Event) -> None:
        """Somebody wants to talk to the bot: join, greet, and read back what was typed before."""
        bot, home = self._parts.settings.bot, self._parts.homeserver
        decision = decide(Act.TALK, self._parts.facts(event.sender))
        if not isinstance(decision, Allow):
            LOG.info("invite refused", user=self._parts.log_id(event.sender))
            with suppress(GiveUp):
                await home.leave(bot, event.room)
            await self._parts.journal.settle(entry)
            return
        try:
            await home.join(bot, event.room)
        except GiveUp:
            await self._parts.journal.settle(entry)
            return
        greeting = owed.Notice(event.room, say("bot.greeting", label=self._parts.profile.label))
        back = New(owed.READ_BACK, event.room, event.id, json.dumps({"user": event.sender}).encode())
        rows = self._parts.journal.rows(greeting.owed(f"greeting/{event.id}"), back)
        manage: Row = {
            "room_id": event.room,
            "user_id": event.sender,
            "dialogue": "",
            "changed_at": self._parts.clock.now(),
        }
        await self._parts.store.commit(
            kinds.unit(
                kinds.MANAGE,
                settle=[{"entry_id": entry.entry_id}],
                owe=rows,
                remember=rows,
                manage=[manage],
            )
        )

    async def read_back(self, entry: Entry) -> None:
        """The step after a join: what the user typed before is never pushed, so it is asked for."""
        room = RoomId(entry.lane)
        user = json.loads(self._parts.journal.read(entry))["user"]
        found: list[New] = []
        history = self._parts.homeserver.history(self._parts.settings.bot, room, limit=READ_BACK_EVENTS)
        async for each in history:
            event = events.envelope(each)
            if event is not None and event.sender == user and event.type == "m.room.message":
                found.append(New(EVENT, room, event.id, json.dumps(each).encode()))
        await self._parts.journal.settle(entry, *reversed(found))

    async def _left(self, event: events.Event) -> None:
        """The owner of a portal left it: nothing is sent there until there is something new."""
        row = await contacts.by_room(self._parts.store, event.room)
        unlocked = await self._keyring.unlock(row.account_id) if row is not None else None
        if row is None or unlocked is None or event.state_key != unlocked.account.user_id:
            return
        await self._portals.owner_left(unlocked, self._people.read(unlocked, row))

    async def receipt(self, entry: Entry) -> None:
        """The step for a read receipt of the homeserver."""
        try:
            read = json.loads(self._parts.journal.read(entry))
            user, event_id = UserId(read["user_id"]), EventId(read["event_id"])
        except (ValueError, KeyError, TypeError):
            await self._parts.journal.settle(entry)
            return
        await self._reports.read_in_matrix(entry, user, event_id)
