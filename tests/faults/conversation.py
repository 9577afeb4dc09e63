"""The conversation that is killed: two users, two contacts of theirs, every way of a text and its receipts.

A script of acts of people, each done once by somebody who outlives the bridge; between them it waits
for what must come of them, however often the bridge dies meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from bridge.flow.reminders import LOOK_EVERY_S
from tests.faults.checker import Chat
from tests.faults.driver import Driver
from tests.faults.homeserver.control import Control
from tests.faults.network import Network
from tests.faults.said import is_said

SERVER = "hs.test"
BOT = f"@interopbot:{SERVER}"
ADA, BOB = f"@ada:{SERVER}", f"@bob:{SERVER}"
STRANGER = "@eve:elsewhere.test"
ANNA, BEN = "anna", "ben"
KEEP_ALIVE_SECONDS = 26.0
"""A little more than a connection is silent for, and less than an idle one stays open."""
WAITING_SECONDS, NO_ACKNOWLEDGEMENT_SECONDS = 11.0, 76.0
"""A little more than a chat takes to be marked as waiting, and a message to be sent again."""
LINGER_SECONDS = 31.0
"""A little more than an idle connection stays open."""
KEYS_AGAIN_SECONDS = 61.0
"""A little more than the least time between two fetches of the network's key set."""
TWO_HOURS_SECONDS, THREE_WEEKS_SECONDS = 7200.0, 21 * 86_400.0
"""What a history is given to settle, on the shared clock; and when the network is about to forget."""


class Conversation:
    """The script. ``rooms`` are the portals as they become known: room -> (user, contact)."""

    def __init__(self, home: Control, network: Network, driver: Driver, *, stays: bool) -> None:
        """``stays``: connections are open always."""
        self._home, self._network, self._driver, self._stays = home, network, driver, stays
        self._talks: dict[str, str] = {}
        self.rooms: dict[str, Chat] = {}
        self.due: Counter[tuple[str, str]] = Counter()
        """How often the bot is to say a sentence in a room."""

    async def play(self) -> None:
        """All of it."""
        await self.begin()
        await self.contact_writes_first()
        await asyncio.gather(self.two_chats(), self.same_contact_of_another_user())
        await self.contact_cannot_read()
        await self.user_cannot_read()
        await self.contact_reinstalls()
        await self._network.control.advance(KEEP_ALIVE_SECONDS)
        await self.acknowledgement_is_lost(ANNA)
        await self.acknowledgement_is_lost(BEN)
        await self.network_forgets(BOB)
        await self.opt_out(BOB)
        await self.settle()

    async def begin(self) -> None:
        """Two users opt in, and a stranger tries to."""
        for user in (ADA, BOB, STRANGER):
            await self._home.person(user, joins=False)
        await asyncio.gather(self.opt_in(ADA), self.opt_in(BOB), self.stranger_invites())

    # Talks with the bot

    async def opt_in(self, user: str) -> None:
        room = self._talks[user] = await self._home.make_room(user, [BOT])
        await self.says(user, "hello", "bot.greeting", "bot.not_understood")
        await self.says(user, "opt-in", "opt_in.ask_name")
        await self.says(user, "ok", "opt_in.ask_identifier")
        await self.says(user, "ok", "opt_in.confirm")
        await self.says(user, "agree", "opt_in.started", "enlist.done", "enlist.invitation")
        assert room in self._talks.values()

    async def opt_out(self, user: str) -> None:
        await self.says(user, "opt-out", "opt_out.ask")
        await self.says(user, "leave", "opt_out.started", "leave.done")
        await self._home.membership(user, self._talks[user], "leave")
        room = self._talks[user] = await self._home.make_room(user, [BOT])
        await self.hears(room, "bot.greeting")

    async def stranger_invites(self) -> None:
        """Somebody of another server: the bot does not come."""
        room = await self._home.make_room(STRANGER, [BOT])

        async def declined() -> bool:
            found = next(each for each in await self._home.rooms() if each["room_id"] == room)
            return bool(found["members"][BOT] == "leave")

        await self._until("the bot to decline", declined)

    async def network_forgets(self, user: str) -> None:
        """The user is told when the bridge next connects, and comes back with one command."""
        room = self._talks[user]
        await self._network.control.act(user, "un_enlist")

        async def wake() -> None:
            await self._network.control.act(user, "wake")

        async def wake_later() -> None:
            """By then the network's keys may be asked for again, if that is what failed."""
            await self._network.control.advance(KEYS_AGAIN_SECONDS)
            await wake()

        await wake()
        await self.hears(room, "network.unknown_account", again=wake_later)
        await self.says(user, "opt-in", "opt_in.again", "enlist.done", "enlist.invitation")

    async def start_chat(self, user: str, contact: str, service: str, identifier: str) -> str:
        await self.says(
            user, f"start-chat {service} {identifier}", "start_chat.searching", "start_chat.ready"
        )
        found = next(
            str(room["room_id"])
            for room in await self._home.rooms()
            if room["alias"] is not None and user in room["members"] and room["room_id"] not in self.rooms
        )
        await self.pushed_again("other")
        await self._enter(found, user, contact)
        return found

    # Acts

    async def contact_writes_first(self) -> None:
        await self._network.say(ANNA, ADA, "anna 1")
        await self.shown(ADA, ANNA, "anna 1")

    async def two_chats(self) -> None:
        """Both chats at once, several messages in a row both ways, transactions repeated, receipts."""
        first = self.room(ADA, ANNA)
        second = await self.start_chat(ADA, BEN, "birdychat", "ben@firm.example")
        for number, how in ((1, "same"), (2, "other"), (3, "reordered")):
            await self._home.say(ADA, first, f"ada to anna {number}")
            await self._home.say(ADA, second, f"ada to ben {number}")
            await self._network.say(ANNA, ADA, f"anna {number + 1}")
            await self.pushed_again(how)
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
        await self._network.do(ANNA, "forget_sessions")
        await self._home.say(ADA, self.room(ADA, ANNA), "ada to anna 4")
        await self.reads(ANNA, ADA, "ada to anna 4")

    async def user_cannot_read(self) -> None:
        """The bridge asks again."""
        await self._network.control.fault("bad_mac", account=ADA)
        await self._network.say(ANNA, ADA, "anna 5")
        await self.shown(ADA, ANNA, "anna 5")

    async def contact_reinstalls(self) -> None:
        """Also under another name."""
        await self._network.do(ANNA, "reinstall")
        await self._network.change(ANNA, name="Anna B.")
        await self._network.say(ANNA, ADA, "anna 6")
        await self.shown(ADA, ANNA, "anna 6")
        await self._home.say(ADA, self.room(ADA, ANNA), "ada to anna 5")
        await self.reads(ANNA, ADA, "ada to anna 5")

    async def acknowledgement_is_lost(self, contact: str) -> None:
        """The chat is marked as waiting, the same bytes go out again, and the mark is taken away."""
        room, faults = self.room(ADA, contact), self._driver.faults
        await self._network.control.fault("missing_ack", account=ADA)
        await self._home.say(ADA, room, f"ada to {contact} 6")

        async def wait_passes() -> None:
            """After a kill it may be the message before that is sent again and not acknowledged."""
            await self._network.control.advance(NO_ACKNOWLEDGEMENT_SECONDS)

        await self.reads(contact, ADA, f"ada to {contact} 6", again=wait_passes)
        await self._network.control.advance(WAITING_SECONDS)

        async def is_marked() -> bool:
            return bool(await self._heard(room, "outbound.waiting", 0))

        async def marked() -> bool:
            return self._driver.faults > faults or await is_marked()

        await self._until("the mark of waiting", marked)
        await self._network.control.advance(NO_ACKNOWLEDGEMENT_SECONDS)

        async def unmarked() -> bool:
            return not await is_marked()

        await self._home.say(ADA, room, f"ada to {contact} 7")
        await self.reads(contact, ADA, f"ada to {contact} 7")
        await self._until("the mark to be taken away", unmarked)

    async def settle(self) -> None:
        """Two hours pass, or three weeks; then one text in each lane, behind which nothing can be left."""
        await self.settled()
        await self._network.control.advance(TWO_HOURS_SECONDS)
        if not self._stays:
            await self.silence()
        for contact in (ANNA, BEN):
            await self._home.say(ADA, self.room(ADA, contact), f"ada to {contact} last")
            await self._network.say(contact, ADA, f"{contact} last")
        for contact in (ANNA, BEN):
            await self.reads(contact, ADA, f"ada to {contact} last")
            await self.shown(ADA, contact, f"{contact} last")
            await self.is_delivered(contact, ADA, f"{contact} last")
            await self.is_marked_read(self.room(ADA, contact), f"ada to {contact} last")
        await self.settled()

    async def silence(self) -> None:
        """Nobody connects for three weeks; the user is warned."""

        async def linger() -> None:
            await self._network.control.advance(LINGER_SECONDS)

        async def is_closed() -> bool:
            return not (await self._network.control.account(ADA))["connected"]

        await self._until("the connection to be closed", is_closed, again=linger)
        logins = await self._network.logins()
        await self._network.control.advance(THREE_WEEKS_SECONDS)

        async def reminded() -> bool:
            heard = await self._heard(self._talks[ADA], "reminder.unenlist", 0)
            return bool(heard) or await self._network.logins() > logins  # who connects need not be told

        async def next_look() -> None:
            await self._network.control.advance(LOOK_EVERY_S)

        await self._until("the bot to say that the network will forget", reminded, again=next_look)

    # What is waited for

    def room(self, user: str, contact: str) -> str:
        return next(room for room, chat in self.rooms.items() if chat == (user, contact))

    async def says(self, user: str, word: str, *answers: str) -> None:
        """A user says something to the bot, which says these sentences."""
        room, before = self._talks[user], len(await self.made())
        await self._home.say(user, room, word)
        for key in answers:
            await self.hears(room, key, before)

    async def settled(self) -> None:
        """The homeserver has nothing left to push."""

        async def is_settled() -> bool:
            with suppress(TimeoutError):
                await self._home.settled()
                return True
            return False

        await self._until("the homeserver to be done", is_settled)

    async def pushed_again(self, how: str) -> None:
        """The homeserver repeats its last transaction, under the same id or another, in order or not."""
        await self.settled()
        await self._home.push_again(how)

    async def hears(
        self, room: str, key: str, after: int = 0, *, again: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """The bot says a sentence in a room."""
        self.due[room, key] += 1

        async def heard() -> bool:
            return bool(await self._heard(room, key, after))

        await self._until(f"the bot to say {key}", heard, again=again)

    async def said_too_often(self) -> list[str]:
        """Sentences that the bot did not say just as often as it was to; others it says once at most."""
        found = []
        for (room, key), due in self.due.items():
            times = len(await self._heard(room, key, 0))
            if times != due:
                found.append(f"{key} was said {times} times, not {due}")
        keys = {key for _, key in self.due}
        others = Counter(
            (event["room_id"], str(event["content"]["body"]))
            for event in await self.made()
            if event["sender"] == BOT and "body" in event["content"]
        )
        for (_, body), times in others.items():
            if times > 1 and not any(is_said(key, body) for key in keys):
                found.append(f"{body!r} was said {times} times")
        return found

    async def shown(self, user: str, contact: str, text: str) -> str:
        """A contact's text stands in Matrix; the event."""

        async def stands() -> Mapping[str, Any] | None:
            events = await self.made()
            return next((event for event in events if event["content"].get("body") == text), None)

        event = await self._driver.until(f"{text!r} in Matrix", stands)
        if event["room_id"] not in self.rooms:
            await self._enter(str(event["room_id"]), user, contact)
        return str(event["event_id"])

    async def _enter(self, room: str, user: str, contact: str) -> None:
        """A user joins a portal, unless the bridge did so for them."""
        self.rooms[room] = (user, contact)
        await self._home.membership(user, room, "join")

    async def _heard(self, room: str, key: str, after: int) -> list[str]:
        """What the bot said of this sentence in a room; what was taken back is not in it."""
        events = (await self.made())[after:]
        bodies = [str(event["content"].get("body", "")) for event in events if event["room_id"] == room]
        return [body for body in bodies if is_said(key, body)]

    async def reads(
        self, contact: str, user: str, text: str, *, again: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        """A contact has a user's text before them."""
        await self._until(
            f"{contact} to read {text!r}",
            lambda: self._network.has_read(contact, user, text),
            again=again,
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
