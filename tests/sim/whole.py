"""The whole bridge on virtual time: the flows as the product joins them, a real database and real keys.

What is simulated is what lies beyond the ports: the homeserver, the network, the clock, the dice. Nothing
sleeps: ``settled`` waits until nobody has anything to do before the clock moves.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.app.assembly import Flows, assemble
from bridge.flow.context import Parts, Settings
from bridge.flow.rooms.management import EVENT
from bridge.flow.rooms.read_markers import READ_IN_MATRIX
from bridge.ids import GHOST_PREFIX, EventId, RoomId, UserId
from bridge.ports import Row
from bridge.sandbox.edges.folder import load_variant
from bridge.sandbox.rules.variant import profile, profile_data
from bridge.states import Custody, Level
from bridge.store import kinds
from bridge.store.database import Database, open_database
from bridge.store.journal import Journal, New
from bridge.store.vault import Vault
from tests.network.clock import ManualClock
from tests.rules.sandbox_support import dice, pair
from tests.sim.contact import NUMBER, SimulatedContact
from tests.sim.homeserver import BOT, SERVER, Event, SimulatedHomeserver
from tests.sim.network import SERVICE, SimulatedNetwork

ADA = UserId(f"@ada:{SERVER}")
"""The user."""
IDLE_TURNS = 100
"""After so many turns of the loop in which no thread worked, everybody waits for the clock or for a test."""

_PROFILE = profile(
    profile_data(
        load_variant("default"),
        host="127.0.0.1",
        chat_port=1,
        web_port=2,
        root_key=pair("root").public,
        partner_url="http://127.0.0.1:9",
        clock_offset_file="clock-offset",
    )
)
SETTINGS = Settings(
    bot=BOT,
    domain=SERVER,
    command_prefix="!interop",
    custody=Custody.OPERATOR,
    connection="always",
    room_version="11",
    status_events=False,
    delivery_receipts=True,
    appservice_id="interop",
    ghost_prefix=GHOST_PREFIX,
    level_of=lambda user: Level.USER if user == ADA else Level.BLOCK,
)
"""What the admin of a shared bridge has decided."""


class DrawnRandom:
    """The ``Random`` port: nothing repeats, and each run is the same."""

    def __init__(self) -> None:
        self.draw = dice("whole")

    def bytes(self, count: int, /) -> bytes:
        return self.draw(count)


class Whole:
    """A running bridge, the world around it, and what its user does. ``whole`` makes one."""

    database: Database
    journal: Journal
    flows: Flows

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._folder = folder
        self._settings = replace(SETTINGS, **settings)
        self._random = DrawnRandom()
        self._vault = Vault(b"the master key, 32 bytes of it..")
        self._keeper_key = self._vault.new_keeper_key(self._random)
        self._tasks: list[asyncio.Task[None]] = []
        self.profile = _PROFILE
        self.clock = ManualClock()
        self.home = SimulatedHomeserver(self.clock.now)
        self.contact = SimulatedContact(self._random.draw, self.clock)
        self.network = SimulatedNetwork(self.contact)
        self.talk = RoomId("")
        """Where the user talks to the bot, once they do."""

    # The bridge

    async def start(self) -> None:
        """Start it, as the product does after its checks."""
        self.database = await open_database(
            f"sqlite3-fk-wal:{self._folder / 'bridge.db'}",
            profile_id=self.profile.id,
            clock=self.clock,
            random=self._random,
            wakes=kinds.WAKES,
        )
        key = b"the key of this installation...."
        keeper = self._vault.keeper(self._keeper_key)
        self.journal = await Journal.load(self.database, self.clock, keeper, key)
        parts = Parts(
            self.clock,
            self._random,
            self.database,
            self.journal,
            self._vault,
            self.home,
            None,
            self.profile,
            self._settings,
            "owner",
            Counter(),
            key,
        )
        self.flows = assemble(parts, self.network, self.database)
        await self.flows.connections.start()
        runs = self.flows.pump.run(), self.flows.reminders.run()
        self._tasks = [asyncio.get_running_loop().create_task(run) for run in runs]
        await self.settled()

    async def stop(self) -> None:
        """Stop it wherever it is."""
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.flows.connections.stop()
        await self.database.close()
        if self.flows.pump.failed.done():
            self.flows.pump.failed.result()
        assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended

    async def restart(self) -> None:
        """Stop it and start it again on the same database."""
        await self.stop()
        await self.start()

    async def forget_sessions(self) -> None:
        """The bridge loses its sessions, as a database that was mended by hand."""
        await self.stop()
        with sqlite3.connect(self._folder / "bridge.db") as connection:
            connection.execute("DELETE FROM session")
        connection.close()
        await self.start()

    # Time

    async def settled(self) -> None:
        """Return once everybody waits for the clock or for a test."""
        idle = 0
        while idle < IDLE_TURNS:
            await asyncio.sleep(0)
            idle = 0 if self.database.open_calls else idle + 1

    async def passes(self, seconds: float) -> None:
        """Let time pass, from one thing that is due to the next."""
        await self.settled()
        end = self.clock.monotonic() + seconds
        while (wait := self.clock.next_in()) is not None and self.clock.monotonic() + wait <= end:
            await self.clock.advance(wait)
            await self.settled()
        await self.clock.advance(end - self.clock.monotonic())
        await self.settled()

    # The user

    async def enlist(self) -> None:
        """The user invites the bot, opts in, and can be reached."""
        self.talk = self.home.make_room(ADA)
        await self.member(self.talk, BOT, "invite")
        for said in ("opt-in", "ok", "ok", "agree"):
            await self.says(said, self.talk)
        assert self.home.heard("enlist.done")

    async def chat(self) -> RoomId:
        """The user starts a chat with the contact and is in its room."""
        await self.says(f"start-chat {SERVICE} +{NUMBER}", self.talk)
        assert self.home.heard("start_chat.ready")
        await self.member(self.portal, ADA, "join")
        return self.portal

    @property
    def portal(self) -> RoomId:
        """The newest room of the contact."""
        return self.home.portals()[-1]

    async def says(self, text: str, room: RoomId | None = None) -> Event:
        """The user writes into a room, into the portal unless another is named."""
        return await self._writes(room or self.portal, {"msgtype": "m.text", "body": text})

    async def says_in_html(self, html: str) -> Event:
        """The user writes into the portal with an empty body, all words in the HTML."""
        form = {"format": "org.matrix.custom.html", "formatted_body": html}
        return await self._writes(self.portal, {"msgtype": "m.text", "body": "", **form})

    async def _writes(self, room: RoomId, content: dict[str, Any]) -> Event:
        event = self.home.happens(room, ADA, "m.room.message", content, None)
        await self._pushed(EVENT, event.room, event.event_id, event.pushed())
        return event

    async def corrects(self, event: Event, text: str) -> None:
        """The user edits what they wrote."""
        new = {"msgtype": "m.text", "body": text}
        relation = {"rel_type": "m.replace", "event_id": event.event_id}
        await self._writes(event.room, {**new, "m.new_content": new, "m.relates_to": relation})

    async def replies(self, event: Event, text: str) -> None:
        """The user answers an event."""
        relation = {"m.in_reply_to": {"event_id": event.event_id}}
        await self._writes(event.room, {"msgtype": "m.text", "body": text, "m.relates_to": relation})

    async def removes(self, event: Event) -> None:
        """The user removes an event."""
        content = {"redacts": event.event_id}
        removal = self.home.happens(event.room, ADA, "m.room.redaction", content, None)
        body = {**removal.pushed(), "redacts": event.event_id}
        await self._pushed(EVENT, event.room, removal.event_id, body)

    async def member(self, room: RoomId, user: UserId, membership: str, *, by: UserId = ADA) -> None:
        """Somebody's membership becomes another one, by the user's doing unless another is named."""
        event = self.home.membership(room, user, membership, by=by)
        await self._pushed(EVENT, room, event.event_id, event.pushed())

    async def reads(self, room: RoomId, event_id: EventId) -> None:
        """The user's public read receipt stands at an event."""
        body = {"room_id": room, "user_id": ADA, "event_id": event_id, "type": "m.read", "data": {}}
        await self._pushed(READ_IN_MATRIX, room, f"{ADA}/{event_id}", body)

    async def _pushed(self, kind: str, room: RoomId, key: str, body: dict[str, Any]) -> None:
        await self.journal.accept(New(kind, room, key, json.dumps(body).encode()))
        await self.settled()

    # The contact

    async def hears(self, *texts: str) -> None:
        """The contact writes to the user."""
        for text in texts:
            await self.network.contact_writes(f"A{self._random.draw(8).hex().upper()}", text)
        await self.settled()

    async def told_by_contact(self, kind: str | None) -> None:
        """The contact's receipt arrives: delivered (None) or read."""
        await self.network.contact_tells(kind)
        await self.settled()

    # What can be seen

    async def entries(self) -> Sequence[Row]:
        """What the journal still holds, in order: lane, kind and state of each entry."""
        return await self.database.read("SELECT lane, kind, state FROM entry ORDER BY position")


@asynccontextmanager
async def whole(folder: Path, **settings: Any) -> AsyncIterator[Whole]:
    """A bridge at work in ``folder``; ``settings`` differ from those of a shared bridge as it comes."""
    made = Whole(folder, **settings)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
