"""Agreement -> enlisted -> connected -> left, and back. Each step is an entry, so each survives a kill."""

from __future__ import annotations

import structlog

from bridge.curve import key_pair
from bridge.e2ee.keys import new_own_keys, new_prekeys, new_signed_prekey, prekey_id_after
from bridge.errors import TryAgain
from bridge.flow import outbox
from bridge.flow.connections.registry import Connections
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring, Keys, Unlocked
from bridge.ids import AccountId, RoomId, UserId, derive
from bridge.lifecycle.account import ACCOUNT, AccountEvent
from bridge.network.connector import Connector, Enlistment, EnlistRefused
from bridge.policy import Act, Allow
from bridge.ports import Row
from bridge.profile import Reason, Refusal
from bridge.sentences import Sentence, say
from bridge.states import AccountState, Custody
from bridge.store import kinds
from bridge.store.journal import Entry, New
from bridge.store.tables import accounts
from bridge.store.tables.accounts import Account

LOG = structlog.get_logger()

AGREEMENT_VERSION = "1"
"""The version of the text a user agrees to; the record of the agreement names it."""

FIRST_PREKEY_ID = 1
A_MOMENT_S = 10.0
"""So long an enlistment may take without a word; a person who was promised a moment then wonders."""
HOUR_S = 3_600

_STATE_OF: dict[Refusal, AccountEvent] = {
    Refusal.REFUSED: AccountEvent.REFUSED,
    Refusal.REAUTHENTICATE: AccountEvent.REFUSED,
    Refusal.ENLIST_AGAIN: AccountEvent.REFUSED,
    Refusal.SUSPENDED: AccountEvent.SUSPENDED,
    Refusal.OUTDATED: AccountEvent.SUSPENDED,
}


class Enlisting:
    """Brings accounts to the network and away from it."""

    def __init__(
        self, parts: Parts, keyring: Keyring, connector: Connector, connections: Connections
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._connector = connector
        self._connections = connections

    async def agree(
        self, entry: Entry, room_id: RoomId, user_id: UserId, shown_name: str, identifier: str, *said: New
    ) -> None:
        """One unit: the agreement record, the account, and the enlistment that is owed."""
        now = self._parts.clock.now()
        account_id = AccountId(derive(self._parts.secret, "new-account", entry.entry_id))
        account = Account(
            account_id=account_id,
            user_id=user_id,
            network=self._parts.profile.id,
            state=AccountState.AGREED,
            identifier=identifier,
            shown_name=shown_name,
            room_id=room_id,
            data_key=self._parts.vault.new_account_key(account_id, self._parts.random),
            own_keys=None,
            login=None,
            owner=self._parts.owner,
            epoch=1,
            next_prekey_id=FIRST_PREKEY_ID,
            last_connected_at=None,
            state_changed_at=now,
        )
        agreement: Row = {
            "agreement_id": derive(self._parts.secret, "agreement", entry.entry_id),
            "account_id": account_id,
            "text_version": AGREEMENT_VERSION,
            "agreed_at": now,
            "withdrawn_at": None,
        }
        rows = self._parts.journal.rows(*said, outbox.task(outbox.ENLIST, account_id, account_id))
        await self._parts.store.commit(
            kinds.unit(
                kinds.AGREE,
                settle=[{"entry_id": entry.entry_id}],
                alone=[{"user_id": user_id}] if self._parts.settings.custody is Custody.PERSONAL else [],
                open=[account.to_row()],
                agree=[agreement],
                dialogue=[{"room_id": room_id, "dialogue": "", "changed_at": now}],
                owe=rows,
                remember=rows,
            )
        )

    async def enlist_again(self, entry: Entry, account: Account, *said: New) -> None:
        """One command back: an account the network forgot or refused is enlisted with its own keys."""
        state = ACCOUNT.after(account.state, AccountEvent.ENLIST_AGAIN).state
        task = outbox.task(outbox.ENLIST, account.account_id, account.account_id + entry.entry_id)
        await self._parts.store.commit(
            kinds.unit(
                kinds.ACCOUNT_STATE,
                fence=[account.fence],
                settle=[{"entry_id": entry.entry_id}],
                state=[changed(self._parts, account, state)],
                **self._owe(*said, task),
            )
        )

    async def enlist(self, entry: Entry) -> None:
        """The step: make keys and commit them, then tell the network, as often as it takes."""
        unlocked = await self._unlocked(entry)
        if unlocked is None or unlocked.account.state not in (AccountState.AGREED, AccountState.ENLISTING):
            await self._parts.journal.settle(entry)
            return
        account = unlocked.account
        facts = self._parts.facts(account.user_id, account.state, other_accounts=await self._others(account))
        decision = self._parts.decide(Act.ENLIST, facts)
        if not isinstance(decision, Allow):
            sentence = decision.sentence
            await self._refused(entry, unlocked, AccountEvent.REFUSED, sentence)
            return
        if unlocked.keys is None:
            unlocked = await self._make_keys(unlocked)
        enlistment = await enlistment_of(self._parts, self._keyring, unlocked)
        try:
            answer = await self._connector.enlist(enlistment)
        except TryAgain:
            await self._still_waiting(entry, account)
            raise
        if isinstance(answer, EnlistRefused):
            LOG.warning("enlistment refused", code=answer.code, account=self._parts.log_id(account.user_id))
            if answer.reason.state is Refusal.RETRY:
                await self._still_waiting(entry, account)
                raise TryAgain("the network asks to enlist later", after=answer.retry_after)
            event = _STATE_OF[answer.reason.state]
            await self._refused(entry, unlocked, event, say(answer.reason.sentence))
            return
        following = ACCOUNT.after(unlocked.account.state, AccountEvent.ENLISTED)
        change = changed(self._parts, unlocked.account, following.state)
        task = outbox.task(outbox.UPLOAD, account.account_id, account.account_id + entry.entry_id)
        await self._parts.store.commit(
            kinds.unit(
                kinds.ENLISTED,
                fence=[account.fence],
                settle=[{"entry_id": entry.entry_id}],
                state=[change],
                login=[{"account_id": account.account_id, "login": str(answer.login)}],
                **self._owe(task),
            )
        )
        self._connections.enlisted(account.account_id)

    async def _still_waiting(self, entry: Entry, account: Account) -> None:
        """Say once that it takes longer than a moment."""
        if self._parts.clock.now() - entry.accepted_at >= A_MOMENT_S:
            notice = outbox.to_owner(account, say("enlist.waiting"))
            await self._parts.journal.owe(notice.owed(b"waiting" + entry.entry_id))

    async def _make_keys(self, unlocked: Unlocked) -> Unlocked:
        """One unit: identity, Noise key and prekeys, before the network hears of any of them."""
        account, rng = unlocked.account, self._parts.random.bytes
        keys = Keys(new_own_keys(rng), key_pair(rng(32)))
        first = account.next_prekey_id
        count = self._parts.profile.limits.prekeys_uploaded
        signed = new_signed_prekey(keys.own, first, rng)
        one_time = new_prekeys(prekey_id_after(first, 1), count, rng)
        sealed = unlocked.vault.seal(
            "account.own_keys", account.account_id, keys.to_bytes(), self._parts.random
        )
        state: list[Row] = []
        if account.state is AccountState.AGREED:
            following = ACCOUNT.after(account.state, AccountEvent.KEYS_MADE)
            state.append(changed(self._parts, account, following.state))
        await self._parts.store.commit(
            kinds.unit(
                kinds.KEYS,
                fence=[account.fence],
                state=state,
                keys=[{"account_id": account.account_id, "own_keys": sealed}],
                count=[counted(account, 1 + count)],
                prekey=self._keyring.prekey_rows(unlocked, signed, one_time),
            )
        )
        made = await self._keyring.unlock(account.account_id)
        assert made is not None
        return made

    async def _refused(
        self, entry: Entry, unlocked: Unlocked, event: AccountEvent, sentence: Sentence
    ) -> None:
        account = unlocked.account
        change = changed(self._parts, account, ACCOUNT.after(account.state, event).state)
        notice = outbox.to_owner(account, say("enlist.refused", reason=sentence))
        rows = self._parts.journal.rows(notice.owed(b"refused" + entry.entry_id))
        await self._parts.store.commit(
            kinds.unit(
                kinds.ENLISTED,
                fence=[account.fence],
                settle=[{"entry_id": entry.entry_id}],
                state=[change],
                owe=rows,
                remember=rows,
            )
        )

    async def login_refused(self, account_id: AccountId, reason: Reason, seconds: float | None) -> None:
        """The network refused a login: the account's state follows, and the user is told.

        Where it said for how many ``seconds``, the account comes back by itself.
        """
        account = await accounts.by_id(self._parts.store, account_id)
        if account is None or account.state is not AccountState.ENLISTED:
            return
        forgotten = reason.state in (Refusal.ENLIST_AGAIN, Refusal.REFUSED)
        event = AccountEvent.FORGOTTEN if forgotten else AccountEvent.SUSPENDED
        back: list[New] = []
        if event is AccountEvent.SUSPENDED and seconds is not None:
            now = self._parts.clock.now()
            back = [outbox.come_back(account_id, f"{account_id.hex()}/{now}", now + seconds)]
        await self.change(account, event, say(reason.sentence), *back)

    async def come_back(self, entry: Entry) -> None:
        """The step at the end of a suspension: enlist again, unless the user was quicker, or has left."""
        unlocked = await self._unlocked(entry)
        if unlocked is None or unlocked.account.state is not AccountState.SUSPENDED:
            await self._parts.journal.settle(entry)
            return
        notice = outbox.to_owner(unlocked.account, say("network.trying_again"))
        await self.enlist_again(entry, unlocked.account, notice.owed(b"back" + entry.entry_id))

    async def say(self, account_id: AccountId, sentence: Sentence) -> None:
        """Tell the user of an account something, once an hour at most."""
        account = await accounts.by_id(self._parts.store, account_id)
        if account is not None:
            hour = int(self._parts.clock.now() // HOUR_S)
            key = f"{account_id.hex()}/{sentence.key}/{hour}"
            await self._parts.journal.owe(outbox.to_owner(account, sentence).owed(key))

    async def change(self, account: Account, event: AccountEvent, sentence: Sentence, *besides: New) -> None:
        """Something happened to an account by itself; the user is told once. ``besides`` is owed with it."""
        following = ACCOUNT.after(account.state, event)
        if following.ignored:
            return
        notice = outbox.to_owner(account, sentence)
        key = f"{account.account_id.hex()}/{event.value}/{account.state_changed_at}"
        await self._parts.store.commit(
            kinds.unit(
                kinds.ACCOUNT_STATE,
                fence=[account.fence],
                state=[changed(self._parts, account, following.state)],
                **self._owe(notice.owed(key), *besides),
            )
        )

    async def _unlocked(self, entry: Entry) -> Unlocked | None:
        assert entry.account_id is not None
        return await self._keyring.unlock(entry.account_id)

    async def _others(self, account: Account) -> int:
        living = await accounts.living(self._parts.store)
        return sum(1 for each in living if each.user_id != account.user_id)

    def _owe(self, *new: New) -> dict[str, tuple[Row, ...]]:
        rows = self._parts.journal.rows(*new)
        return {"owe": rows, "remember": rows}


def changed(parts: Parts, account: Account, state: AccountState) -> Row:
    """The row that moves an account from the state it was read in."""
    return {
        "account_id": account.account_id,
        "state": state.value,
        "old_state": account.state.value,
        "state_changed_at": parts.clock.now(),
    }


def counted(account: Account, made: int) -> Row:
    """The row that takes the ids of ``made`` prekeys out of an account's."""
    return {
        "account_id": account.account_id,
        "next_prekey_id": prekey_id_after(account.next_prekey_id, made),
        "old_next_prekey_id": account.next_prekey_id,
    }


async def enlistment_of(parts: Parts, keyring: Keyring, unlocked: Unlocked) -> Enlistment:
    """What an account enlists with; the same again is the same enlistment."""
    assert unlocked.keys is not None
    account = unlocked.account
    rows = await accounts.prekeys(parts.store, account.account_id)
    signed = keyring.newest_signed(unlocked, rows)
    return Enlistment(account.identifier, account.shown_name, unlocked.keys.noise, unlocked.own, signed)
