"""A journal on a real database, and entries to put into it."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.ports import Clock, Row, Store
from bridge.store import kinds
from bridge.store.database import Database, open_database
from bridge.store.journal import Entry, Journal, New
from bridge.store.vault import KeeperBox, Vault
from tests.store.support import CountedRandom, StillClock

KEY = b"the key of this installation...."
_VAULT = Vault(b"the master key, 32 bytes of it..")
KEEPER: KeeperBox = _VAULT.keeper(_VAULT.new_keeper_key(CountedRandom()))


async def open_bridge_database(url: str, clock: Clock | None = None) -> Database:
    """Open a database with the bridge's own schema and kinds."""
    return await open_database(
        url, profile_id="test", clock=clock or StillClock(), random=CountedRandom(), wakes=kinds.WAKES
    )


async def load(store: Store, clock: Clock | None = None, keeper: KeeperBox = KEEPER) -> Journal:
    """The journal as a start of the bridge finds it."""
    return await Journal.load(store, clock or StillClock(), keeper, KEY)


def new(key: str, lane: str = "lane", *, kind: str = "test", not_before: float = 0.0) -> New:
    """An entry whose body says its key."""
    return New(kind, lane, key, f"body of {key}".encode(), not_before=not_before)


async def rows(store: Store) -> Sequence[Row]:
    """All entries, in the order of their positions."""
    return await store.read("SELECT * FROM entry ORDER BY position")


async def bodies(journal: Journal) -> list[bytes]:
    """What the entries of all lanes say, in the order of their positions."""
    return [journal.read(Entry.from_row(row)) for row in await rows(journal.store)]
