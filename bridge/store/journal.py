"""The journal: everything that arrives is an entry until it is settled.

Laws. An entry is durable before anybody is told that it arrived. Entries of one lane are handled in
the order of their positions, one at a time: the lowest is the head. An entry leaves the journal
together with the commit of what it caused. What was seen once is never accepted again.

What is accepted from a homeserver is sealed to the keeper's public key, so that the part which accepts
needs no secrets; what a flow adds is sealed by the keeper itself. A plaintext that was opened is sealed
under the account's own key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bridge.ids import AccountId, EntryId, derive
from bridge.ports import Clock, Row, Store
from bridge.store import kinds
from bridge.store.tables import entries
from bridge.store.vault import KeeperBox


class EntryState(Enum):
    """What the body of an entry is."""

    ACCEPTED = "accepted"
    """As it arrived."""
    SEALED = "sealed"
    """On its way out: the ciphertext to be sent, byte for byte."""
    OPENED = "opened"
    """On its way in: the plaintext, sealed at rest."""


@dataclass(frozen=True)
class Entry:
    """One unsettled thing that happened. ``position`` orders its lane."""

    entry_id: EntryId
    lane: str
    position: int
    kind: str
    state: EntryState
    account_id: AccountId | None
    body: bytes = field(repr=False)
    not_before: float
    accepted_at: float

    @staticmethod
    def from_row(row: Row) -> Entry:
        """Read a row of the table."""
        values = dict(row)
        state = EntryState(values.pop("state"))
        return Entry(state=state, **values)  # type: ignore[arg-type]  # the schema is the proof of the types

    def advanced(self, state: EntryState, body: bytes) -> Row:
        """The row that moves it on from the state it was read in; ``body`` is sealed already."""
        return {
            "entry_id": self.entry_id,
            "state": state.value,
            "old_state": self.state.value,
            "body": body,
        }


@dataclass(frozen=True)
class New:
    """An entry to accept. Entries of one kind and ``key`` are the same entry."""

    kind: str
    lane: str
    key: str | bytes
    body: bytes = field(repr=False)
    account_id: AccountId | None = None
    not_before: float = 0.0


class Journal:
    """The entries of one store. Assigns positions, so one process writes."""

    def __init__(self, store: Store, clock: Clock, keeper: KeeperBox, key: bytes, last_position: int) -> None:
        self.store = store
        self._clock = clock
        self._keeper = keeper
        self._key = key
        self._position = self._oldest_of_ours = last_position

    @staticmethod
    async def load(store: Store, clock: Clock, keeper: KeeperBox, key: bytes) -> Journal:
        """Continue after the last stored position."""
        rows = await store.read(entries.LAST_POSITION)
        last = rows[0]["position"] if rows else None
        return Journal(store, clock, keeper, key, int(last or 0))

    def rows(self, *new: New) -> tuple[Row, ...]:
        """The rows for a unit's ``add`` or ``owe``, and ``remember`` alike, in the order given.

        Commit them without awaiting anything in between: positions are given out here, and the
        pump looks only for those above the last it has seen. What is given twice has one row.
        """
        return self._rows(new, self._keeper.keep)

    def _rows(self, new: Sequence[New], seal: Callable[[bytes, bytes], bytes]) -> tuple[Row, ...]:
        rows: dict[EntryId, Row] = {}
        for each in new:
            entry_id = self.entry_id(each.kind, each.key)
            if entry_id in rows:
                continue
            self._position += 1
            rows[entry_id] = {
                "entry_id": entry_id,
                "lane": each.lane,
                "position": self._position,
                "kind": each.kind,
                "state": EntryState.ACCEPTED.value,
                "account_id": each.account_id,
                "body": seal(entry_id, each.body),
                "not_before": each.not_before,
                "accepted_at": self._clock.now(),
            }
        return tuple(rows.values())

    def is_old(self, entry: Entry) -> bool:
        """Whether an earlier process accepted the entry."""
        return entry.position <= self._oldest_of_ours

    def entry_id(self, kind: str, key: str | bytes) -> EntryId:
        """The id of the entry that stands for ``key``."""
        return EntryId(derive(self._key, "entry", kind, key))

    def read(self, entry: Entry) -> bytes:
        """The plaintext body of an entry, as accepted or as last kept."""
        return self._keeper.open(entry.entry_id, entry.body)

    def keep(self, entry: Entry, body: bytes) -> bytes:
        """Seal a new body for an entry that changes state; ``read`` opens it."""
        return self._keeper.keep(entry.entry_id, body)

    async def accept(self, *new: New) -> None:
        """Store new entries from outside durably; ones seen before are skipped. Raises ``TryAgain``."""
        if new:
            rows = self._rows(new, self._keeper.seal)
            await self.store.commit(kinds.unit(kinds.INTAKE, add=rows, remember=rows))

    async def owe(self, *new: New) -> None:
        """Store entries for what the bridge owes; ones owed before are skipped."""
        rows = self.rows(*new)
        await self.store.commit(kinds.unit(kinds.OWE, owe=rows, remember=rows))

    async def settle(self, entry: Entry, *owed: New) -> None:
        """Remove ``entry`` and accept what it leaves ``owed``, in one commit."""
        rows = self.rows(*owed)
        await self.store.commit(
            kinds.unit(kinds.SETTLE, settle=[{"entry_id": entry.entry_id}], owe=rows, remember=rows)
        )

    async def postpone(self, entry: Entry, not_before: float) -> None:
        """Keep ``entry`` in its place and do not handle it before a time."""
        row: Row = {"entry_id": entry.entry_id, "not_before": not_before}
        await self.store.commit(kinds.unit(kinds.POSTPONE, postpone=[row]))

    async def head(self, lane: str) -> Entry | None:
        """The entry that is next in ``lane``."""
        rows = await self.store.read(entries.HEAD, lane=lane)
        return Entry.from_row(rows[0]) if rows else None

    async def behind(self, entry: Entry) -> Sequence[Entry]:
        """The next entries behind one in its lane, up to a bound."""
        rows = await self.store.read(entries.BEHIND, lane=entry.lane, position=entry.position)
        return [Entry.from_row(row) for row in rows]

    async def lanes_after(self, position: int) -> Sequence[tuple[str, int]]:
        """Lanes with entries above ``position``, each with its highest, in ascending order."""
        rows = await self.store.read(entries.NEW_LANES, position=position)
        return [(str(row["lane"]), int(row["position"] or 0)) for row in rows]
