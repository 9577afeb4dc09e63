"""The conversation that is killed: two users, two contacts of theirs, every way of a text and its receipts.

A script of acts of people, each done once by somebody who outlives the bridge; between them it waits
for what must come of them, however often the bridge dies meanwhile.
"""

from __future__ import annotations

import asyncio

from bridge.flow.accounts.reminders import LOOK_EVERY_S
from tests.faults.driver import Driver
from tests.faults.homeserver.control import Control
from tests.faults.network import Network
from tests.faults.watch import BOT, SERVER, Watch

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


class Conversation(Watch):
    """The script."""

    def __init__(self, home: Control, network: Network, driver: Driver, *, stays: bool) -> None:
        """``stays``: connections are open always."""
        super().__init__(home, network, driver)
        self._stays = stays
        self._talks: dict[str, str] = {}

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

    async def says(self, user: str, word: str, *answers: str) -> None:
        """A user says something to the bot, which says these sentences."""
        room, before = self._talks[user], len(await self.made())
        await self._home.say(user, room, word)
        for key in answers:
            await self.hears(room, key, before)
