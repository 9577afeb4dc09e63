"""Our prekeys at the network: given at first, topped up when few are left, the signed one renewed in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bridge.e2ee.keys import new_prekeys, new_signed_prekey
from bridge.flow import outbox
from bridge.flow.accounts.enlist import counted
from bridge.flow.connections.registry import Connections
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Unlocked, made_at
from bridge.ids import AccountId
from bridge.lifecycle.reminders import DAY_S
from bridge.ports import Row, Value
from bridge.sentences import say
from bridge.states import AccountState
from bridge.store import kinds
from bridge.store.journal import Entry, New
from bridge.store.tables import accounts
from bridge.store.tables.accounts import Account

SIGNED_FOR_S = 7 * DAY_S
"""How long a signed prekey is handed out. Whoever takes it can read the first messages that used no one-time
prekey, so it must not be the same for ever; every new one has to be kept for long."""
KEPT_FOR_S = 45 * DAY_S
"""How long it is kept after its successor was made: a message may lie thirty days in the mailbox, and its
sender may have fetched the key some time before (reliability F35)."""


class Prekeys:
    """Keeps the network in prekeys of each account."""

    def __init__(self, parts: Parts, keyring: Keyring, connections: Connections) -> None:
        self._parts = parts
        self._keyring = keyring
        self._connections = connections

    async def upload(self, entry: Entry) -> None:
        """The step after enlisting: give the network prekeys, and tell the user their address."""
        unlocked = await self._enlisted(entry)
        if unlocked is not None:
            await self._have_new(unlocked)
            await self._give(entry, unlocked, *self._welcome(unlocked.account, entry))

    async def top_up(self, entry: Entry) -> None:
        """The step: one-time prekeys run low; make new ones and give them to the network."""
        unlocked = await self._enlisted(entry)
        if unlocked is None:
            return
        # The network's word is checked before keys are made, or it could make us make any number.
        left = await self._connections.prekeys_left(unlocked.account.account_id)
        if left > self._parts.profile.limits.prekeys_low:
            await self._parts.journal.settle(entry)
            return
        await self._have_new(unlocked)
        await self._give(entry, unlocked)

    async def connected(self, account_id: AccountId) -> None:
        """An account is connected: if its signed prekey has served its time, a new one is owed."""
        row = await accounts.newest_signed_prekey(self._parts.store, account_id)
        if row is not None and self._is_due(row):
            week = int(self._parts.clock.now() // SIGNED_FOR_S)
            key = f"{account_id.hex()}/signed/{week}"
            await self._parts.journal.owe(outbox.task(outbox.RENEW_SIGNED, account_id, key))

    async def renew_signed(self, entry: Entry) -> None:
        """The step: make a new signed prekey, unless one waits to be given, and give it to the network."""
        unlocked = await self._enlisted(entry)
        if unlocked is None:
            return
        account = unlocked.account
        row = await accounts.newest_signed_prekey(self._parts.store, account.account_id)
        if row is not None and row["uploaded"] and not self._is_due(row):
            await self._parts.journal.settle(entry)
            return
        if row is None or row["uploaded"]:
            signed = new_signed_prekey(unlocked.own, account.next_prekey_id, self._parts.random.bytes)
            await self._keep(account, 1, self._keyring.prekey_rows(unlocked, signed, ()))
        await self._give(entry, unlocked)

    def _is_due(self, row: Row) -> bool:
        return self._parts.clock.now() - made_at(row) >= SIGNED_FOR_S

    async def _enlisted(self, entry: Entry) -> Unlocked | None:
        """The entry's account; None, and the entry settled, where the network does not know it now."""
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        if unlocked is None or unlocked.account.state is not AccountState.ENLISTED:
            await self._parts.journal.settle(entry)
            return None
        return unlocked

    async def _have_new(self, unlocked: Unlocked) -> None:
        """A batch that the network does not have yet; made and committed when there is none."""
        account = unlocked.account
        if any(map(_is_new_one_time, await accounts.prekeys(self._parts.store, account.account_id))):
            return
        count = self._parts.profile.limits.prekeys_uploaded
        one_time = new_prekeys(account.next_prekey_id, count, self._parts.random.bytes)
        await self._keep(account, count, self._keyring.prekey_rows(unlocked, None, one_time))

    async def _keep(self, account: Account, made: int, rows: Sequence[Row]) -> None:
        await self._parts.store.commit(
            kinds.unit(kinds.PREKEYS, fence=[account.fence], count=[counted(account, made)], prekey=rows)
        )

    async def _give(self, entry: Entry, unlocked: Unlocked, *told: New) -> None:
        """Give the network what it does not have yet, then note that it has it; old signed ones go."""
        account_id = unlocked.account.account_id
        rows = await accounts.prekeys(self._parts.store, account_id)
        signed = self._keyring.newest_signed(unlocked, rows)
        one_time = [self._keyring.read_one_time(unlocked, row) for row in rows if _is_new_one_time(row)]
        await self._connections.upload_keys(account_id, unlocked.own, signed, one_time)
        owe = self._parts.journal.rows(*told)
        await self._parts.store.commit(
            kinds.unit(
                kinds.UPLOADED,
                fence=[unlocked.account.fence],
                settle=[{"entry_id": entry.entry_id}],
                uploaded=[{"account_id": account_id}],
                retire=[{"account_id": account_id, "prekey_id": id} for id in self._outlived(rows)],
                owe=owe,
                remember=owe,
            )
        )

    def _outlived(self, rows: Sequence[Row]) -> list[Value]:
        """The ids of signed prekeys whose successor the network has had for long enough."""
        signed = sorted((row for row in rows if row["kind"] == "signed"), key=made_at)
        oldest = self._parts.clock.now() - KEPT_FOR_S
        return [
            row["prekey_id"]
            for row, successor in pairwise(signed)
            if successor["uploaded"] and made_at(successor) < oldest
        ]

    def _welcome(self, account: Account, entry: Entry) -> list[New]:
        label = self._parts.profile.label
        done = say("enlist.done", identifier=account.identifier, label=label)
        invitation = say("enlist.invitation", identifier=account.identifier)
        return [
            outbox.to_owner(account, done).owed(b"done" + entry.entry_id),
            outbox.to_owner(account, invitation).owed(b"invitation" + entry.entry_id),
        ]


def _is_new_one_time(row: Row) -> bool:
    return row["kind"] == "one-time" and not row["uploaded"]
