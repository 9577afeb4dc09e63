"""The homeserver as the bridge sees it: rooms, members and events in memory, and refusals as a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.ids import GHOST_PREFIX, EventId, RoomId, UserId
from bridge.matrix.errors import AliasTaken, Rejected
from bridge.ports import Homeserver, RoomSpec, Step
from bridge.sentences.english import ENGLISH

SERVER = "hs.test"
BOT = UserId(f"@interopbot:{SERVER}")
PRESENT = ("join", "invite")


@dataclass(frozen=True)
class Asked:
    """One call of the bridge: its step (that of the real form), as whom, where, and with what."""

    step: Step
    as_user: UserId
    room: RoomId | None = None
    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What is to be said; empty for calls that say nothing."""
        return str(self.content.get("body", ""))


Rule = Callable[[Asked], None]
"""Looks at a call before it is done, and raises what the homeserver is to answer instead."""


@dataclass(frozen=True)
class Event:
    """One event of a room, as it stands there."""

    event_id: EventId
    room: RoomId
    sender: UserId
    type: str
    content: Mapping[str, Any]
    sent_at_ms: int
    state_key: str | None = None

    def pushed(self) -> dict[str, Any]:
        """The event as homeservers write it."""
        values: dict[str, Any] = {
            "event_id": self.event_id,
            "room_id": self.room,
            "sender": self.sender,
            "type": self.type,
            "content": dict(self.content),
            "origin_server_ts": self.sent_at_ms,
        }
        return values if self.state_key is None else {**values, "state_key": self.state_key}


def nothing_refused(asked: Asked) -> None:
    """The rule of a homeserver that does everything."""


def refusing(*steps: Step, errcode: str = "M_FORBIDDEN", status: int = 403, saying: str = "") -> Rule:
    """A rule that refuses these steps for good; ``saying``: only where the text has this in it."""

    def rule(asked: Asked) -> None:
        if asked.step in steps and saying in asked.text:
            raise Rejected(errcode, status)

    return rule


class SimulatedHomeserver(Homeserver):
    """The ``Homeserver`` port. Whoever is not in a room can do nothing there, as on a real one."""

    ghost_prefix = GHOST_PREFIX

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.refuse: Rule = nothing_refused
        self.rooms: dict[RoomId, dict[UserId, str]] = {}
        """The membership of everybody in every room."""
        self.names: dict[UserId, str] = {}
        self.events: list[Event] = []
        self.redacted: list[EventId] = []
        self.read: list[tuple[UserId, EventId]] = []
        """Public read receipts, in the order they were set."""
        self.visible_when_left = False
        """Whether those who are out of a room are shown its members, as some homeservers do."""
        self.aliases: dict[str, RoomId] = {}
        self._sent: dict[tuple[UserId, RoomId, str], EventId] = {}

    # What people and tests do

    def make_room(self, creator: UserId, *invited: UserId) -> RoomId:
        """A room of somebody's own."""
        room = RoomId(f"!room{len(self.rooms) + 1}:{SERVER}")
        self.rooms[room] = {creator: "join", **dict.fromkeys(invited, "invite")}
        return room

    def happens(
        self, room: RoomId, sender: UserId, event_type: str, content: Mapping[str, Any], state_key: str | None
    ) -> Event:
        """Somebody's event stands in a room."""
        event_id = EventId(f"$event{len(self.events) + 1}")
        now_ms = int(self._now() * 1000)
        event = Event(event_id, room, sender, event_type, content, now_ms, state_key)
        self.events.append(event)
        return event

    def membership(self, room: RoomId, user: UserId, membership: str, *, by: UserId) -> Event:
        """Somebody comes, goes, is invited or thrown out."""
        self.rooms[room][user] = membership
        return self.happens(room, by, "m.room.member", {"membership": membership}, user)

    def is_ghost(self, user: UserId) -> bool:
        """Whether a user is a ghost of the bridge."""
        return user.startswith(f"@{self.ghost_prefix}")

    def portals(self) -> list[RoomId]:
        """Rooms in which a ghost is, the newest last."""
        return [
            room
            for room, members in self.rooms.items()
            if any(self.is_ghost(user) and members[user] == "join" for user in members)
        ]

    def ghost(self, room: RoomId) -> UserId:
        """The ghost of a portal."""
        return next(user for user in self.rooms[room] if self.is_ghost(user))

    def texts(self, room: RoomId, sender: UserId | None = None) -> list[str]:
        """What stands in a room in words, of everybody or of one."""
        return [
            str(event.content["body"])
            for event in self.events
            if event.room == room and "body" in event.content and sender in (None, event.sender)
            if event.event_id not in self.redacted
        ]

    def heard(self, key: str) -> list[Event]:
        """The events in which the bot says a sentence, whatever fills its blanks."""
        pieces = [piece.partition("}")[2] for piece in f"}}{ENGLISH[key]}".split("{")]
        return [
            event
            for event in self.events
            if event.sender == BOT and all(piece in str(event.content.get("body", "")) for piece in pieces)
        ]

    # The port

    async def whoami(self) -> UserId:
        self.refuse(Asked(Step.ASK, BOT))
        return BOT

    async def versions(self) -> Sequence[str]:
        self.refuse(Asked(Step.ASK, BOT))
        return ()

    async def ping(self, transaction_id: str) -> None:
        self.refuse(Asked(Step.PING, BOT, content={"transaction_id": transaction_id}))

    async def register(self, localpart: str) -> None:
        self.refuse(Asked(Step.REGISTER_GHOST, UserId(f"@{localpart}:{SERVER}")))

    async def set_display_name(self, as_user: UserId, name: str) -> None:
        self.refuse(Asked(Step.PROFILE, as_user, content={"displayname": name}))
        self.names[as_user] = name

    async def create_room(self, as_user: UserId, spec: RoomSpec) -> RoomId:
        self.refuse(Asked(Step.CREATE_ROOM, as_user, content={"room_alias_name": spec.alias_localpart}))
        if spec.alias_localpart in self.aliases:
            raise AliasTaken()
        room = self.make_room(as_user, *spec.invite)
        self.aliases[spec.alias_localpart] = room
        return room

    async def resolve_alias(self, alias: str) -> RoomId | None:
        self.refuse(Asked(Step.LOOK_UP, BOT))
        return self.aliases.get(alias.removeprefix("#").partition(":")[0])

    async def invite(self, as_user: UserId, room: RoomId, user: UserId) -> None:
        self._here(Asked(Step.INVITE, as_user, room, {"user_id": user}))
        if self.rooms[room].get(user) not in PRESENT:
            self.rooms[room][user] = "invite"

    async def join(self, as_user: UserId, room: RoomId) -> None:
        self.refuse(Asked(Step.JOIN, as_user, room))
        if self.rooms[room].get(as_user) not in PRESENT:
            raise Rejected("M_FORBIDDEN", 403)
        self.rooms[room][as_user] = "join"

    async def leave(self, as_user: UserId, room: RoomId) -> None:
        self.refuse(Asked(Step.LEAVE, as_user, room))
        self.rooms[room][as_user] = "leave"

    async def members(self, as_user: UserId, room: RoomId) -> Mapping[UserId, str]:
        asked = Asked(Step.LOOK_UP, as_user, room)
        if self.visible_when_left:
            self.refuse(asked)
        else:
            self._here(asked)
        return dict(self.rooms[room])

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
        self._here(Asked(step, as_user, room, content))
        key = (as_user, room, transaction_id)
        if key not in self._sent:
            self._sent[key] = self.happens(room, as_user, event_type, content, None).event_id
        return self._sent[key]

    async def set_state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str, content: Mapping[str, Any]
    ) -> EventId:
        self._here(Asked(Step.ROOM_STATE, as_user, room, content))
        return self.happens(room, as_user, event_type, content, state_key).event_id

    async def state(
        self, as_user: UserId, room: RoomId, event_type: str, state_key: str
    ) -> Mapping[str, Any] | None:
        self._here(Asked(Step.LOOK_UP, as_user, room))
        found = [e for e in self.events if (e.room, e.type, e.state_key) == (room, event_type, state_key)]
        return found[-1].content if found else None

    async def redact(self, as_user: UserId, room: RoomId, event: EventId, *, transaction_id: str) -> EventId:
        self._here(Asked(Step.REDACT, as_user, room, {"transaction_id": transaction_id}))
        self.redacted.append(event)
        return EventId(f"{event}/redaction")

    async def mark_read(self, as_user: UserId, room: RoomId, event: EventId) -> None:
        self._here(Asked(Step.MARK_READ, as_user, room))
        self.read.append((as_user, event))

    async def history(self, as_user: UserId, room: RoomId, *, limit: int) -> AsyncIterator[Mapping[str, Any]]:
        self._here(Asked(Step.LOOK_UP, as_user, room))
        newest = [event for event in reversed(self.events) if event.room == room]
        for event in newest[:limit]:
            yield event.pushed()

    async def account_data(self, as_user: UserId, data_type: str) -> Mapping[str, Any]:
        self.refuse(Asked(Step.ACCOUNT_DATA, as_user, content={"type": data_type}))
        return {}

    async def set_account_data(self, as_user: UserId, data_type: str, content: Mapping[str, Any]) -> None:
        self.refuse(Asked(Step.ACCOUNT_DATA, as_user, content={"type": data_type, **content}))

    def _here(self, asked: Asked) -> None:
        """Only who is in a room may do something there."""
        self.refuse(asked)
        assert asked.room is not None
        if self.rooms[asked.room].get(asked.as_user) != "join":
            raise Rejected("M_FORBIDDEN", 403)
