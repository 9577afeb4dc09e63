"""The fake homeserver put together: state, pushing, faults, client API and control API on one port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any

from aiohttp import web

from tests.faults.homeserver.client_api import ClientApi
from tests.faults.homeserver.log import Log
from tests.faults.homeserver.mischief import Fault, Mischief
from tests.faults.homeserver.pusher import Pusher
from tests.faults.homeserver.world import Appservice, Json, Person, Refusal, Room, World

MAX_BODY_BYTES = 64 * 1024 * 1024


class FakeServer:
    """All of it. The first registration is the one that is pushed to."""

    def __init__(self, registrations: Sequence[Mapping[str, Any]], server: str) -> None:
        self.log = Log()
        self.appservices = [Appservice(document, server) for document in registrations]
        self.pusher = Pusher(self.appservices[0], self.log)
        self.mischief = Mischief(self.log)
        self.world = World(server, lambda: int(time.time() * 1000), self._event, self._receipt)
        api = ClientApi(self.world, self.appservices, self.pusher, self.mischief, self.log)
        self.app = web.Application(client_max_size=MAX_BODY_BYTES)
        self.app.add_routes([*api.routes(), *self._control_routes()])

    @asynccontextmanager
    async def running(self, port: int) -> AsyncIterator[int]:
        """Serve and push; gives the port."""
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        pushing = asyncio.create_task(self.pusher.run())
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield runner.addresses[0][1]
        finally:
            self.mischief.clear()
            pushing.cancel()
            with suppress(asyncio.CancelledError):
                await pushing
            await runner.cleanup()

    def _event(self, room: Room, event: Json, transaction: str | None) -> None:
        if self.appservices[0].owns(event["sender"]) or transaction is not None:
            self.log.add("out", event=event, txn=transaction)
        self.pusher.event(room, event)

    def _receipt(self, room: Room, user: str, event: str) -> None:
        if self.appservices[0].owns(user):
            self.log.add("receipt", room=room.id, user=user, event_id=event)
        self.pusher.receipt(room, user, event, int(time.time() * 1000))

    def _control_routes(self) -> list[web.RouteDef]:
        table = {
            "people": self._people,
            "rooms": self._make_room,
            "send": self._send,
            "membership": self._membership,
            "read": self._read,
            "faults": self._faults,
            "push": self._push,
            "forget": self._forget,
        }
        posts = [web.post(f"/_control/{name}", self._controlled(work)) for name, work in table.items()]
        return [
            *posts,
            web.get("/_control/rooms", self._rooms),
            web.get("/_control/log", self._read_log),
            web.get("/_control/settled", self._settled),
            web.post("/_control/wait", self._wait),
        ]

    def _controlled(self, work: Any) -> Any:
        async def handle(request: web.Request) -> web.Response:
            try:
                return web.json_response(work(await request.json()) or {})
            except Refusal as refusal:
                return web.json_response(refusal.body, status=refusal.status)

        return handle

    def _people(self, body: Json) -> None:
        """A real user: ``user``, ``joins`` when invited, ``reads`` what is written."""
        self.world.people[body["user"]] = Person(body.get("joins", False), body.get("reads", False))

    def _make_room(self, body: Json) -> Json:
        """A user makes a room: ``creator``, ``invite``."""
        room = self.world.create_room(body["creator"], {"invite": body.get("invite", []), "is_direct": True})
        return {"room_id": room.id}

    def _send(self, body: Json) -> Json:
        """A user sends: ``user``, ``room``, ``body`` or ``type`` and ``content``."""
        content = body.get("content", {"msgtype": "m.text", "body": body.get("body"), "m.mentions": {}})
        room = self.world.room(body["room"])
        return {"event_id": self.world.send(body["user"], room, body.get("type", "m.room.message"), content)}

    def _membership(self, body: Json) -> None:
        """A user joins, leaves or invites: ``user``, ``room``, ``action``, ``target``."""
        room = self.world.room(body["room"])
        if body["action"] == "invite":
            self.world.invite(body["user"], room, body["target"])
        elif body["action"] == "join":
            self.world.join(body["user"], room)
        else:
            self.world.leave(body["user"], room)

    def _read(self, body: Json) -> None:
        """A user reads: ``user``, ``room``, ``event``."""
        self.world.read(body["user"], self.world.room(body["room"]), body["event"])

    def _faults(self, body: Json) -> Json:
        """Replace the faults by ``faults``; gives what was left of the old ones."""
        left = [asdict(fault) for fault in self.mischief.faults if fault.count != 0]
        self.mischief.clear()
        self.mischief.faults.extend(Fault(**fault) for fault in body["faults"])
        return {"left": left}

    def _push(self, body: Json) -> None:
        """``hold`` stops or releases the queue, ``again`` repeats the last transaction, else retry now."""
        if "hold" in body:
            self.pusher.held = body["hold"]
        if "again" in body:
            self.pusher.again(body["again"])
        self.pusher.resume()

    def _forget(self, body: Json) -> None:
        """Forget all transaction ids, as a homeserver does after a while."""
        self.world.transactions.clear()

    async def _rooms(self, request: web.Request) -> web.Response:
        rooms = [
            {
                "room_id": room.id,
                "alias": room.alias,
                "members": {user: room.membership(user) for user in room.members("join", "invite", "leave")},
                "events": room.events,
                "receipts": room.receipts,
            }
            for room in self.world.rooms.values()
        ]
        return web.json_response({"rooms": rooms})

    async def _read_log(self, request: web.Request) -> web.Response:
        after, seconds = int(request.query.get("after", "0")), float(request.query.get("seconds", "0"))
        return web.json_response({"entries": await self.log.after(after, seconds)})

    async def _wait(self, request: web.Request) -> web.Response:
        """The first entry from number ``after`` on that has all ``fields``, or none after ``seconds``."""
        body = await request.json()

        def found() -> list[Json]:
            return [e for e in self.log.entries[body["after"] :] if body["fields"].items() <= e.items()]

        await self.log.until(lambda: bool(found()), body["seconds"])
        return web.json_response({"entry": next(iter(found()), None)})

    async def _settled(self, request: web.Request) -> web.Response:
        """Answer as soon as nothing is to be pushed, or after ``seconds``."""
        settled = await self.log.until(lambda: self.pusher.is_idle, float(request.query.get("seconds", "0")))
        return web.json_response({"settled": settled})
