"""How users come to talk with the bot: invited, or, where a room is encrypted, by a room of the bot's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import structlog

from bridge.flow import outbox
from bridge.flow.context import Parts
from bridge.ids import RoomId, UserId
from bridge.matrix import events, rooms
from bridge.matrix.errors import AliasTaken, tolerated
from bridge.policy import Act, Allow
from bridge.ports import Row, Step
from bridge.sentences import render, say
from bridge.store import kinds
from bridge.store.journal import Entry, New
from bridge.store.tables import accounts, messages

LOG = structlog.get_logger()

EVENT = "event"
"""The endpoint's word for a room event."""
WRITTEN = (events.MESSAGE, "m.room.encrypted")
"""What people write: clients make an encrypted chat with its first message already in it."""
READ_BACK_EVENTS = 50
"""How much of a room is read back after a join: what a person types before the bot is there."""


class Reception:
    """Makes rooms in which the bot and a user can talk."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def invited(self, entry: Entry, event: events.Event) -> None:
        """Somebody wants to talk to the bot: join, greet, and read back what was typed before."""
        bot, home = self._parts.settings.bot, self._parts.homeserver
        if not await self._may_talk(event.sender):
            LOG.info("invite refused", user=self._parts.log_id(event.sender))
            with tolerated():
                await home.leave(bot, event.room)
            await self._parts.journal.settle(entry)
            return
        joined = False
        with tolerated():  # a room that one cannot come into is no place to talk
            await home.join(bot, event.room)
            joined = True
        if not joined or await self._is_group(event):
            await self._parts.journal.settle(entry)
            return
        back = New(
            outbox.READ_BACK,
            event.room,
            event.id,
            json.dumps({"user": event.sender, "since": event.sent_at}).encode(),
        )
        await self._manage(entry, event.room, event.sender, back)

    async def ghost_invited(self, entry: Entry, event: events.Event) -> None:
        """Make an invited ghost leave; its inviter is told, once for each room, where contacts are met."""
        with tolerated():
            await self._parts.homeserver.leave(UserId(event.state_key or ""), event.room)
        told: list[New] = []
        if await self._may_talk(event.sender):
            notice = outbox.Notice(RoomId(""), say("bot.ghost_invited"), user_id=event.sender)
            told.append(notice.owed(f"ghost-invited/{event.room}/{event.sender}"))
        await self._parts.journal.settle(entry, *told)

    async def _may_talk(self, user: UserId) -> bool:
        account = await accounts.of_user(self._parts.store, user, self._parts.profile.id)
        state = account.state if account is not None else None
        return isinstance(self._parts.decide(Act.TALK, self._parts.facts(user, state)), Allow)

    async def _is_group(self, event: events.Event) -> bool:
        """Whether others are there as well: then the bot says where it talks, and leaves."""
        bot, home = self._parts.settings.bot, self._parts.homeserver
        members = await home.members(bot, event.room)
        if rooms.management_user(members, bot) is not None:
            return False
        with tolerated():
            await home.send(
                bot,
                event.room,
                events.MESSAGE,
                events.notice_content(render(say("bot.not_in_groups"))),
                transaction_id=self._parts.transaction("group", event.id),
                step=Step.NOTICE,
            )
            await home.leave(bot, event.room)
        return True

    async def _manage(self, entry: Entry, room: RoomId, user: UserId, *owed_besides: New) -> None:
        """One unit: whose room this is, and the greeting that is owed in it, once."""
        account = await accounts.of_user(self._parts.store, user, self._parts.profile.id)
        hello = "bot.greeting" if account is None else "bot.greeting_again"
        greeting = outbox.Notice(room, say(hello, label=self._parts.profile.label))
        rows = self._parts.journal.rows(greeting.owed(f"greeting/{room}"), *owed_besides)
        await self._parts.store.commit(
            kinds.unit(
                kinds.MANAGE,
                settle=[{"entry_id": entry.entry_id}],
                owe=rows,
                remember=rows,
                manage=[self._row(room, user)],
            )
        )

    async def read_back(self, entry: Entry) -> None:
        """The step after a join: what the user typed before is never pushed, so it is asked for."""
        room = RoomId(entry.lane)
        values = json.loads(self._parts.journal.read(entry))
        found: list[New] = []
        history = self._parts.homeserver.history(self._parts.settings.bot, room, limit=READ_BACK_EVENTS)
        async for each in history:
            event = events.envelope(each)
            if event is None or event.sender != values["user"] or event.sent_at < values["since"]:
                continue  # what is older than the invitation was not said to the bot
            if event.type in WRITTEN:
                found.append(New(EVENT, room, event.id, json.dumps(each).encode()))
        await self._parts.journal.settle(entry, *reversed(found))

    async def open_room(self, entry: Entry) -> None:
        """The step for a user whose room the bot cannot read: invite them to one that it can."""
        user = UserId(outbox.values_of(self._parts.journal.read(entry))["user"])
        await self._manage(entry, await self._own_room(user), user)

    async def room_for(self, user: UserId, refused: Sequence[RoomId] = ()) -> RoomId:
        """Where a user and the bot talk, ``refused`` left out; where they do not, a room of the bot's own."""
        known = [room for room in await messages.rooms_of(self._parts.store, user) if room not in refused]
        if known:
            return known[0]
        room = await self._own_room(user)
        await self._parts.store.commit(kinds.unit(kinds.MANAGE, manage=[self._row(room, user)]))
        return room

    async def _own_room(self, user: UserId) -> RoomId:
        """The room of the bot's own for a user, made or found by its alias; the user is invited."""
        bot, home = self._parts.settings.bot, self._parts.homeserver
        found = await self._made(user)
        if not await self._is_in(found):
            # The new alias follows from the old room, so that the room that replaces it is found again.
            found = await self._made(user, found)
        await home.invite(bot, found, user)
        return found

    async def _made(self, user: UserId, *instead_of: RoomId) -> RoomId:
        """A new room for a user, or the one that has its alias."""
        bot, home = self._parts.settings.bot, self._parts.homeserver
        spec = rooms.management_room(
            bot,
            user,
            alias_localpart=self._parts.localpart(self._parts.secret, "management", user, *instead_of),
            name=render(say("room.management_name")),
            topic=render(say("room.management_topic")),
            room_version=self._parts.settings.room_version,
        )
        try:
            return await home.create_room(bot, spec)
        except AliasTaken:
            found = await home.resolve_alias(f"#{spec.alias_localpart}:{self._parts.settings.domain}")
            if found is None:
                raise
            return found

    async def _is_in(self, room: RoomId) -> bool:
        """Whether the bot is in a room; who was thrown out is told who was in it then, or nothing."""
        bot = self._parts.settings.bot
        members: Mapping[UserId, str] = {}
        with tolerated():
            members = await self._parts.homeserver.members(bot, room)
        return members.get(bot) == "join"

    async def refused(self, room: RoomId) -> None:
        """A room refused words for a user: if the bot is out of it, the two do not talk there any more."""
        if not await self._is_in(room):
            await self.left(room)

    def _row(self, room: RoomId, user: UserId) -> Row:
        return {"room_id": room, "user_id": user, "dialogue": "", "changed_at": self._parts.clock.now()}

    async def left(self, room: RoomId) -> None:
        """A user left the room in which they talked to the bot: the next words go to another one."""
        await self._parts.store.commit(kinds.unit(kinds.UNMANAGE, unmanage=[{"room_id": room}]))
