"""The least homeserver that a bridge can live with: it pushes transactions and counts what is sent."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import aiohttp
from aiohttp import web

from tests.bench.people import NOW, Chat

SERVER = "bench.test"
MAX_EVENTS = 100
"""In one transaction, as Synapse does."""
AGAIN_S = 0.2
"""After a refused transaction: a bridge that starts refuses some."""

Shown = Callable[[str, bytes], None]
Marked = Callable[[str], None]


class Homeserver:
    """``shown(room, content)`` for each event that is sent, ``marked(room)`` for each event read."""

    def __init__(self) -> None:
        self.url = ""
        self.ignore()
        self.unexpected: list[str] = []
        self._events: deque[Mapping[str, Any]] = deque()
        self._filled = asyncio.Event()
        self._count = self._transactions = 0
        self._sent: dict[str, int] = {}
        self._marked: set[str] = set()
        self.marked_again = 0
        self._bridge: tuple[str, str] | None = None
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve, and push what is written."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._task = asyncio.create_task(self._push_for_ever())

    async def stop(self) -> None:
        """End both."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._runner.cleanup()

    def ignore(self) -> None:
        """Tell nobody any more."""
        self.shown: Shown = lambda room, content: None
        self.marked: Marked = lambda room: None

    def serves(self, registration: Mapping[str, Any]) -> None:
        """Push to this bridge from now on."""
        self._bridge = registration["url"], registration["hs_token"]

    def write(self, chat: Chat, body: str) -> None:
        """The owner of a portal writes in it."""
        self._count += 1
        event = {
            "event_id": f"${self._count}",
            "room_id": chat.room,
            "sender": chat.owner,
            "type": "m.room.message",
            "origin_server_ts": NOW * 1000,
            "content": {"msgtype": "m.text", "body": body, "m.mentions": {}},
            "unsigned": {"age": 1},
        }
        self._events.append(event)
        self._filled.set()

    async def _push_for_ever(self) -> None:
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._events:
                    count = min(MAX_EVENTS, len(self._events))
                    await self._push(http, [self._events.popleft() for _ in range(count)])

    async def _push(self, http: aiohttp.ClientSession, events: list[Mapping[str, Any]]) -> None:
        assert self._bridge is not None
        url, token = self._bridge
        self._transactions += 1
        to = f"{url}/_matrix/app/v1/transactions/{self._transactions}"
        body = json.dumps({"events": events}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        while True:
            with suppress(aiohttp.ClientError):
                async with http.put(to, data=body, headers=headers) as answer:
                    await answer.read()
                    if answer.status == 200:
                        return
            await asyncio.sleep(AGAIN_S)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        parts = request.rel_url.raw_path.split("/")[4:]
        match parts:
            case ["rooms", room, "send", _, transaction]:
                if transaction not in self._sent:
                    self._sent[transaction] = len(self._sent)
                    self.shown(unquote(room), body)
                return _answer({"event_id": f"$sent{self._sent[transaction]}"})
            case ["rooms", room, "receipt", _, event]:
                if event not in self._marked:
                    self._marked.add(event)
                    self.marked(unquote(room))
                else:
                    self.marked_again += 1
                return _answer({})
            case ["account", "whoami"]:
                return _answer({"user_id": f"@sender:{SERVER}"})
            case [] | ["register"] | ["profile", *_] | ["appservice", _, "ping"]:
                return _answer({})
            case _:
                self.unexpected.append(f"{request.method} {request.path}")
                return _answer({})


def _answer(body: Mapping[str, Any]) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), content_type="application/json")
