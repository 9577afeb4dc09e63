"""Steering the fake homeserver over its control API, in this process or as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp

from tests.faults.homeserver.mischief import Fault
from tests.faults.homeserver.server import FakeServer

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 30.0
"""How long anything is waited for before a test fails."""


class Control:
    """What a test can do to the fake homeserver and see of it. ``url`` is for the bridge."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self._session = session

    async def person(self, user: str, *, joins: bool = True, reads: bool = False) -> None:
        await self._post("people", user=user, joins=joins, reads=reads)

    async def make_room(self, creator: str, invite: Sequence[str]) -> str:
        return str((await self._post("rooms", creator=creator, invite=list(invite)))["room_id"])

    async def say(self, user: str, room: str, body: str) -> str:
        return str((await self._post("send", user=user, room=room, body=body))["event_id"])

    async def send(self, user: str, room: str, event_type: str, content: Mapping[str, Any]) -> str:
        fields = {"user": user, "room": room, "type": event_type, "content": dict(content)}
        return str((await self._post("send", **fields))["event_id"])

    async def membership(self, user: str, room: str, action: str, target: str | None = None) -> None:
        await self._post("membership", user=user, room=room, action=action, target=target)

    async def read(self, user: str, room: str, event: str) -> None:
        await self._post("read", user=user, room=room, event=event)

    async def faults(self, *faults: Fault) -> list[dict[str, Any]]:
        """Replace all faults; gives those that were not used up."""
        answer = await self._post("faults", faults=[asdict(fault) for fault in faults])
        return list(answer["left"])

    async def hold(self, held: bool) -> None:
        """Stop pushing, or go on."""
        await self._post("push", hold=held)

    async def push_again(self, how: str = "same") -> None:
        """Repeat the last transaction: ``same`` id, ``other`` id, ``reordered``."""
        await self._post("push", again=how)

    async def retry_now(self) -> None:
        """End the wait after a failed push."""
        await self._post("push")

    async def forget_transactions(self) -> None:
        await self._post("forget")

    async def rooms(self) -> list[dict[str, Any]]:
        return list((await self._get("rooms"))["rooms"])

    async def log(self, after: int = 0, seconds: float = 0.0) -> list[dict[str, Any]]:
        """Entries from number ``after`` on (``log.Log`` names their kinds)."""
        return list((await self._get("log", after=str(after), seconds=str(seconds)))["entries"])

    async def wait_for(self, kind: str, after: int = 0, **fields: Any) -> dict[str, Any]:
        """The first entry of a kind with these fields from number ``after`` on."""
        body = {"fields": {"kind": kind, **fields}, "after": after, "seconds": PATIENCE_SECONDS}
        entry = (await self._post("wait", **body))["entry"]
        if entry is None:
            raise TimeoutError(f"the fake homeserver logged no {kind} with {fields}")
        return dict(entry)

    async def settled(self) -> None:
        """Wait until nothing is to be pushed."""
        if not (await self._get("settled", seconds=str(PATIENCE_SECONDS)))["settled"]:
            raise TimeoutError("the fake homeserver still has something to push")

    async def _post(self, name: str, **body: Any) -> Any:
        async with self._session.post(f"{self.url}/_control/{name}", json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def _get(self, name: str, **query: str) -> Any:
        async with self._session.get(f"{self.url}/_control/{name}", params=query) as answer:
            answer.raise_for_status()
            return await answer.json()


@asynccontextmanager
async def here(
    registrations: Sequence[Mapping[str, Any]], *, server: str = "hs.test", port: int = 0
) -> AsyncIterator[Control]:
    """The fake homeserver in this process."""
    async with (
        FakeServer(registrations, server).running(port) as bound,
        aiohttp.ClientSession() as session,
    ):
        yield Control(session, f"http://127.0.0.1:{bound}")


@asynccontextmanager
async def process(
    registrations: Sequence[Path], *, server: str = "hs.test", port: int = 0
) -> AsyncIterator[Control]:
    """The fake homeserver as a process of its own, which outlives a bridge that is killed."""
    options = [word for path in registrations for word in ("--registration", str(path))]
    words = ["--server-name", server, "--port", str(port), *options]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.homeserver", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        line = await asyncio.wait_for(child.stdout.readline(), PATIENCE_SECONDS)
        bound = int(line.removeprefix(b"ready "))
        async with aiohttp.ClientSession() as session:
            yield Control(session, f"http://127.0.0.1:{bound}")
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
