"""The homeserver port over HTTP: the named calls of the client-server API that the bridge makes.

There are two of it: one with the token of the main registration, one with that of the registration
for double puppets, which acts as real users and therefore registers nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from bridge.errors import TryAgain
from bridge.ids import EventId, RoomId, UserId
from bridge.matrix.errors import Rejected
from bridge.matrix.http import MatrixHttp
from bridge.matrix.limiter import Limiter
from bridge.ports import Clock, RoomSpec, Step

_V3 = ("client", "v3")
PAGE_EVENTS = 100
"""Events asked for in one page of history; with 64 KiB each they fit the answer's limit."""
MEMBERSHIPS_PRESENT = frozenset({"invite", "join"})


class HttpHomeserver:
    """One appservice token's view of the homeserver. Make it inside the running loop.

    ``registers``: whether an unregistered ``as_user`` is registered and the call repeated once.
    """

    def __init__(
        self,
        *,
        url: str,
        token: str,
        appservice_id: str,
        clock: Clock,
        limiter: Limiter,
        registers: bool = True,
    ) -> None:
        self._http = MatrixHttp(url=url, token=token, clock=clock, limiter=limiter)
        self._appservice_id = appservice_id
        self._registers = registers

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def whoami(self) -> UserId:
        """The registration's sender; ``Rejected`` M_UNKNOWN_TOKEN when the registration is not installed."""
        answer = await self._http.call(Step.ASK, "GET", (*_V3, "account", "whoami"))
        return UserId(_text(answer, "user_id"))

    async def versions(self) -> Sequence[str]:
        """Versions of the specification that the homeserver speaks, such as ``v1.11``."""
        answer = await self._http.call(Step.ASK, "GET", ("client", "versions"))
        versions = answer.get("versions")
        return [v for v in versions if isinstance(v, str)] if isinstance(versions, list) else []

    async def ping(self, transaction_id: str) -> None:
        """Have the homeserver call us; when it can, it sends at once what it was holding back.

        ``TryAgain`` naming M_CONNECTION_FAILED, M_CONNECTION_TIMEOUT or M_BAD_STATUS when it cannot.
        """
        path = ("client", "v1", "appservice", self._appservice_id, "ping")
        await self._http.call(Step.PING, "POST", path, body={"transaction_id": transaction_id})

    async def register(self, localpart: str) -> None:
        """Register one of our users; harmless when it exists."""
        await self._register(localpart)

    async def set_display_name(self, as_user: UserId, name: str) -> None:
        """Set the name that is shown for ``as_user``."""
        path = (*_V3, "profile", as_user, "displayname")
        await self._act(Step.PROFILE, as_user, "PUT", path, body={"displayname": name})

    async def create_room(self, as_user: UserId, spec: RoomSpec) -> RoomId:
        """Make a room; ``AliasTaken`` when its alias exists."""
        body = {
            "visibility": "private",
            "preset": "private_chat",
            "room_alias_name": spec.alias_localpart,
            "name": spec.name,
            "topic": spec.topic,
            "invite": list(spec.invite),
            "room_version": spec.room_version,
            "creation_content": dict(spec.creation_content),
            "initial_state": [dict(event) for event in spec.initial_state],
            "power_level_content_override": dict(spec.power_levels),
            "is_direct": spec.is_direct,
        }
        used = {name: value for name, value in body.items() if value not in ("", [])}
        answer = await self._act(Step.CREATE_ROOM, as_user, "POST", (*_V3, "createRoom"), body=used)
        return RoomId(_text(answer, "room_id"))

    async def resolve_alias(self, alias: str) -> RoomId | None:
        """The room of a whole alias ``#localpart:server``, or None."""
        answer = await self._find(Step.LOOK_UP, None, (*_V3, "directory", "room", alias))
        return None if answer is None else RoomId(_text(answer, "room_id"))

    async def invite(self, as_user: UserId, room: RoomId, user: UserId) -> None:
        """Invite; already invited or joined is success."""
        path = (*_V3, "rooms", room, "invite")
        try:
            await self._act(Step.INVITE, as_user, "POST", path, body={"user_id": user})
        except Rejected as error:
            member = await self.state(as_user, room, "m.room.member", user)
            if member is None or member.get("membership") not in MEMBERSHIPS_PRESENT:
                raise error

    async def join(self, as_user: UserId, room: RoomId) -> None:
        """Join a room that invited ``as_user``; already joined is success."""
        await self._act(Step.JOIN, as_user, "POST", (*_V3, "rooms", room, "join"), body={})

    async def leave(self, as_user: UserId, room: RoomId) -> None:
        """Leave or decline; not being in the room is success, since that was asked for."""
        try:
            await self._act(Step.LEAVE, as_user, "POST", (*_V3, "rooms", room, "leave"), body={})
        except Rejected as error:
            if error.errcode not in ("M_FORBIDDEN", "M_NOT_FOUND"):
                raise

    async def members(self, as_user: UserId, room: RoomId) -> Mapping[UserId, str]:
        """The membership (join, invite, leave, ban, knock) of each user who has one."""
        answer = await self._act(Step.LOOK_UP, as_user, "GET", (*_V3, "rooms", room, "members"))
        return dict(_memberships(answer.get("chunk")))

    async def send(
        self,
        as_user: UserId,
        room: RoomId,
        event_type: str,
        content: Mapping[str, Any],
        *,
        transaction_id: str,
        sent_at_ms: int | None = None,
        step: Step = Step.SHOW,
    ) -> EventId:
        """Send an event; the same transaction id gives the same event again."""
        path = (*_V3, "rooms", room, "send", event_type, transaction_id)
        query = {} if sent_at_ms is None else {"ts": str(sent_at_ms)}
        answer = await self._act(step, as_user, "PUT", path, query=query, body=content)
        return EventId(_text(answer, "event_id"))

    async def set_state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str, content: Mapping[str, Any]
    ) -> EventId:
        """Set a state event."""
        path = (*_V3, "rooms", room, "state", event_type, state_key)
        answer = await self._act(Step.ROOM_STATE, as_user, "PUT", path, body=content)
        return EventId(_text(answer, "event_id"))

    async def state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str
    ) -> Mapping[str, Any] | None:
        """The content of a state event, or None when there is none."""
        path = (*_V3, "rooms", room, "state", event_type, state_key)
        return await self._find(Step.LOOK_UP, as_user, path)

    async def redact(self, as_user: UserId, room: RoomId, event: EventId, *, transaction_id: str) -> EventId:
        """Redact an event."""
        path = (*_V3, "rooms", room, "redact", event, transaction_id)
        answer = await self._act(Step.REDACT, as_user, "PUT", path, body={})
        return EventId(_text(answer, "event_id"))

    async def mark_read(self, as_user: UserId, room: RoomId, event: EventId) -> None:
        """Set the public read receipt of ``as_user``."""
        path = (*_V3, "rooms", room, "receipt", "m.read", event)
        await self._act(Step.MARK_READ, as_user, "POST", path, body={})

    async def history(self, as_user: UserId, room: RoomId, *, limit: int) -> AsyncIterator[Mapping[str, Any]]:
        """The room's newest ``limit`` events, newest first; a page is asked for when it is needed."""
        left, position = limit, ""
        while left > 0:
            query = {"dir": "b", "limit": str(min(left, PAGE_EVENTS))} | (
                {"from": position} if position else {}
            )
            path = (*_V3, "rooms", room, "messages")
            answer = await self._act(Step.LOOK_UP, as_user, "GET", path, query=query)
            chunk, end = answer.get("chunk"), answer.get("end")
            events = [event for event in chunk if isinstance(event, dict)] if isinstance(chunk, list) else []
            for event in events[:left]:
                yield event
            left -= len(events)
            if not events or not isinstance(end, str) or end == position:
                return
            position = end

    async def account_data(self, as_user: UserId, data_type: str) -> Mapping[str, Any]:
        """The global account data of ``as_user``; empty when there is none."""
        path = (*_V3, "user", as_user, "account_data", data_type)
        return await self._find(Step.ACCOUNT_DATA, as_user, path) or {}

    async def set_account_data(self, as_user: UserId, data_type: str, content: Mapping[str, Any]) -> None:
        """Replace the global account data of ``as_user``."""
        path = (*_V3, "user", as_user, "account_data", data_type)
        await self._act(Step.ACCOUNT_DATA, as_user, "PUT", path, body=content)

    async def _act(
        self,
        step: Step,
        as_user: UserId,
        method: str,
        path: Sequence[str],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """One call as ``as_user``; when it is refused for want of a registration, register and repeat once.

        Homeservers word that refusal differently, so a refused call tries to register: if the user
        is new, that was it; if not, the refusal stands.
        """
        query = {"user_id": as_user, **(query or {})}
        try:
            return await self._http.call(step, method, path, query=query, body=body)
        except Rejected as error:
            localpart = as_user.removeprefix("@").partition(":")[0]
            if error.status != 403 or not self._registers or not await self._register(localpart):
                raise
        return await self._http.call(step, method, path, query=query, body=body)

    async def _find(
        self, step: Step, as_user: UserId | None, path: Sequence[str]
    ) -> Mapping[str, Any] | None:
        """What a GET finds, or None when there is nothing."""
        try:
            if as_user is None:
                return await self._http.call(step, "GET", path)
            return await self._act(step, as_user, "GET", path)
        except Rejected as error:
            if error.errcode != "M_NOT_FOUND":
                raise
            return None

    async def _register(self, localpart: str) -> bool:
        """Register; False when the user existed."""
        body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self._http.call(Step.REGISTER_GHOST, "POST", (*_V3, "register"), body=body)
        except Rejected as error:
            if error.errcode != "M_USER_IN_USE":
                raise
            return False
        return True


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise TryAgain(f"an answer without {name}")
    return value


def _memberships(chunk: Any) -> list[tuple[UserId, str]]:
    found: list[tuple[UserId, str]] = []
    for event in chunk if isinstance(chunk, list) else []:
        content = event.get("content") if isinstance(event, dict) else None
        membership = content.get("membership") if isinstance(content, dict) else None
        if isinstance(membership, str) and isinstance(event.get("state_key"), str):
            found.append((UserId(event["state_key"]), membership))
    return found
