"""A real homeserver, a sandbox network and the bridge, each a process; and the people at both ends."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import apsw

from bridge.config import OPERATOR_ACKNOWLEDGEMENT
from bridge.sentences.english import ENGLISH
from demo.bridge import BridgeProcess
from demo.client import Client, Seen
from demo.sandbox import SandboxProcess
from demo.synapse import Synapse, free_port, installed
from tests.contract.support import SandboxControl
from tests.peers.presence import missing

SERVER = "hs.test"
BOT = f"@interopbot:{SERVER}"
ADMIN, BLOCKED, ONLOOKER = f"@admin:{SERVER}", f"@blocked:{SERVER}", f"@onlooker:{SERVER}"
"""Whom the config names; everybody else on the server is a user."""
PERMISSIONS = {ADMIN: "admin", BLOCKED: "block", ONLOOKER: "commands", SERVER: "user"}
PASSWORD = "correct horse"
PATIENCE_S = 60.0
"""How long something that must happen is waited for, on a busy machine; never a delay."""
SANDBOX_LABEL = "SANDBOX"
LINGER_S = 30.0
QUIET_S = 0.5
"""When nothing has reached the network for so long, whoever was woken by the clock has done its part."""

Meanwhile = Callable[[], Awaitable[object]]


def sentence(key: str) -> re.Pattern[str]:
    """What the bot says under a key, whatever fills its blanks."""
    return re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(ENGLISH[key])), re.DOTALL)


@dataclass(frozen=True)
class Contact:
    """Somebody on the network."""

    jid: str
    identifier: str
    name: str
    service: str


class Network(SandboxControl):
    """The control API, with the patience that three processes and a homeserver need."""

    async def until(self, holds: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            change = 0
            while True:
                found = await holds()
                if found:
                    return found
                change = (await self.call("GET", f"/changes?after={change}"))["change"]

    async def has_account(self, identifier: str) -> bool:
        accounts = (await self.call("GET", "/"))["accounts"]
        return any(each["identifier"] == identifier for each in accounts)

    async def read_by(self, contact: Contact, text: str) -> dict[str, Any]:
        """The message with this text as a contact holds it, once they have opened it."""

        async def held() -> Any:
            messages = (await self.person(contact.jid))["received"]
            return next((each for each in messages if each["text"] == text), None)

        found: dict[str, Any] = await self.until(held)
        return found

    async def sent_by(
        self, contact: Contact, id: str, holds: Callable[[Mapping[str, Any]], object]
    ) -> dict[str, Any]:
        """A contact's own message, once ``holds`` is true of it."""

        async def sent() -> Any:
            messages = (await self.person(contact.jid))["sent"]
            return next((each for each in messages if each["id"] == id and holds(each)), None)

        found: dict[str, Any] = await self.until(sent)
        return found

    async def out_of(self, user_id: str, to: Contact) -> list[dict[str, Any]]:
        """Every encrypted message from a user to a contact that the network took, as it came."""
        ends = ((await self.account(user_id))["jid"], to.jid)
        return [each for each in (await self.log())["n_out"] if (each["account"], each["to"]) == ends]

    async def connected(self, user_id: str, *, wanted: bool = True) -> None:
        """Wait until a user's account is connected, or is not."""

        async def holds() -> bool:
            return bool((await self.account(user_id))["connected"] is wanted)

        await self.until(holds)

    async def logins(self, user_id: str) -> int:
        """How often a user's account has logged in so far."""
        jid = (await self.account(user_id))["jid"]
        found = (await self.log())["logins"]
        return len([each for each in found if each["account"] == jid and each["refused"] is None])

    async def pass_time(self, seconds: float) -> None:
        """Move the clock, then let everybody do what has become due before it is moved again.

        A clock that is moved faster than two processes can answer each other lets all their deadlines pass.
        """
        await self.advance(seconds)
        change, seen = (await self.call("GET", "/changes?timeout=0"))["change"], -1
        while change != seen:
            seen = change
            change = (await self.call("GET", f"/changes?after={seen}&timeout={QUIET_S}"))["change"]

    async def asleep(self, user_id: str) -> dict[str, Any]:
        """Move the clock until an idle account's connection has lingered to its end; the account then."""
        await self.connected(user_id)

        async def closed() -> bool:
            await self.pass_time(LINGER_S + 1)
            return not (await self.account(user_id))["connected"]

        await self.until(closed)
        account: dict[str, Any] = await self.account(user_id)
        return account


class User:
    """Somebody at a Matrix client, who remembers all that was shown and, as people do, accepts invites."""

    def __init__(self, client: Client) -> None:
        self.client, self.id = client, client.user_id
        self.accepts = True
        self.seen: list[Seen] = []
        self.talk = ""
        """The room of the talk with the bot."""

    async def look(self, *, timeout: int = 0) -> None:
        """What is new."""
        for each in await self.client.sync(timeout=timeout):
            self.seen.append(each)
            if each.kind == "invite" and self.accepts:
                await self.client.join(each.room)

    async def until(
        self, fits: Callable[[Seen], bool], *, after: str | None = None, meanwhile: Meanwhile | None = None
    ) -> Seen:
        """The first thing shown that fits; with ``after`` it stands behind that event in its timeline.

        ``meanwhile`` is done again and again: a clock is moved of which nobody knows when it is looked at.
        """
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = next((each for each in self._behind(after) if fits(each)), None)
                if found is not None:
                    return found
                if meanwhile is not None:
                    await meanwhile()
                await self.look(timeout=10 if meanwhile is None else 1)

    def _behind(self, after: str | None) -> Iterator[Seen]:
        shown = iter(self.seen)
        if after is not None:
            for each in shown:
                if each.event.get("event_id") == after:
                    break
        yield from shown

    async def text(self, text: str, *, room: str | None = None) -> Seen:
        """Somebody else's message with exactly this text."""
        return await self.until(
            lambda each: each.body == text and each.sender != self.id and room in (None, each.room)
        )

    async def hears(
        self,
        key: str,
        *,
        room: str | None = None,
        after: str | None = None,
        meanwhile: Meanwhile | None = None,
    ) -> Seen:
        """The bot says a sentence."""
        words, where = sentence(key), room or self.talk
        return await self.until(
            lambda each: (
                each.room == where
                and each.sender == BOT
                and each.body is not None
                and words.fullmatch(each.body) is not None
            ),
            after=after,
            meanwhile=meanwhile,
        )

    async def redaction(self, shown: Seen) -> Seen:
        """That something shown is taken away."""
        return await self.until(
            lambda each: (
                each.event.get("type") == "m.room.redaction"
                and each.event["content"].get("redacts") == shown.event["event_id"]
            )
        )

    async def receipt(self, reader: str, event_id: str) -> Seen:
        """Somebody's read receipt at an event."""
        return await self.until(
            lambda each: (
                each.kind == "receipt" and each.sender == reader and each.event["event_id"] == event_id
            )
        )

    async def says(self, text: str, key: str) -> Seen:
        """Say something to the bot; its answer."""
        said = await self.client.send_text(self.talk, text)
        return await self.hears(key, after=said)

    async def meet_bot(self, greeting: str = "bot.greeting") -> None:
        """Invite the bot and be greeted."""
        self.talk = await self.client.start_dm(BOT)
        await self.hears(greeting)

    async def opt_in(self) -> None:
        """All of the talk, with the defaults."""
        await self.meet_bot()
        await self.says("opt-in", "opt_in.ask_name")
        await self.says("ok", "opt_in.ask_identifier")
        await self.says("ok", "opt_in.confirm")
        await self.says("agree", "enlist.invitation")

    async def start_chat(self, contact: Contact) -> str:
        """Write to somebody first; the portal."""
        await self.says(f"start-chat {contact.service} {contact.identifier}", "start_chat.ready")
        shown = await self.until(
            lambda each: (
                each.event.get("type") == "m.room.name" and contact.name in each.event["content"]["name"]
            )
        )
        return shown.room

    async def ghost_of(self, room: str) -> str:
        """The ghost in a portal."""
        return next(each for each in await self.client.members(room) if each.startswith("@ib_"))

    async def bodies(self, room: str) -> list[str]:
        """What stands in a room now, oldest first: the texts of all its messages."""
        events = await self.client.timeline(room, limit=1000)
        return [
            each["content"]["body"]
            for each in events
            if each["type"] == "m.room.message" and "body" in each["content"]
        ]

    async def count(self, room: str, text: str) -> int:
        """How often a text stands in a room."""
        return (await self.bodies(room)).count(text)


class RealHomeserver(Protocol):
    """A homeserver's process; stopping it keeps its files."""

    url: str

    def configure(self, registrations: Sequence[Mapping[str, Any]]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def register(self, localpart: str, password: str) -> str: ...
    def log(self) -> str: ...


@dataclass
class World:
    """The three processes. ``rows`` reads what the bridge has stored, as anybody could who gets its disk."""

    homeserver: RealHomeserver
    sandbox: SandboxProcess
    bridge: BridgeProcess
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def rows(self, query: str, *values: str | bytes) -> list[dict[str, Any]]:
        """The rows of a query of the bridge's database."""
        path = self.bridge.folder / "bridge.db"
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            cursor = connection.execute(query, values)
            return [
                {column: value for (column, _), value in zip(cursor.get_description(), row, strict=True)}
                for row in cursor
            ]
        finally:
            connection.close()

    @asynccontextmanager
    async def network(self) -> AsyncIterator[Network]:
        """The control API."""
        access = self.sandbox.control
        network = Network(access.url, access.token)
        async with network:
            yield network

    @asynccontextmanager
    async def user(self, name: str = "user") -> AsyncIterator[User]:
        """Somebody new at a client; a name that is taken gets a number."""
        localpart = f"{name}-{next(self._numbers)}"
        await asyncio.to_thread(self.homeserver.register, localpart, PASSWORD)
        async with await Client.login(self.homeserver.url, localpart, PASSWORD) as client:
            yield User(client)

    @asynccontextmanager
    async def named(self, user_id: str) -> AsyncIterator[User]:
        """Somebody whom the config names."""
        localpart = user_id[1:].partition(":")[0]
        async with await Client.login(self.homeserver.url, localpart, PASSWORD) as client:
            yield User(client)

    async def contact(self, network: Network, service: str = "whatsapp", **switches: Any) -> Contact:
        """Somebody new on the network, who has opted in."""
        number = next(self._numbers)
        identifier = {
            "whatsapp": f"+4915200{number:06}",
            "birdychat": f"person{number}@firm.example",
            "haiket": f"@person{number}",
        }[service]
        made = await network.add_person(service, identifier, f"Person {number}.", **switches)
        return Contact(made["jid"], made["identifier"], made["name"], service)

    async def chat(self, network: Network, user: User) -> tuple[Contact, str]:
        """A new contact with whom a session stands in both directions, and the portal."""
        contact = await self.contact(network)
        await network.write(contact.jid, user.id, f"{contact.name} writes")
        seen = await user.text(f"{contact.name} writes")
        await user.client.send_text(seen.room, f"{contact.name} reads")
        await network.read_by(contact, f"{contact.name} reads")
        return contact, seen.room


@contextmanager
def running_world(
    folder: Path, homeserver: RealHomeserver | None = None, **settings: Mapping[str, Any]
) -> Iterator[World]:
    """Start the three, and stop them; the homeserver is a Synapse unless another is given.

    ``settings`` are sections of the bridge's config.
    """
    public_port = free_port()
    homeserver = homeserver or _synapse(folder / "synapse")
    sandbox = SandboxProcess(folder / "sandbox", partner=f"http://127.0.0.1:{public_port}")
    bridge = BridgeProcess(
        folder / "bridge",
        homeserver_url=homeserver.url,
        server_name=SERVER,
        profile=sandbox.profile,
        admin=ADMIN,
        public_port=public_port,
        settings={
            "network": {"custody": "operator", "operator_acknowledgement": OPERATOR_ACKNOWLEDGEMENT},
            "bridge": {"permissions": PERMISSIONS},
            **settings,
        },
    )
    world = World(homeserver, sandbox, bridge)
    try:
        _start(world)
        yield world
    finally:
        bridge.stop()
        sandbox.stop()
        homeserver.stop()


def _synapse(folder: Path) -> Synapse:
    python = installed()
    if python is None:
        missing("Synapse", 'python -c "from demo.synapse import install; install()"')
        raise AssertionError
    return Synapse(folder, python=python, server_name=SERVER)


def _start(world: World) -> None:
    with ThreadPoolExecutor() as pool:
        sandbox = pool.submit(world.sandbox.start)
        registrations = world.bridge.set_up()
        sandbox.result()
    world.homeserver.configure(registrations)
    world.homeserver.start()
    for user_id in (ADMIN, BLOCKED, ONLOOKER):
        world.homeserver.register(user_id[1:].partition(":")[0], PASSWORD)
    world.bridge.start()
