"""What people see of the bridge, and waiting for it, however often the bridge dies meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from tests.faults.checker import Chat
from tests.faults.driver import Driver
from tests.faults.homeserver.control import Control
from tests.faults.network import Network
from tests.faults.said import is_said

SERVER = "hs.test"
BOT = f"@interopbot:{SERVER}"


class Watch:
    """Looks at the logs of both fakes. ``rooms`` are the portals as they become known: (user, contact)."""

    def __init__(self, home: Control, network: Network, driver: Driver) -> None:
        self._home, self._network, self._driver = home, network, driver
        self.rooms: dict[str, Chat] = {}
        self.due: Counter[tuple[str, str]] = Counter()
        """How often the bot is to say a sentence in a room."""

    def room(self, user: str, contact: str) -> str:
        return next(room for room, chat in self.rooms.items() if chat == (user, contact))

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
