"""A minimal Matrix client on the client-server API."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

LONG_POLL_SECONDS = 30
TOTAL_SECONDS = 60.0
FILTER = '{"room": {"timeline": {"limit": 100}}}'
"""The largest timeline limit of Synapse; the default is ten events per sync."""


class Refused(Exception):
    """The homeserver refused a call."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"HTTP {status} {body.get('errcode')}: {body.get('error')}")
        self.status, self.errcode = status, body.get("errcode")


@dataclass(frozen=True)
class Seen:
    """One item of a sync: a timeline event, an invite or a read receipt."""

    kind: str
    """``event``, ``invite`` or ``receipt``."""
    room: str
    event: Mapping[str, Any] = field(repr=False)

    @property
    def body(self) -> str | None:
        """The text of a message event."""
        body = self.event.get("content", {}).get("body")
        return body if isinstance(body, str) else None

    @property
    def sender(self) -> str:
        """The sender's user id."""
        return str(self.event.get("sender", ""))


class Client:
    """One logged-in user. Use as ``async with await Client.login(...) as client``."""

    def __init__(self, session: aiohttp.ClientSession, url: str, user_id: str, token: str) -> None:
        self.user_id = user_id
        self._session, self._url, self._token = session, url, token
        self._counter = itertools.count()
        self._since: str | None = None

    @classmethod
    async def login(cls, url: str, localpart: str, password: str) -> Client:
        """Log in with a password."""
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS))
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": localpart},
            "password": password,
        }
        try:
            answer = await _call(session, "POST", f"{url}/_matrix/client/v3/login", None, body)
        except BaseException:
            await session.close()
            raise
        return cls(session, url, answer["user_id"], answer["access_token"])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        *path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One call of the client-server API, ``path`` below ``/_matrix/client/v3``."""
        url = f"{self._url}/_matrix/client/v3/" + "/".join(quote(part, safe="") for part in path)
        return await _call(self._session, method, url, self._token, body, query)

    async def sync(self, *, timeout: int = LONG_POLL_SECONDS) -> list[Seen]:
        """New items since the last call; waits up to ``timeout`` seconds for one."""
        since = {} if self._since is None else {"since": self._since}
        query = {"timeout": str(timeout * 1000), "filter": FILTER, **since}
        answer = await self.call("GET", "sync", query=query)
        self._since = answer["next_batch"]
        return _seen(answer, self.user_id)

    async def watch(self) -> AsyncIterator[Seen]:
        """All items since the last call, as they arrive, endlessly."""
        while True:
            for seen in await self.sync():
                yield seen

    async def start_dm(self, user: str) -> str:
        """Make a private room and invite ``user``; returns the room."""
        answer = await self.call(
            "POST",
            "createRoom",
            body={"preset": "trusted_private_chat", "is_direct": True, "invite": [user]},
        )
        return str(answer["room_id"])

    async def join(self, room: str) -> None:
        """Accept an invite."""
        await self.call("POST", "rooms", room, "join", body={})

    async def leave(self, room: str) -> None:
        """Leave a room."""
        await self.call("POST", "rooms", room, "leave", body={})

    async def send_text(self, room: str, text: str, *, reply_to: str | None = None) -> str:
        """Send a text; returns the event id."""
        content: dict[str, Any] = {"msgtype": "m.text", "body": text, "m.mentions": {}}
        if reply_to is not None:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply_to}}
        return await self.send(room, "m.room.message", content)

    async def send(self, room: str, event_type: str, content: Mapping[str, Any]) -> str:
        """Send any event; returns its id."""
        transaction = f"client{next(self._counter)}"
        answer = await self.call("PUT", "rooms", room, "send", event_type, transaction, body=content)
        return str(answer["event_id"])

    async def read(self, room: str, event: str) -> None:
        """Set the public read receipt."""
        await self.call("POST", "rooms", room, "receipt", "m.read", event, body={})

    async def timeline(self, room: str, *, limit: int = 50) -> list[dict[str, Any]]:
        """The newest events of a room, oldest first."""
        answer = await self.call("GET", "rooms", room, "messages", query={"dir": "b", "limit": str(limit)})
        return list(reversed(answer["chunk"]))

    async def members(self, room: str) -> dict[str, str]:
        """The membership of each user of a room."""
        answer = await self.call("GET", "rooms", room, "members")
        return {event["state_key"]: event["content"]["membership"] for event in answer["chunk"]}

    async def state(self, room: str, event_type: str, state_key: str = "") -> dict[str, Any]:
        """The content of a state event."""
        return await self.call("GET", "rooms", room, "state", event_type, state_key)

    async def joined_rooms(self) -> list[str]:
        """All rooms the user is in."""
        return list((await self.call("GET", "joined_rooms"))["joined_rooms"])

    async def account_data(self, data_type: str) -> dict[str, Any]:
        """Global account data, such as m.direct."""
        return await self.call("GET", "user", self.user_id, "account_data", data_type)


async def _call(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    token: str | None,
    body: Mapping[str, Any] | None,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with session.request(method, url, json=body, headers=headers, params=query) as answer:
        fields: dict[str, Any] = await answer.json()
        if answer.status >= 400:
            raise Refused(answer.status, fields)
        return fields


def _seen(answer: Mapping[str, Any], user: str) -> list[Seen]:
    rooms = answer.get("rooms", {})
    found: list[Seen] = []
    for room, state in rooms.get("invite", {}).items():
        events = state.get("invite_state", {}).get("events", [])
        found += [Seen("invite", room, event) for event in events if event.get("state_key") == user]
    for room, state in rooms.get("join", {}).items():
        found += [Seen("event", room, event) for event in state.get("timeline", {}).get("events", [])]
        for edu in state.get("ephemeral", {}).get("events", []):
            if edu.get("type") == "m.receipt":
                found += _receipts(room, edu.get("content", {}))
    return found


def _receipts(room: str, content: Mapping[str, Any]) -> list[Seen]:
    return [
        Seen("receipt", room, {"sender": user, "event_id": event, **data})
        for event, kinds in content.items()
        for user, data in kinds.get("m.read", {}).items()
    ]
