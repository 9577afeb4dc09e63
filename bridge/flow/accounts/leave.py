"""Leaving: the agreement withdrawn, the account deleted at the network, the keys destroyed."""

from __future__ import annotations

from contextlib import suppress

import structlog

from bridge.errors import GiveUp, TryAgain
from bridge.flow import outbox
from bridge.flow.accounts.enlist import changed, enlistment_of
from bridge.flow.connections.connection import AccountRefused
from bridge.flow.connections.registry import Connections
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Unlocked
from bridge.ids import RoomId
from bridge.lifecycle.account import ACCOUNT, AccountEvent
from bridge.network.connector import Connector, Enlisted
from bridge.network.errors import QuestionRefused
from bridge.ports import Row
from bridge.profile import Refusal
from bridge.sentences import say
from bridge.states import AccountState
from bridge.store import kinds
from bridge.store.journal import Entry, New
from bridge.store.tables import contacts
from bridge.store.tables.accounts import Account

LOG = structlog.get_logger()

ITEM_NOT_FOUND = 404
"""The answer of a network that has no such account (any more)."""

_UNKNOWN = (Refusal.REFUSED, Refusal.ENLIST_AGAIN)
"""What a network says that does not have the account."""


class Leaving:
    """Takes accounts away from the network."""

    def __init__(
        self, parts: Parts, keyring: Keyring, connector: Connector, connections: Connections
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._connector = connector
        self._connections = connections

    async def leave(self, entry: Entry, room_id: RoomId, account: Account, *said: New) -> None:
        """One unit: the agreement is withdrawn, and the deletion at the network is owed.

        Said once more while the deletion is under way, the deletion is owed anew.
        """
        now = self._parts.clock.now()
        state: list[Row] = []
        following = ACCOUNT.after(account.state, AccountEvent.LEAVE)
        if following.state is not account.state:
            state.append(changed(self._parts, account, following.state))
        # In the account's own lane: an enlistment under way ends before.
        delete = outbox.task(outbox.DELETE, account.account_id, account.account_id + entry.entry_id)
        rows = self._parts.journal.rows(*said, delete)
        await self._parts.store.commit(
            kinds.unit(
                kinds.LEAVE,
                fence=[account.fence],
                settle=[{"entry_id": entry.entry_id}],
                state=state,
                withdraw=[{"account_id": account.account_id, "withdrawn_at": now}],
                dialogue=[{"room_id": room_id, "dialogue": "", "changed_at": now}],
                owe=rows,
                remember=rows,
            )
        )

    async def delete(self, entry: Entry) -> None:
        """The step: have the network forget the account, then destroy the keys and say so everywhere."""
        assert entry.account_id is not None
        unlocked = await self._keyring.unlock(entry.account_id)
        if unlocked is None or unlocked.account.state is not AccountState.LEAVING:
            await self._parts.journal.settle(entry)
            return
        confirmed = await self._forgotten(unlocked)
        await self._connections.forget(entry.account_id)
        await self._destroy(entry, unlocked, confirmed=confirmed)
        self._keyring.forget(unlocked.account)
        with suppress(TryAgain):
            await self._parts.store.truncate_log()

    async def _forgotten(self, unlocked: Unlocked) -> bool:
        """Whether the network confirms that it knows the account no longer; ``TryAgain`` while it is away."""
        account = unlocked.account
        if unlocked.keys is None:
            return True  # nothing of the account ever left
        try:
            if account.login is None and not await self._learn_login(unlocked):
                return True
        except GiveUp:
            return False
        self._connections.enlisted(account.account_id)  # an old refusal may be over
        try:
            await self._connections.delete(account.account_id)
        except AccountRefused as refusal:
            return refusal.state is Refusal.ENLIST_AGAIN
        except QuestionRefused as refusal:
            return refusal.code == ITEM_NOT_FOUND
        except GiveUp:
            return False
        return True

    async def _learn_login(self, unlocked: Unlocked) -> bool:
        """An enlistment may have reached the network without its answer reaching us: the same again tells.

        ``TryAgain`` while the network cannot say; ``GiveUp`` when it will not.
        """
        account = unlocked.account
        answer = await self._connector.enlist(await enlistment_of(self._parts, self._keyring, unlocked))
        if not isinstance(answer, Enlisted):
            if answer.reason.state is Refusal.RETRY:
                raise TryAgain("the network asks to come later", after=answer.retry_after)
            if answer.reason.state not in _UNKNOWN:
                raise GiveUp(say(answer.reason.sentence))
            return False
        row: Row = {"account_id": account.account_id, "login": str(answer.login)}
        await self._parts.store.commit(kinds.unit(kinds.ENLISTED, fence=[account.fence], login=[row]))
        return True

    async def _destroy(self, entry: Entry, unlocked: Unlocked, *, confirmed: bool) -> None:
        """One unit: keys destroyed, and with them all they sealed; the user is told in every room."""
        account = unlocked.account
        done = say("leave.done") if confirmed else say("leave.unconfirmed")
        told = [outbox.to_owner(account, done).owed(b"left" + account.account_id)]
        for contact in await contacts.of_account(self._parts.store, account.account_id):
            if contact.room_id is not None:
                notice = outbox.Notice(contact.room_id, say("leave.portal"))
                told.append(notice.owed(b"left" + contact.contact_id))
        everything: Row = {"account_id": account.account_id}
        rows = self._parts.journal.rows(*told)
        await self._parts.store.commit(
            kinds.unit(
                kinds.LEFT,
                fence=[account.fence],
                settle=[{"entry_id": entry.entry_id}],
                state=[
                    changed(self._parts, account, ACCOUNT.after(account.state, AccountEvent.DELETED).state)
                ],
                destroy=[{**everything, "data_key": b""}],
                prekeys=[everything],
                sessions=[everything],
                contacts=[everything],
                messages=[everything],
                entries=[{**everything, "entry_id": entry.entry_id}],
                owe=rows,
                remember=rows,
            )
        )
