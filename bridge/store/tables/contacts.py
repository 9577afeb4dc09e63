"""Contacts and the sessions with them. A contact is private to the account that knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.ids import AccountId, ContactId, EventId, RoomId
from bridge.ports import Row, Statement, Store
from bridge.store.errors import AlreadyThere, Stale


@dataclass(frozen=True)
class ContactRow:
    """A contact as stored. ``facts`` is sealed: internal id, service, identifier and shown name."""

    contact_id: ContactId
    account_id: AccountId
    jid_digest: bytes
    facts: bytes = field(repr=False)
    ghost: str
    alias: str
    room_id: RoomId | None
    identity: bytes | None
    waiting_event: EventId | None
    owner_absent: int
    met_at: float

    @staticmethod
    def from_row(row: Row) -> ContactRow:
        """Read a row of the table."""
        return ContactRow(**row)  # type: ignore[arg-type]  # the schema is the proof of the columns' types


@dataclass(frozen=True)
class SessionRow:
    """The sealed session record of a contact and the version that guards it; version 0: none yet."""

    version: int
    record: bytes | None = field(repr=False)
    renewed_at: float | None


ADD = Statement(
    """INSERT INTO contact (contact_id, account_id, jid_digest, facts, ghost, alias, room_id, identity,
           waiting_event, owner_absent, met_at)
       VALUES (:contact_id, :account_id, :jid_digest, :facts, :ghost, :alias, :room_id, :identity,
           :waiting_event, :owner_absent, :met_at)
       ON CONFLICT DO NOTHING""",
    expect=1,
    error=AlreadyThere,
    merge_by=("contact_id",),
)

SET_FACTS = Statement(
    "UPDATE contact SET facts = :facts WHERE contact_id = :contact_id", merge_by=("contact_id",)
)
SET_IDENTITY = Statement(
    "UPDATE contact SET identity = :identity WHERE contact_id = :contact_id", merge_by=("contact_id",)
)
SET_ROOM = Statement(
    "UPDATE contact SET room_id = :room_id, owner_absent = :owner_absent WHERE contact_id = :contact_id",
    merge_by=("contact_id",),
)
SET_WAITING_EVENT = Statement(
    "UPDATE contact SET waiting_event = :waiting_event WHERE contact_id = :contact_id",
    merge_by=("contact_id",),
)

ADD_SESSION = Statement(
    """INSERT INTO session (contact_id, account_id, version, record, renewed_at)
       VALUES (:contact_id, :account_id, :version, :record, :renewed_at) ON CONFLICT DO NOTHING""",
    expect=1,
    error=Stale,
    merge_by=("contact_id",),
)
UPDATE_SESSION = Statement(
    """UPDATE session SET version = :version, record = :record, renewed_at = :renewed_at
       WHERE contact_id = :contact_id AND version = :old_version""",
    expect=1,
    error=Stale,
    merge_by=("contact_id",),
)
ANY_GHOST = "SELECT ghost FROM contact LIMIT 1"
DELETE_SESSIONS = Statement("DELETE FROM session WHERE account_id = :account_id")
DELETE_OF_ACCOUNT = Statement("DELETE FROM contact WHERE account_id = :account_id")


async def any_ghost(store: Store) -> str | None:
    """The localpart of a ghost; all have the same prefix. None when there are no contacts."""
    rows = await store.read(ANY_GHOST)
    return str(rows[0]["ghost"]) if rows else None


async def by_jid(store: Store, account_id: AccountId, jid_digest: bytes) -> ContactRow | None:
    """The contact whose internal id has that keyed digest."""
    return _one(
        await store.read(
            "SELECT * FROM contact WHERE account_id = :account_id AND jid_digest = :jid_digest",
            account_id=account_id,
            jid_digest=jid_digest,
        )
    )


async def by_room(store: Store, room_id: RoomId) -> ContactRow | None:
    """The contact whose portal the room is."""
    return _one(await store.read("SELECT * FROM contact WHERE room_id = :room_id", room_id=room_id))


async def by_id(store: Store, contact_id: ContactId) -> ContactRow | None:
    """The contact of that id."""
    return _one(
        await store.read("SELECT * FROM contact WHERE contact_id = :contact_id", contact_id=contact_id)
    )


async def of_account(store: Store, account_id: AccountId) -> Sequence[ContactRow]:
    """All contacts of an account."""
    rows = await store.read(
        "SELECT * FROM contact WHERE account_id = :account_id ORDER BY met_at", account_id=account_id
    )
    return [ContactRow.from_row(row) for row in rows]


async def session(store: Store, contact_id: ContactId) -> SessionRow:
    """The session with a contact, or version 0 when there is none."""
    rows = await store.read(
        "SELECT version, record, renewed_at FROM session WHERE contact_id = :contact_id",
        contact_id=contact_id,
    )
    return SessionRow(**rows[0]) if rows else SessionRow(0, None, None)  # type: ignore[arg-type]


def _one(rows: Sequence[Row]) -> ContactRow | None:
    return ContactRow.from_row(rows[0]) if rows else None
