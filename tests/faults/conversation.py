"""The conversation that is killed: two users, two contacts of theirs, every way of a text and its receipts.

A script of acts of people, each done once by somebody who outlives the bridge; between them it waits
for what must come of them, however often the bridge dies meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bridge.sentences.english import ENGLISH
from tests.faults.checker import Chat
from tests.faults.driver import Driver
from tests.faults.homeserver.control import Control
from tests.faults.network import Network

SERVER = "hs.test"
BOT = f"@interopbot:{SERVER}"
ADA, BOB = f"@ada:{SERVER}", f"@bob:{SERVER}"
ANNA, BEN = "anna", "ben"
TWO_HOURS_SECONDS = 7200.0
"""What a history is given to settle, on the shared clock."""


def beginning(key: str) -> str:
    """What a sentence begins with, whatever fills its blanks."""
    return ENGLISH[key].partition("{")[0]


class Conversation:
    """The script. ``rooms`` are the portals as they become known: room -> (user, contact)."""

    def __init__(self, home: Control, network: Network, driver: Driver) -> None:
        self._home, self._network, self._driver = home, network, driver
        self._talks: dict[str, str] = {}
        self.rooms: dict[str, Chat] = {}

    async def play(self) -> None:
        """All of it."""
        await asyncio.gather(self._home.person(ADA, joins=True), self._home.person(BOB, joins=True))
        await asyncio.gather(self.opt_in(ADA), self.opt_in(BOB))
        await self.contact_writes_first()
        await asyncio.gather(self.two_chats(), self.same_contact_of_another_user())
        await self.contact_cannot_read()
        await self.user_cannot_read()
        await self.contact_reinstalls()
        await self.opt_out(BOB)
        await self.settle()

    # The talk with the bot

    async def opt_in(self, user: str) -> None:
        room = self._talks[user] = await self._home.make_room(user, [BOT])
        await self._home.say(user, room, "hello")
        await self.hears(room, "bot.greeting")
        for word, answer in (
            ("opt-in", "opt_in.ask_name"),
            ("ok", "opt_in.ask_identifier"),
            ("ok", "opt_in.confirm"),
            ("agree", "enlist.invitation"),
        ):
            await self._home.say(user, room, word)
            await self.hears(room, answer)

    async def opt_out(self, user: str) -> None:
        room = self._talks[user]
        await self._home.say(user, room, "opt-out")
        await self.hears(room, "opt_out.ask")
        await self._home.say(user, room, "leave")
        await self.hears(room, "leave.done")

    async def start_chat(self, user: str, contact: str, service: str, identifier: str) -> str:
        room = self._talks[user]
        await self._home.say(user, room, f"start-chat {service} {identifier}")
        await self.hears(room, "start_chat.ready")

        async def portal() -> str | None:
            for each in await self._home.rooms():
                is_theirs = each["alias"] is not None and user in each["members"]
                if is_theirs and each["room_id"] not in self.rooms:
                    return str(each["room_id"])
            return None

        found = await self._driver.until(f"the portal of {contact}", portal)
        self.rooms[found] = (user, contact)
        return found

    # The acts

    async def contact_writes_first(self) -> None:
        await self._network.say(ANNA, ADA, "anna 1")
        await self.shown(ADA, ANNA, "anna 1")

    async def two_chats(self) -> None:
        """Both chats at once, several messages in a row, both ways; receipts both ways."""
        first = self.room(ADA, ANNA)
        second = await self.start_chat(ADA, BEN, "birdychat", "ben@firm.example")
        for number in (1, 2, 3):
            await self._home.say(ADA, first, f"ada to anna {number}")
            await self._home.say(ADA, second, f"ada to ben {number}")
            await self._network.say(ANNA, ADA, f"anna {number + 1}")
        await self.reads(ANNA, ADA, "ada to anna 3")
        await self.reads(BEN, ADA, "ada to ben 3")
        await self.is_marked_read(first, "ada to anna 3")
        await self.shown(ADA, ANNA, "anna 4")
        await self.user_reads(ADA, ANNA, "anna 4")

    async def same_contact_of_another_user(self) -> None:
        await self._network.say(ANNA, BOB, "anna to bob 1")
        await self.shown(BOB, ANNA, "anna to bob 1")
        await self._home.say(BOB, self.room(BOB, ANNA), "bob 1")
        await self.reads(ANNA, BOB, "bob 1")
        await self.is_delivered(ANNA, BOB, "anna to bob 1")

    async def contact_cannot_read(self) -> None:
        """They ask again, at last with keys, and get it under its own id."""
        await self._network.forget_sessions(ANNA)
        await self._home.say(ADA, self.room(ADA, ANNA), "ada to anna 4")
        await self.reads(ANNA, ADA, "ada to anna 4")

    async def user_cannot_read(self) -> None:
        """The bridge asks again."""
        await self._network.spoil_next(ADA)
        await self._network.say(ANNA, ADA, "anna 5")
        await self.shown(ADA, ANNA, "anna 5")

    async def contact_reinstalls(self) -> None:
        await self._network.reinstall(ANNA)
        await self._network.say(ANNA, ADA, "anna 6")
        await self.shown(ADA, ANNA, "anna 6")
        await self._home.say(ADA, self.room(ADA, ANNA), "ada to anna 5")
        await self.reads(ANNA, ADA, "ada to anna 5")

    async def settle(self) -> None:
        """Two hours pass; then one text in each lane, behind which nothing can be left."""
        await self._home.settled()
        await self._network.advance(TWO_HOURS_SECONDS)
        for contact in (ANNA, BEN):
            await self._home.say(ADA, self.room(ADA, contact), f"ada to {contact} last")
            await self._network.say(contact, ADA, f"{contact} last")
        for contact in (ANNA, BEN):
            await self.reads(contact, ADA, f"ada to {contact} last")
            await self.shown(ADA, contact, f"{contact} last")
            await self.is_delivered(contact, ADA, f"{contact} last")
        await self._home.settled()

    # What is waited for

    def room(self, user: str, contact: str) -> str:
        return next(room for room, chat in self.rooms.items() if chat == (user, contact))

    async def hears(self, room: str, key: str) -> None:
        """The bot says a sentence in a room."""
        words = beginning(key)

        async def said() -> bool | None:
            return (
                any(
                    event["room_id"] == room and str(event["content"].get("body", "")).startswith(words)
                    for event in await self.made()
                )
                or None
            )

        await self._driver.until(f"the bot to say {key}", said)

    async def shown(self, user: str, contact: str, text: str) -> str:
        """A contact's text stands in Matrix; the event."""

        async def stands() -> Mapping[str, Any] | None:
            events = await self.made()
            return next((event for event in events if event["content"].get("body") == text), None)

        event = await self._driver.until(f"{text!r} in Matrix", stands)
        self.rooms.setdefault(str(event["room_id"]), (user, contact))
        return str(event["event_id"])

    async def reads(self, contact: str, user: str, text: str) -> None:
        """A contact has a user's text before them."""
        await self._until(
            f"{contact} to read {text!r}",
            lambda: self._network.has_read(contact, user, text),
        )

    async def is_delivered(self, contact: str, user: str, text: str) -> None:
        """A contact knows that their text arrived."""
        await self._until(
            f"{contact} to know that {text!r} arrived",
            lambda: self._network.knows(contact, user, text, "delivered"),
        )

    async def user_reads(self, user: str, contact: str, text: str) -> None:
        """A user reads, and the contact hears of it. A receipt that met a dead bridge is not sent again."""
        event, room = await self.shown(user, contact, text), self.room(user, contact)

        async def read() -> None:
            await self._home.read(user, room, event)

        await read()
        await self._until(
            f"{contact} to know that {text!r} was read",
            lambda: self._network.knows(contact, user, text, "read"),
            again=read,
        )

    async def is_marked_read(self, room: str, text: str) -> None:
        """The ghost's read receipt stands at a user's text, or behind it."""

        async def marked() -> bool:
            found = next(each for each in await self._home.rooms() if each["room_id"] == room)
            ids = [event["event_id"] for event in found["events"]]
            wanted = next(e["event_id"] for e in found["events"] if e["content"].get("body") == text)
            ghosts = [event for user, event in found["receipts"].items() if user.startswith("@ib_")]
            return any(ids.index(event) >= ids.index(wanted) for event in ghosts)

        await self._until(f"{text!r} to be marked as read", marked)

    async def made(self) -> list[Mapping[str, Any]]:
        """All events that the bridge made."""
        return [entry["event"] for entry in await self._home.log() if entry["kind"] == "out"]

    async def _until(
        self,
        what: str,
        holds: Callable[[], Awaitable[bool]],
        *,
        again: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        async def look() -> bool | None:
            return await holds() or None

        await self._driver.until(what, look, again=again)
