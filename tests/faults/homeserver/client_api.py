"""The client-server API as far as the bridge calls it, for appservice tokens only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.homeserver.log import Log
from tests.faults.homeserver.mischief import Mischief
from tests.faults.homeserver.pusher import Pusher
from tests.faults.homeserver.world import Appservice, Json, Person, Refusal, Room, World

Work = Callable[[web.Request, str], Awaitable[Json]]


class ClientApi:
    """Checks the token and who is meant, then does what is asked, unless a fault comes first."""

    def __init__(
        self, world: World, appservices: Sequence[Appservice], pusher: Pusher, mischief: Mischief, log: Log
    ) -> None:
        self._world, self._appservices, self._pusher = world, appservices, pusher
        self._mischief, self._log = mischief, log

    def routes(self) -> list[web.RouteDef]:
        v3, room = "/_matrix/client/v3", "/_matrix/client/v3/rooms/{room}"
        state = room + "/state/{type}/{key:.*}"
        data = v3 + "/user/{user}/account_data/{type}"
        table: list[tuple[str, str, str, Work]] = [
            ("whoami", "GET", v3 + "/account/whoami", self._whoami),
            ("versions", "GET", "/_matrix/client/versions", self._versions),
            ("ping", "POST", "/_matrix/client/v1/appservice/{id}/ping", self._ping),
            ("register", "POST", v3 + "/register", self._register),
            ("profile", "PUT", v3 + "/profile/{user}/displayname", self._profile),
            ("create", "POST", v3 + "/createRoom", self._create),
            ("alias", "GET", v3 + "/directory/room/{alias}", self._alias),
            ("invite", "POST", room + "/invite", self._invite),
            ("join", "POST", room + "/join", self._join),
            ("leave", "POST", room + "/leave", self._leave),
            ("members", "GET", room + "/members", self._members),
            ("send", "PUT", room + "/send/{type}/{txn}", self._send),
            ("redact", "PUT", room + "/redact/{event}/{txn}", self._redact),
            ("set-state", "PUT", state, self._set_state),
            ("state", "GET", state, self._state),
            ("receipt", "POST", room + "/receipt/m.read/{event}", self._receipt),
            ("history", "GET", room + "/messages", self._history),
            ("account-data", "GET", data, self._account_data),
            ("set-account-data", "PUT", data, self._set_account_data),
        ]
        return [
            web.route(method, path, self._handler(name, work), name=name)
            for name, method, path, work in table
        ]

    def _handler(self, name: str, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                user = self._who(request)
                return await self._mischief.answer(name, request, lambda: work(request, user))
            except Refusal as refusal:
                return web.json_response(refusal.body, status=refusal.status)

        return handle

    def _who(self, request: web.Request) -> str:
        """The user that a call acts as."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        service = next((a for a in self._appservices if a.document["as_token"] == token), None)
        if service is None or "access_token" in request.query:
            raise Refusal(401, "M_UNKNOWN_TOKEN")
        user = request.query.get("user_id", service.sender)
        if not service.owns(user):
            raise Refusal(403, "M_FORBIDDEN", "Application service cannot masquerade as this user")
        if user != service.sender and user not in self._world.people:
            raise Refusal(403, "M_FORBIDDEN", f"Application service has not registered this user ({user})")
        return user

    def _room(self, request: web.Request) -> Room:
        return self._world.room(request.match_info["room"])

    def _person(self, user: str) -> Person:
        if user not in self._world.people:
            raise Refusal(403, "M_FORBIDDEN")
        return self._world.people[user]

    async def _whoami(self, request: web.Request, user: str) -> Json:
        return {"user_id": user}

    async def _versions(self, request: web.Request, user: str) -> Json:
        return {"versions": ["v1.4", "v1.11", "v1.15"]}

    async def _ping(self, request: web.Request, user: str) -> Json:
        async with aiohttp.ClientSession() as session:
            status = await self._pusher.call(session, "POST", "ping", await request.json())
        if status is None:
            raise Refusal(502, "M_CONNECTION_FAILED")
        if status != 200:
            raise Refusal(502, "M_BAD_STATUS")
        self._pusher.resume()
        return {"duration_ms": 1}

    async def _register(self, request: web.Request, user: str) -> Json:
        body = await request.json()
        new = f"@{body['username']}:{self._world.server}"
        if not self._appservices[0].owns(new):
            raise Refusal(400, "M_EXCLUSIVE")
        self._world.register(new)
        return {"user_id": new}

    async def _profile(self, request: web.Request, user: str) -> Json:
        self._person(user).name = (await request.json())["displayname"]
        return {}

    async def _create(self, request: web.Request, user: str) -> Json:
        self._person(user)
        return {"room_id": self._world.create_room(user, await request.json()).id}

    async def _alias(self, request: web.Request, user: str) -> Json:
        alias = request.match_info["alias"]
        if alias not in self._world.aliases:
            raise Refusal(404, "M_NOT_FOUND")
        return {"room_id": self._world.aliases[alias], "servers": [self._world.server]}

    async def _invite(self, request: web.Request, user: str) -> Json:
        self._world.invite(user, self._room(request), (await request.json())["user_id"])
        return {}

    async def _join(self, request: web.Request, user: str) -> Json:
        room = self._room(request)
        self._world.join(user, room)
        return {"room_id": room.id}

    async def _leave(self, request: web.Request, user: str) -> Json:
        self._world.leave(user, self._room(request))
        return {}

    async def _members(self, request: web.Request, user: str) -> Json:
        room = self._room(request)
        return {"chunk": [event for (kind, _), event in room.state.items() if kind == "m.room.member"]}

    async def _send(self, request: web.Request, user: str) -> Json:
        ts = request.query.get("ts")
        info = request.match_info
        known = (user, info["room"], info["txn"]) in self._world.transactions
        event = self._world.send(
            user,
            self._room(request),
            info["type"],
            await request.json(),
            info["txn"],
            ts=None if ts is None else int(ts),
        )
        if known:
            self._log.add("repeat", txn=info["txn"], event_id=event)
        return {"event_id": event}

    async def _redact(self, request: web.Request, user: str) -> Json:
        info, body = request.match_info, await request.json()
        event = self._world.send(
            user, self._room(request), "m.room.redaction", body, info["txn"], redacts=info["event"]
        )
        return {"event_id": event}

    async def _set_state(self, request: web.Request, user: str) -> Json:
        info, content = request.match_info, await request.json()
        return {
            "event_id": self._world.set_state(user, self._room(request), info["type"], info["key"], content)
        }

    async def _state(self, request: web.Request, user: str) -> Json:
        event = self._room(request).state.get((request.match_info["type"], request.match_info["key"]))
        if event is None:
            raise Refusal(404, "M_NOT_FOUND")
        return _content(event)

    async def _receipt(self, request: web.Request, user: str) -> Json:
        self._world.read(user, self._room(request), request.match_info["event"])
        return {}

    async def _history(self, request: web.Request, user: str) -> Json:
        limit = min(int(request.query.get("limit", "10")), 1000)
        return self._world.history(user, self._room(request), request.query.get("from", ""), limit)

    async def _account_data(self, request: web.Request, user: str) -> Json:
        data = self._person(user).account_data.get(request.match_info["type"])
        if data is None:
            raise Refusal(404, "M_NOT_FOUND")
        return _content({"content": data})

    async def _set_account_data(self, request: web.Request, user: str) -> Json:
        self._person(user).account_data[request.match_info["type"]] = await request.json()
        return {}


def _content(event: Mapping[str, Any]) -> Json:
    return dict(event["content"])
