"""Parts of the flows on a real journal, and one enlisted account; no homeserver is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bridge.curve import key_pair
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Keys, Unlocked
from bridge.ids import AccountId, RoomId
from bridge.ports import Homeserver, Row, Store, Unit, Value
from bridge.states import AccountState
from bridge.store import kinds
from bridge.store.database import Database
from bridge.store.tables.accounts import Account
from bridge.store.vault import Vault
from tests.network.clock import ManualClock
from tests.network.support import LOGIN, OWN, Dice, profile
from tests.sim.whole import ADA, SETTINGS
from tests.store.journal_support import KEY, load, open_bridge_database
from tests.wire.support import key

ACCOUNT = AccountId(b"an account, 16 b")
VAULT = Vault(b"m" * 32)


class FailingStore(Store):
    """The store; commits of the kinds in ``fails`` raise what stands there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fails: dict[str, Exception] = {}

    async def commit(self, unit: Unit) -> None:
        if error := self.fails.get(unit.kind.name):
            raise error
        await self._database.commit(unit)

    async def truncate_log(self) -> None:
        await self._database.truncate_log()

    async def read(self, sql: str, **parameters: Value) -> Any:
        return await self._database.read(sql, **parameters)


@dataclass(frozen=True)
class House:
    """The parts, the store beneath them, and the account."""

    parts: Parts
    store: FailingStore
    database: Database
    clock: ManualClock
    unlocked: Unlocked


def account_row(parts: Parts) -> Row:
    """An account that is enlisted."""
    data_key = VAULT.new_account_key(ACCOUNT, parts.random)
    keys = Keys(OWN, key_pair(key("noise").private)).to_bytes()
    sealed = VAULT.for_account(data_key, ACCOUNT).seal("account.own_keys", ACCOUNT, keys, parts.random)
    return Account(
        ACCOUNT, ADA, parts.profile.id, AccountState.ENLISTED, ADA, "Ada", RoomId("!talk:hs.test"),
        data_key, sealed, LOGIN, parts.owner, 1, 1, None, parts.clock.now(),
    ).to_row()  # fmt: skip


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    """Everything in ``folder``; closed at the end."""
    clock = ManualClock()
    database = await open_bridge_database(f"sqlite3-fk-wal:{folder / 'bridge.db'}", clock)
    store = FailingStore(database)
    try:
        parts = Parts(
            clock=clock,
            random=Dice(),
            store=store,
            journal=await load(store, clock),
            vault=VAULT,
            homeserver=cast(Homeserver, None),
            puppets=None,
            profile=profile(),
            settings=SETTINGS,
            owner="owner",
            refusals=Counter(),
            secret=KEY,
        )
        await store.commit(kinds.unit(kinds.AGREE, open=[account_row(parts)]))
        unlocked = await Keyring(parts).unlock(ACCOUNT)
        assert unlocked is not None
        yield House(parts, store, database, clock, unlocked)
    finally:
        await database.close()
