"""The homeserver port: mautrix's ``ClientAPI`` for what the bridge writes, plain requests for what it reads.

What others wrote stays JSON: mautrix's types refuse a whole answer for one odd event in it. Its ``redact``
has no transaction id, its ``join_room`` sleeps and repeats, its ``leave_room`` fails on an answer of a proxy.

There are two of it: one with the token of the main registration, one with that of the registration
for double puppets, which acts as real users and therefore registers nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from mautrix.api import Method, Path, PathBuilder
from mautrix.client import ClientAPI
from mautrix.errors import MatrixError
from mautrix.types import EventID, EventType, RoomID, UserID

from bridge.errors import TryAgain
from bridge.ids import EventId, RoomId, UserId
from bridge.matrix.errors import Rejected, meaning
from bridge.matrix.http import Api, Connection
from bridge.matrix.limiter import Limiter
from bridge.ports import Clock, RoomSpec, Step

T = TypeVar("T")

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
        self._connection = Connection(url=url, token=token, clock=clock, limiter=limiter)
        self._appservice_id = appservice_id
        self._registers = registers

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def whoami(self) -> UserId:
        """The registration's sender; ``Rejected`` M_UNKNOWN_TOKEN when the registration is not installed."""
        answer = await self._request(Step.ASK, Method.GET, Path.v3.account.whoami)
        return UserId(_text(answer.get("user_id"), "user_id"))

    async def versions(self) -> Sequence[str]:
        """Versions of the specification that the homeserver speaks, such as ``v1.11``."""
        versions = (await self._request(Step.ASK, Method.GET, Path.versions)).get("versions")
        return [v for v in versions if isinstance(v, str)] if isinstance(versions, list) else []

    async def ping(self, transaction_id: str) -> None:
        """Have the homeserver call us; when it can, it sends at once what it was holding back.

        ``TryAgain`` naming M_CONNECTION_FAILED, M_CONNECTION_TIMEOUT or M_BAD_STATUS when it cannot.
        """
        path = Path.v1.appservice[self._appservice_id].ping
        await self._request(Step.PING, Method.POST, path, {"transaction_id": transaction_id})

    async def register(self, localpart: str) -> None:
        """Register one of our users; harmless when it exists."""
        await self._register(localpart)

    async def set_display_name(self, as_user: UserId, name: str) -> None:
        """Set the name that is shown for ``as_user``."""
        await self._act(Step.PROFILE, as_user, lambda me: me.set_displayname(name, check_current=False))

    async def create_room(self, as_user: UserId, spec: RoomSpec) -> RoomId:
        """Make a room; ``AliasTaken`` when its alias exists."""

        def create(me: ClientAPI) -> Awaitable[object]:
            return me.create_room(
                alias_localpart=spec.alias_localpart,
                name=spec.name,
                topic=spec.topic,
                is_direct=spec.is_direct,
                invitees=[UserID(user) for user in spec.invite],
                initial_state=[dict(event) for event in spec.initial_state],
                room_version=spec.room_version,
                creation_content=dict(spec.creation_content),
                power_level_override=dict(spec.power_levels),
            )

        return RoomId(_text(await self._act(Step.CREATE_ROOM, as_user, create), "room_id"))

    async def resolve_alias(self, alias: str) -> RoomId | None:
        """The room of a whole alias ``#localpart:server``, or None."""
        answer = await _found(self._request(Step.LOOK_UP, Method.GET, Path.v3.directory.room[alias]))
        return None if answer is None else RoomId(_text(answer.get("room_id"), "room_id"))

    async def invite(self, as_user: UserId, room: RoomId, user: UserId) -> None:
        """Invite; already invited or joined is success."""
        try:
            await self._act(Step.INVITE, as_user, lambda me: me.invite_user(RoomID(room), UserID(user)))
        except Rejected as error:
            if not await self._is_present(as_user, room, user):
                raise error

    async def join(self, as_user: UserId, room: RoomId) -> None:
        """Join a room that invited ``as_user``; already joined is success."""
        await self._act(Step.JOIN, as_user, lambda me: me.join_room_by_id(RoomID(room)))

    async def leave(self, as_user: UserId, room: RoomId) -> None:
        """Leave or decline; not being in the room is success, since that was asked for."""
        try:
            await self._request(Step.LEAVE, Method.POST, Path.v3.rooms[room].leave, as_user=as_user)
        except Rejected as error:
            if error.errcode in ("M_FORBIDDEN", "M_NOT_FOUND"):
                return
            # Dendrite answers 400 to a second one, and to failures of its own as well.
            if error.status != 400 or await self._is_present(as_user, room, as_user):
                raise error

    async def _is_present(self, as_user: UserId, room: RoomId, user: UserId) -> bool:
        """Whether ``user`` is invited or joined, as far as ``as_user`` may know."""
        try:
            member = await self.state(as_user, room, str(EventType.ROOM_MEMBER), user)
        except Rejected as error:
            if error.concerns_registration:
                raise
            return False
        return member is not None and member.get("membership") in MEMBERSHIPS_PRESENT

    async def members(self, as_user: UserId, room: RoomId) -> Mapping[UserId, str]:
        """The membership (join, invite, leave, ban, knock) of each user who has one."""
        path = Path.v3.rooms[room].members
        answer = await self._request(Step.LOOK_UP, Method.GET, path, as_user=as_user)
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
        kind = EventType.find(event_type, EventType.Class.MESSAGE)
        body: Any = content  # mautrix takes JSON as well, though its annotations do not say so
        query = None if sent_at_ms is None else {"ts": str(sent_at_ms)}

        def send(me: ClientAPI) -> Awaitable[object]:
            return me.send_message_event(RoomID(room), kind, body, txn_id=transaction_id, query_params=query)

        return EventId(_text(await self._act(step, as_user, send), "event_id"))

    async def set_state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str, content: Mapping[str, Any]
    ) -> EventId:
        """Set a state event."""
        kind = EventType.find(event_type, EventType.Class.STATE)
        body: Any = content

        def send(me: ClientAPI) -> Awaitable[object]:
            return me.send_state_event(RoomID(room), kind, body, state_key)

        return EventId(_text(await self._act(Step.ROOM_STATE, as_user, send), "event_id"))

    async def state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str
    ) -> Mapping[str, Any] | None:
        """The content of a state event, or None when there is none."""
        path = Path.v3.rooms[room].state[event_type][state_key]
        return await _found(self._request(Step.LOOK_UP, Method.GET, path, as_user=as_user))

    async def redact(self, as_user: UserId, room: RoomId, event: EventId, *, transaction_id: str) -> EventId:
        """Redact an event."""
        path = Path.v3.rooms[room].redact[event][transaction_id]
        answer = await self._request(Step.REDACT, Method.PUT, path, as_user=as_user)
        return EventId(_text(answer.get("event_id"), "event_id"))

    async def mark_read(self, as_user: UserId, room: RoomId, event: EventId) -> None:
        """Set the public read receipt of ``as_user``."""
        await self._act(Step.MARK_READ, as_user, lambda me: me.send_receipt(RoomID(room), EventID(event)))

    async def history(self, as_user: UserId, room: RoomId, *, limit: int) -> AsyncIterator[Mapping[str, Any]]:
        """The room's newest ``limit`` events, newest first; a page is asked for when it is needed."""
        left, position = limit, ""
        while left > 0:
            query = {"dir": "b", "limit": str(min(left, PAGE_EVENTS))} | (
                {"from": position} if position else {}
            )
            path = Path.v3.rooms[room].messages
            answer = await self._request(Step.LOOK_UP, Method.GET, path, query=query, as_user=as_user)
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
        answer = self._act(Step.ACCOUNT_DATA, as_user, lambda me: me.get_account_data(data_type))
        return await _found(answer) or {}

    async def set_account_data(self, as_user: UserId, data_type: str, content: Mapping[str, Any]) -> None:
        """Replace the global account data of ``as_user``."""
        await self._act(Step.ACCOUNT_DATA, as_user, lambda me: me.set_account_data(data_type, dict(content)))

    async def _request(
        self,
        step: Step,
        method: Method,
        path: PathBuilder,
        content: dict[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        as_user: UserId | None = None,
    ) -> Mapping[str, Any]:
        """One plain request, as the registration's sender when there is no ``as_user``."""

        def request(me: ClientAPI) -> Awaitable[Mapping[str, Any]]:
            return me.api.request(method, path, content, query_params=query)

        if as_user is None:
            return await self._call(step, None, request)
        return await self._act(step, as_user, request)

    async def _act(self, step: Step, as_user: UserId, call: Callable[[ClientAPI], Awaitable[T]]) -> T:
        """One call as ``as_user``; when it is refused for want of a registration, register and repeat once.

        Homeservers word that refusal differently, so a refused call tries to register: if the user
        is new, that was it; if not, the refusal stands.
        """
        try:
            return await self._call(step, as_user, call)
        except Rejected as error:
            localpart = as_user.removeprefix("@").partition(":")[0]
            if error.status != 403 or not self._registers or not await self._register(localpart):
                raise
        return await self._call(step, as_user, call)

    async def _call(self, step: Step, as_user: UserId | None, call: Callable[[ClientAPI], Awaitable[T]]) -> T:
        """One call of mautrix's; its errors become ours here, with what the network said as their cause."""
        api = Api(self._connection, as_user)
        try:
            return await call(ClientAPI(UserID(as_user or ""), api=api))
        except MatrixError as error:
            raise meaning(step, error, api.retry_after) from error.__cause__

    async def _register(self, localpart: str) -> bool:
        """Register; False when the user existed."""
        body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self._request(Step.REGISTER_GHOST, Method.POST, Path.v3.register, body)
        except Rejected as error:
            if error.errcode != "M_USER_IN_USE":
                raise
            return False
        return True


async def _found(answer: Awaitable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What a GET finds, or None when there is nothing."""
    try:
        return await answer
    except Rejected as error:
        if error.errcode != "M_NOT_FOUND":
            raise
        return None


def _text(value: object, name: str) -> str:
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
