"""The scripted conversation: each message and where it must arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from demo.client import Client, Seen
from demo.sandbox import Sandbox

ANSWER_SECONDS = 60.0
"""Longer than any step takes on a busy machine."""

SERVICE, PHONE, CONTACT = "whatsapp", "+491510000001", "Jonas Weber"
EMAIL, OTHER = "anna@firm.example", "Anna Berg"

Tell = Callable[[str], None]


class Missing(Exception):
    """A message of the conversation did not arrive."""


class Watcher:
    """Records everything a client sees, and waits for what is expected."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: list[Seen] = []
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        async for seen in self._client.watch():
            if seen.kind == "invite":
                await self._client.join(seen.room)
            async with self._news:
                self._seen.append(seen)
                self._news.notify_all()

    async def wait(self, what: str, fits: Callable[[Seen], bool]) -> Seen:
        """The first matching item; ``Missing`` when it does not arrive."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._news:
                while True:
                    found = next((seen for seen in self._seen if fits(seen)), None)
                    if found is not None:
                        return found
                    if self._task.done():
                        self._task.result()
                    await self._news.wait()
        except TimeoutError:
            raise Missing(f"did not arrive in Matrix: {what}") from None

    async def text(self, text: str, *, room: str | None = None, other_than: str = "") -> Seen:
        """A message that contains ``text``, not sent by ``other_than``."""

        def fits(seen: Seen) -> bool:
            body = seen.body
            in_room = room is None or seen.room == room
            return body is not None and text in body and in_room and seen.sender != other_than

        return await self.wait(text, fits)

    async def stop(self) -> None:
        """Stop watching."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def opt_in(client: Client, watcher: Watcher, bot: str, shown_name: str, tell: Tell) -> str:
    """Opt in through the bot; the management room."""
    room = await client.start_dm(bot)
    await watcher.text("Hello! I connect", room=room)
    for said, answered in (
        ("opt-in", "Which name should people see?"),
        (shown_name, "Under which identifier"),
        ("ok", "say `agree`"),
        ("agree", "You can be reached now"),
    ):
        tell(f"you to the bot: {said}")
        await client.send_text(room, said)
        answer = await watcher.text(answered, room=room, other_than=client.user_id)
        tell(f"the bot: {(answer.body or '').splitlines()[0]}")
    return room


async def write_first(client: Client, watcher: Watcher, sandbox: Sandbox, room: str, tell: Tell) -> None:
    """The user starts a chat on WhatsApp and writes; the contact answers."""
    tell(f"you to the bot: start-chat {SERVICE} {PHONE}")
    await client.send_text(room, f"start-chat {SERVICE} {PHONE}")
    await watcher.text(f"Your chat with {CONTACT}", room=room)
    portal = await watcher.wait(
        f"the room of {CONTACT}",
        lambda seen: (
            seen.event.get("type") == "m.room.name"
            and CONTACT in str(seen.event.get("content", {}).get("name"))
        ),
    )
    text = "Hello Jonas, this is Ada writing from Matrix."
    await client.send_text(portal.room, text)
    tell(f"you in Matrix: {text}")
    got = await _arrived(sandbox, PHONE, CONTACT, text)
    tell(f"{CONTACT} on WhatsApp received: {got}")
    answer = await watcher.text(f"Got it: {text}", room=portal.room)
    tell(f"in Matrix, from {CONTACT}: {answer.body}")


async def be_written_to(client: Client, watcher: Watcher, sandbox: Sandbox, address: str, tell: Tell) -> None:
    """A contact on BirdyChat writes first; the user answers."""
    text = "Good morning Ada, Anna here. Do you have the minutes?"
    await sandbox.write(EMAIL, address, text)
    tell(f"{OTHER} on BirdyChat writes: {text}")
    seen = await watcher.text(text)
    tell(f"in Matrix, from {OTHER}: {seen.body}")
    await client.read(seen.room, str(seen.event["event_id"]))
    reply = "Good morning Anna, they are on their way."
    await client.send_text(seen.room, reply)
    tell(f"you in Matrix: {reply}")
    got = await _arrived(sandbox, EMAIL, OTHER, reply)
    tell(f"{OTHER} on BirdyChat received: {got}")
    answer = await watcher.text(f"Thanks, noted: {reply}", room=seen.room)
    tell(f"in Matrix, from {OTHER}: {answer.body}")


async def _arrived(sandbox: Sandbox, member: str, name: str, text: str) -> str:
    found = await sandbox.received(member, text)
    if found is None:
        raise Missing(f"did not reach {name}: {text}")
    return found
