"""A session has one owner: a lock for each contact under which nothing is awaited but the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import structlog

from bridge.e2ee.session import Record
from bridge.errors import LocalProtocolError
from bridge.flow.context import Parts
from bridge.flow.keyring import Unlocked
from bridge.ids import ContactId
from bridge.ports import Row
from bridge.store.tables import contacts
from bridge.store.vault import Unreadable

LOG = structlog.get_logger()

_RECORD = "session.record"


@dataclass(frozen=True)
class Held:
    """The session record of a contact while its lock is held. ``version`` 0: nothing stored yet."""

    contact_id: ContactId
    version: int
    record: Record | None = field(repr=False)
    renewed_at: float | None


class Sessions:
    """Loads session records under their locks and gives the rows that move them on."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._locks: WeakValueDictionary[ContactId, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def held(self, unlocked: Unlocked, contact_id: ContactId) -> AsyncIterator[Held]:
        """The record, for as long as the block runs. Await nothing in it but the store."""
        lock = self._locks.get(contact_id)
        if lock is None:
            lock = self._locks[contact_id] = asyncio.Lock()
        async with lock:
            row = await contacts.session(self._parts.store, contact_id)
            record = self._read(unlocked, contact_id, row.record)
            yield Held(contact_id, row.version, record, row.renewed_at)

    def _read(self, unlocked: Unlocked, contact_id: ContactId, sealed: bytes | None) -> Record | None:
        """The record; a damaged one counts as none, so that a new session heals the chat (fault F36)."""
        if sealed is None:
            return None
        try:
            return Record.from_bytes(unlocked.vault.open(_RECORD, contact_id, sealed))
        except (Unreadable, LocalProtocolError) as error:
            LOG.exception("a session record is damaged", error=type(error).__name__)
            return None

    def moved(
        self, unlocked: Unlocked, held: Held, record: Record, *, renewed: bool = False
    ) -> dict[str, Sequence[Row]]:
        """The rows that store ``record`` in place of what was held: for ``begin`` or for ``move``.

        ``renewed`` notes that a session was started anew at a contact's request.
        """
        row: dict[str, bytes | int | float | None] = {
            "contact_id": held.contact_id,
            "version": held.version + 1,
            "record": unlocked.vault.seal(_RECORD, held.contact_id, record.to_bytes(), self._parts.random),
            "renewed_at": self._parts.clock.now() if renewed else held.renewed_at,
        }
        if held.version == 0:
            return {"begin": [{**row, "account_id": unlocked.account.account_id}]}
        return {"move": [{**row, "old_version": held.version}]}
