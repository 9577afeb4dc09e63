"""Stored facts about each message, and the rooms in which people talk to the bot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.ids import AccountId, ContactId, EventId, RoomId, StanzaId, UserId
from bridge.lifecycle.message import Direction, InState, OutState
from bridge.ports import Row, Statement, Store
from bridge.store.errors import AlreadyThere, Stale


@dataclass(frozen=True)
class Message:
    """One message after it was sealed or stored. ``body`` is its sealed plaintext until it expires.

    Use ``out_state`` and ``in_state`` for its place in the tables of ``bridge.lifecycle.message``.
    """

    message_id: bytes
    account_id: AccountId
    contact_id: ContactId
    direction: Direction
    stanza_id: StanzaId
    event_id: EventId | None
    state: OutState | InState
    sent_at: int
    body: bytes | None = field(repr=False)
    retries: int
    changed_at: float

    @staticmethod
    def from_row(row: Row) -> Message:
        """Read a row of the table."""
        values = dict(row)
        direction = Direction(values.pop("direction"))
        state = (OutState if direction is Direction.OUT else InState)(values.pop("state"))
        # The schema is the proof of the columns' types.
        return Message(direction=direction, state=state, **values)  # type: ignore[arg-type]

    def to_row(self) -> Row:
        """The row of the table."""
        return {**self.__dict__, "direction": self.direction.value, "state": self.state.value}

    @property
    def out_state(self) -> OutState:
        """The state of a message out; a message in is a mistake of the caller."""
        assert isinstance(self.state, OutState)
        return self.state

    @property
    def in_state(self) -> InState:
        """The state of a message in; a message out is a mistake of the caller."""
        assert isinstance(self.state, InState)
        return self.state


ADD = Statement(
    """INSERT INTO message (message_id, account_id, contact_id, direction, stanza_id, event_id, state,
           sent_at, body, retries, changed_at)
       VALUES (:message_id, :account_id, :contact_id, :direction, :stanza_id, :event_id, :state,
           :sent_at, :body, :retries, :changed_at)
       ON CONFLICT DO NOTHING""",
    expect=1,
    error=AlreadyThere,
    merge_by=("message_id",),
)

SET_STATE = Statement(
    """UPDATE message SET state = :state, changed_at = :changed_at
       WHERE message_id = :message_id AND state = :old_state""",
    expect=1,
    error=Stale,
    merge_by=("message_id",),
)
SET_SHOWN = Statement(
    """UPDATE message SET state = :state, event_id = :event_id, body = NULL, changed_at = :changed_at
       WHERE message_id = :message_id AND state = :old_state""",
    expect=1,
    error=Stale,
    merge_by=("message_id",),
)
"""An incoming message stands in Matrix now; its plaintext is no longer kept here."""

COUNT_RETRY = Statement(
    """UPDATE message SET retries = :retries, changed_at = :changed_at
       WHERE message_id = :message_id AND retries = :old_retries""",
    expect=1,
    error=Stale,
    merge_by=("message_id",),
)
CLEAR_BODIES = Statement(
    """UPDATE message SET body = NULL WHERE body IS NOT NULL AND changed_at < :changed_at
       AND account_id IN (SELECT account_id FROM account WHERE owner = :owner)"""
)
"""For all accounts of an owner. The owner's name is the guard: another process has another."""
DELETE_OF_ACCOUNT = Statement("DELETE FROM message WHERE account_id = :account_id")

ADD_ROOM = Statement(
    """INSERT INTO management_room (room_id, user_id, dialogue, changed_at)
       VALUES (:room_id, :user_id, :dialogue, :changed_at) ON CONFLICT DO NOTHING""",
    merge_by=("room_id",),
)
DELETE_ROOM = Statement("DELETE FROM management_room WHERE room_id = :room_id", merge_by=("room_id",))
SET_DIALOGUE = Statement(
    "UPDATE management_room SET dialogue = :dialogue, changed_at = :changed_at WHERE room_id = :room_id",
    merge_by=("room_id",),
)


async def by_id(store: Store, message_id: bytes) -> Message | None:
    """The message of that key."""
    return _one(
        await store.read("SELECT * FROM message WHERE message_id = :message_id", message_id=message_id)
    )


async def by_event(store: Store, event_id: EventId) -> Message | None:
    """The message a Matrix event stands for."""
    return _one(await store.read("SELECT * FROM message WHERE event_id = :event_id", event_id=event_id))


_UNREAD = (
    "SELECT * FROM message WHERE contact_id = :contact_id AND direction = :direction AND state = :state"
    " AND {until} ORDER BY sent_at LIMIT :most"
)
_SHOWN_IN = {"direction": Direction.IN.value, "state": InState.SHOWN.value}


async def unread_until(store: Store, contact_id: ContactId, sent_at: int, most: int) -> Sequence[Message]:
    """Shown messages of a contact sent up to a time (ms) that no read receipt has answered, oldest first."""
    sql = _UNREAD.format(until="sent_at <= :sent_at")
    rows = await store.read(sql, contact_id=contact_id, sent_at=sent_at, most=most, **_SHOWN_IN)
    return [Message.from_row(row) for row in rows]


async def unread_shown_until(
    store: Store, contact_id: ContactId, shown_at: float, most: int
) -> Sequence[Message]:
    """The same, of those that were shown up to a time (seconds)."""
    sql = _UNREAD.format(until="changed_at <= :changed_at")
    rows = await store.read(sql, contact_id=contact_id, changed_at=shown_at, most=most, **_SHOWN_IN)
    return [Message.from_row(row) for row in rows]


async def management_room(store: Store, room_id: RoomId) -> tuple[UserId, str] | None:
    """Whose management room it is, and where the talk stands."""
    rows = await store.read(
        "SELECT user_id, dialogue FROM management_room WHERE room_id = :room_id", room_id=room_id
    )
    return (UserId(str(rows[0]["user_id"])), str(rows[0]["dialogue"])) if rows else None


async def rooms_of(store: Store, user_id: UserId) -> Sequence[RoomId]:
    """The rooms in which a user and the bot talk, the last one first."""
    rows = await store.read(
        "SELECT room_id FROM management_room WHERE user_id = :user_id ORDER BY changed_at DESC",
        user_id=user_id,
    )
    return [RoomId(str(row["room_id"])) for row in rows]


def _one(rows: Sequence[Row]) -> Message | None:
    return Message.from_row(rows[0]) if rows else None
