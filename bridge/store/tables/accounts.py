"""Accounts, agreements and prekeys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.ids import AccountId, Jid, NetworkId, RoomId, UserId
from bridge.ports import Row, Statement, Store
from bridge.states import AccountState
from bridge.store.errors import AlreadyThere, Fenced, Stale


@dataclass(frozen=True)
class Account:
    """One Matrix user on one network. ``data_key`` is wrapped, ``own_keys`` sealed."""

    account_id: AccountId
    user_id: UserId
    network: NetworkId
    state: AccountState
    identifier: str = field(repr=False)
    shown_name: str = field(repr=False)
    room_id: RoomId
    data_key: bytes = field(repr=False)
    own_keys: bytes | None = field(repr=False)
    login: Jid | None
    owner: str
    epoch: int
    next_prekey_id: int
    last_connected_at: float | None
    state_changed_at: float

    @staticmethod
    def from_row(row: Row) -> Account:
        """Read a row of the table."""
        values = dict(row)
        login = values.pop("login")
        state = AccountState(values.pop("state"))
        return Account(
            **values,  # type: ignore[arg-type]  # the schema is the proof of the columns' types
            state=state,
            login=Jid.parse(str(login)) if login else None,
        )

    @property
    def fence(self) -> Row:
        """The row of the guard for units that change rows of the account."""
        return {"account_id": self.account_id, "epoch": self.epoch}

    def to_row(self) -> Row:
        """The row of the table."""
        return {**self.__dict__, "state": self.state.value, "login": str(self.login) if self.login else None}


FENCE = Statement(
    "SELECT account_id FROM account WHERE account_id = :account_id AND epoch = :epoch",
    expect=1,
    error=Fenced,
    merge_by=(),
)
"""The guard of every unit that changes rows of an account: fails once another owner has raised the epoch."""

ADD = Statement(
    """INSERT INTO account (account_id, user_id, network, state, identifier, shown_name, room_id, data_key,
           own_keys, login, owner, epoch, next_prekey_id, last_connected_at, state_changed_at)
       VALUES (:account_id, :user_id, :network, :state, :identifier, :shown_name, :room_id, :data_key,
           :own_keys, :login, :owner, :epoch, :next_prekey_id, :last_connected_at, :state_changed_at)
       ON CONFLICT DO NOTHING""",
    expect=1,
    error=AlreadyThere,
    merge_by=("account_id",),
)

NO_OTHER_USER = Statement(
    "SELECT account_id FROM account WHERE state <> 'left' AND user_id <> :user_id", expect=0, error=Stale
)
"""Personal custody: no other user has an account."""

ADD_AGREEMENT = Statement(
    """INSERT INTO agreement (agreement_id, account_id, text_version, agreed_at, withdrawn_at)
       VALUES (:agreement_id, :account_id, :text_version, :agreed_at, :withdrawn_at)""",
    merge_by=("agreement_id",),
)

WITHDRAW_AGREEMENT = Statement(
    "UPDATE agreement SET withdrawn_at = :withdrawn_at"
    " WHERE account_id = :account_id AND withdrawn_at IS NULL",
    merge_by=("account_id",),
)

SET_STATE = Statement(
    """UPDATE account SET state = :state, state_changed_at = :state_changed_at
       WHERE account_id = :account_id AND state = :old_state""",
    expect=1,
    error=Stale,
    merge_by=("account_id",),
)

SET_KEYS = Statement(
    "UPDATE account SET own_keys = :own_keys WHERE account_id = :account_id AND own_keys IS NULL",
    expect=1,
    error=Stale,
    merge_by=("account_id",),
)

DESTROY_KEYS = Statement(
    "UPDATE account SET own_keys = NULL, data_key = :data_key WHERE account_id = :account_id"
)
"""Without the wrapped data key, nothing sealed for the account can be read."""

SET_LOGIN = Statement(
    "UPDATE account SET login = :login WHERE account_id = :account_id", merge_by=("account_id",)
)

SET_CONNECTED_AT = Statement(
    "UPDATE account SET last_connected_at = :last_connected_at WHERE account_id = :account_id",
    merge_by=("account_id",),
)

ADVANCE_PREKEY_ID = Statement(
    """UPDATE account SET next_prekey_id = :next_prekey_id
       WHERE account_id = :account_id AND next_prekey_id = :old_next_prekey_id""",
    expect=1,
    error=Stale,
    merge_by=("account_id",),
)

TAKE_OVER = Statement("UPDATE account SET owner = :owner, epoch = epoch + 1 WHERE state <> 'left'")
"""At start: the former owner of the accounts can no longer write."""

ADD_PREKEY = Statement(
    """INSERT INTO prekey (account_id, kind, prekey_id, pair, uploaded, made_at)
       VALUES (:account_id, :kind, :prekey_id, :pair, :uploaded, :made_at)""",
    merge_by=("account_id",),
)

DELETE_ONE_TIME_PREKEY = Statement(
    "DELETE FROM prekey WHERE account_id = :account_id AND kind = 'one-time' AND prekey_id = :prekey_id",
    merge_by=("prekey_id",),
)

MARK_PREKEYS_UPLOADED = Statement(
    "UPDATE prekey SET uploaded = 1 WHERE account_id = :account_id AND uploaded = 0", merge_by=("account_id",)
)

DELETE_SIGNED_PREKEY = Statement(
    "DELETE FROM prekey WHERE account_id = :account_id AND kind = 'signed' AND prekey_id = :prekey_id",
    merge_by=("account_id",),
)

DELETE_PREKEYS = Statement("DELETE FROM prekey WHERE account_id = :account_id")


async def by_id(store: Store, account_id: AccountId) -> Account | None:
    """The account of that id."""
    return _one(
        await store.read("SELECT * FROM account WHERE account_id = :account_id", account_id=account_id)
    )


async def of_user(store: Store, user_id: UserId, network: NetworkId) -> Account | None:
    """The living account of a Matrix user."""
    return _one(
        await store.read(
            "SELECT * FROM account WHERE user_id = :user_id AND network = :network AND state <> 'left'",
            user_id=user_id,
            network=network,
        )
    )


async def has_left(store: Store, user_id: UserId, network: NetworkId) -> bool:
    """Whether a user had an account once."""
    rows = await store.read(
        "SELECT account_id FROM account WHERE user_id = :user_id AND network = :network AND state = 'left'",
        user_id=user_id,
        network=network,
    )
    return bool(rows)


async def of_identifier(store: Store, identifier: str, network: NetworkId) -> Account | None:
    """The living account that others reach under ``identifier``."""
    return _one(
        await store.read(
            "SELECT * FROM account WHERE identifier = :identifier AND network = :network AND state <> 'left'",
            identifier=identifier,
            network=network,
        )
    )


async def living(store: Store) -> Sequence[Account]:
    """All accounts that have not left."""
    rows = await store.read("SELECT * FROM account WHERE state <> 'left' ORDER BY account_id")
    return [Account.from_row(row) for row in rows]


async def prekeys(store: Store, account_id: AccountId) -> Sequence[Row]:
    """Rows of the account's prekeys."""
    return await store.read(
        "SELECT * FROM prekey WHERE account_id = :account_id ORDER BY kind, prekey_id", account_id=account_id
    )


async def prekey(store: Store, account_id: AccountId, kind: str, prekey_id: int) -> Row | None:
    """The row of one prekey."""
    rows = await store.read(
        "SELECT * FROM prekey WHERE account_id = :account_id AND kind = :kind AND prekey_id = :prekey_id",
        account_id=account_id,
        kind=kind,
        prekey_id=prekey_id,
    )
    return rows[0] if rows else None


async def newest_signed_prekey(store: Store, account_id: AccountId) -> Row | None:
    """The row of the signed prekey that was made last."""
    rows = await store.read(
        "SELECT * FROM prekey WHERE account_id = :account_id AND kind = 'signed'"
        " ORDER BY made_at DESC LIMIT 1",
        account_id=account_id,
    )
    return rows[0] if rows else None


def _one(rows: Sequence[Row]) -> Account | None:
    return Account.from_row(rows[0]) if rows else None
