"""What the fake homeserver knows: users, rooms, events. Plain state; its rules raise ``Refusal``."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """An answer with a Matrix error code."""

    def __init__(self, status: int, errcode: str, error: str = "") -> None:
        super().__init__(errcode)
        self.status, self.body = status, {"errcode": errcode, "error": error}


@dataclass
class Person:
    """A registered user. ``joins`` and ``reads`` are what its client does by itself."""

    joins: bool = False
    reads: bool = False
    name: str | None = None
    account_data: Json = field(default_factory=dict)


@dataclass
class Room:
    """A room with all its events in order."""

    id: str
    alias: str | None = None
    events: list[Json] = field(default_factory=list)
    state: dict[tuple[str, str], Json] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)

    def membership(self, user: str) -> str | None:
        event = self.state.get(("m.room.member", user))
        return None if event is None else str(event["content"]["membership"])

    def members(self, *kinds: str) -> list[str]:
        users = [key for kind, key in self.state if kind == "m.room.member"]
        return [user for user in users if self.membership(user) in kinds]


@dataclass
class World:
    """The homeserver. ``on_event`` and ``on_receipt`` are told of everything that happens."""

    server: str
    now_ms: Callable[[], int]
    on_event: Callable[[Room, Json, str | None], None]
    on_receipt: Callable[[Room, str, str], None]
    people: dict[str, Person] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    transactions: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _count: int = 0

    def register(self, user: str) -> None:
        if user in self.people:
            raise Refusal(400, "M_USER_IN_USE")
        self.people[user] = Person()

    def room(self, room_id: str) -> Room:
        if room_id not in self.rooms:
            raise Refusal(403, "M_FORBIDDEN", "unknown room")
        return self.rooms[room_id]

    def create_room(self, creator: str, body: Mapping[str, Any]) -> Room:
        alias = f"#{body['room_alias_name']}:{self.server}" if "room_alias_name" in body else None
        if alias in self.aliases:
            raise Refusal(400, "M_ROOM_IN_USE", "Room alias already taken")
        room = Room(f"!{self._opaque('room')}", alias)  # without a server, as in newer room versions
        self.rooms[room.id] = room
        if alias is not None:
            self.aliases[alias] = room.id
        create = {**body.get("creation_content", {}), "room_version": body.get("room_version", "11")}
        self._append(room, creator, "m.room.create", create, state_key="")
        self._member(room, creator, creator, "join")
        levels = body.get("power_level_content_override", {})
        self._append(room, creator, "m.room.power_levels", levels, state_key="")
        for event in body.get("initial_state", []):
            self._append(room, creator, event["type"], event["content"], state_key=event.get("state_key", ""))
        for name in ("name", "topic"):
            if name in body:
                self._append(room, creator, f"m.room.{name}", {name: body[name]}, state_key="")
        for user in body.get("invite", []):
            self.invite(creator, room, user, direct=bool(body.get("is_direct")))
        return room

    def invite(self, sender: str, room: Room, user: str, *, direct: bool = False) -> None:
        self._must_be_joined(sender, room)
        if room.membership(user) == "join":
            raise Refusal(403, "M_FORBIDDEN", f"{user} is already in the room.")
        self._member(room, sender, user, "invite", {"is_direct": True} if direct else {})
        person = self.people.get(user)
        if person is not None and person.joins:
            self.join(user, room)

    def join(self, user: str, room: Room) -> None:
        if room.membership(user) == "join":
            return
        if room.membership(user) != "invite":
            raise Refusal(403, "M_FORBIDDEN", "You are not invited to this room.")
        self._member(room, user, user, "join")

    def leave(self, user: str, room: Room) -> None:
        if room.membership(user) not in ("join", "invite"):
            raise Refusal(403, "M_FORBIDDEN", "You are not in this room.")
        self._member(room, user, user, "leave")

    def send(
        self,
        sender: str,
        room: Room,
        type_: str,
        content: Mapping[str, Any],
        transaction: str | None = None,
        *,
        ts: int | None = None,
        redacts: str | None = None,
    ) -> str:
        """Send; a known transaction id of this sender in this room gives its old event again."""
        key = (sender, room.id, transaction or "")
        if transaction is not None and key in self.transactions:
            return self.transactions[key]
        self._must_be_joined(sender, room)
        event = self._append(room, sender, type_, content, ts=ts, redacts=redacts, transaction=transaction)
        if transaction is not None:
            self.transactions[key] = event["event_id"]
        for user in room.members("join"):
            if user != sender and type_ == "m.room.message" and self.people[user].reads:
                self.read(user, room, event["event_id"])
        return str(event["event_id"])

    def set_state(
        self, sender: str, room: Room, type_: str, state_key: str, content: Mapping[str, Any]
    ) -> str:
        self._must_be_joined(sender, room)
        return str(self._append(room, sender, type_, content, state_key=state_key)["event_id"])

    def read(self, user: str, room: Room, event: str) -> None:
        self._must_be_joined(user, room)
        room.receipts[user] = event
        self.on_receipt(room, user, event)

    def history(self, user: str, room: Room, start: str, limit: int) -> Json:
        """A page, newest first; the token is the number of events that are older."""
        if room.membership(user) is None:
            raise Refusal(403, "M_FORBIDDEN", "not in the room")
        end = int(start) if start else len(room.events)
        begin = max(0, end - limit)
        page = list(reversed(room.events[begin:end]))
        return {"chunk": page, "start": str(end), **({"end": str(begin)} if begin else {})}

    def _must_be_joined(self, user: str, room: Room) -> None:
        if room.membership(user) != "join":
            raise Refusal(403, "M_FORBIDDEN", f"User {user} not in room")

    def _member(
        self, room: Room, sender: str, user: str, membership: str, more: Mapping[str, Any] | None = None
    ) -> None:
        content = {"membership": membership, **(more or {})}
        self._append(room, sender, "m.room.member", content, state_key=user)

    def _append(
        self,
        room: Room,
        sender: str,
        type_: str,
        content: Mapping[str, Any],
        *,
        state_key: str | None = None,
        ts: int | None = None,
        redacts: str | None = None,
        transaction: str | None = None,
    ) -> Json:
        event: Json = {
            "event_id": f"${self._opaque('event')}",
            "room_id": room.id,
            "sender": sender,
            "type": type_,
            "origin_server_ts": self.now_ms() if ts is None else ts,
            "content": dict(content),
            "unsigned": {},
        }
        if state_key is not None:
            event["state_key"] = state_key
            room.state[(type_, state_key)] = event
        if redacts is not None:
            event["content"]["redacts"] = redacts
            for old in room.events:
                if old["event_id"] == redacts:
                    old["content"], old["unsigned"] = {}, {"redacted_because": event}
        room.events.append(event)
        self.on_event(room, event, transaction)
        return event

    def _opaque(self, kind: str) -> str:
        self._count += 1
        digest = hashlib.sha256(f"{kind}{self._count}".encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True)
class Appservice:
    """A registration as the homeserver reads it."""

    document: Mapping[str, Any]
    server: str

    @property
    def sender(self) -> str:
        return f"@{self.document['sender_localpart']}:{self.server}"

    def owns(self, user: str) -> bool:
        """Whether the user is the sender or in a namespace."""
        return user == self.sender or any(re.match(regex, user) for regex in self._regexes())

    def _regexes(self) -> Sequence[str]:
        return [entry["regex"] for entry in self.document["namespaces"]["users"]]

    def is_interested(self, room: Room, event: Mapping[str, Any]) -> bool:
        """Synapse's rule: one of ours sent it, is its subject, or is joined (not only invited)."""
        subject = event.get("state_key") if event["type"] == "m.room.member" else None
        people = [event["sender"], *([subject] if isinstance(subject, str) else []), *room.members("join")]
        return any(self.owns(user) for user in people)
