"""Unlocked accounts: what an account's sealed keys say, for the flows that may use them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.curve import KeyPair, key_pair
from bridge.e2ee.keys import OwnKeys, PreKey, SignedPreKey
from bridge.flow.context import Parts
from bridge.ids import AccountId
from bridge.ports import Row
from bridge.store.tables import accounts
from bridge.store.tables.accounts import Account
from bridge.store.vault import AccountVault


@dataclass(frozen=True)
class Keys:
    """The keys of one account: the Signal identity and the static Noise key."""

    own: OwnKeys
    noise: KeyPair

    def to_bytes(self) -> bytes:
        """For sealing."""
        return json.dumps(
            {
                "registration_id": self.own.registration_id,
                "identity": self.own.identity.private.hex(),
                "noise": self.noise.private.hex(),
            }
        ).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Keys:
        """What ``to_bytes`` gave."""
        values = json.loads(data)
        own = OwnKeys(values["registration_id"], key_pair(bytes.fromhex(values["identity"])))
        return Keys(own, key_pair(bytes.fromhex(values["noise"])))


@dataclass(frozen=True)
class Unlocked:
    """An account with its vault and, once they are made, its keys."""

    account: Account
    vault: AccountVault = field(repr=False)
    keys: Keys | None = field(repr=False)

    @property
    def own(self) -> OwnKeys:
        """The Signal identity; a flow that asks for it runs after the keys were made."""
        assert self.keys is not None
        return self.keys.own


@dataclass(frozen=True)
class LoadedPreKeys:
    """Our prekeys that one message names (``e2ee.PreKeys``)."""

    one_time_keys: Mapping[int, KeyPair]
    signed_keys: Mapping[int, KeyPair]

    def one_time(self, id: int) -> KeyPair | None:
        """The one-time prekey of that id, unless it was spent."""
        return self.one_time_keys.get(id)

    def signed(self, id: int) -> KeyPair | None:
        """The signed prekey of that id."""
        return self.signed_keys.get(id)


class Keyring:
    """Unlocks accounts. Vaults are kept open while the process lives; rows are read each time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._vaults: dict[AccountId, tuple[bytes, AccountVault]] = {}
        self._keys: dict[bytes, Keys] = {}

    async def unlock(self, account_id: AccountId) -> Unlocked | None:
        """The account, unless it is unknown or has left."""
        account = await accounts.by_id(self._parts.store, account_id)
        return None if account is None or not account.data_key else self.open(account)

    def open(self, account: Account) -> Unlocked:
        """An account whose row is at hand."""
        kept = self._vaults.get(account.account_id)
        if kept is None or kept[0] != account.data_key:
            kept = account.data_key, self._parts.vault.for_account(account.data_key, account.account_id)
            self._vaults[account.account_id] = kept
        vault = kept[1]
        if account.own_keys is None:
            return Unlocked(account, vault, None)
        keys = self._keys.get(account.own_keys)
        if keys is None:
            keys = Keys.from_bytes(vault.open("account.own_keys", account.account_id, account.own_keys))
            self._keys[account.own_keys] = keys
        return Unlocked(account, vault, keys)

    def forget(self, account: Account) -> None:
        """Drop what was unlocked of an account that left."""
        self._vaults.pop(account.account_id, None)
        if account.own_keys is not None:
            self._keys.pop(account.own_keys, None)

    def prekey_rows(
        self, unlocked: Unlocked, signed: SignedPreKey | None, one_time: Sequence[PreKey]
    ) -> Sequence[Row]:
        """Rows for new prekeys, each sealed for its own row."""
        rows = [self._prekey_row(unlocked, "one-time", key.id, key.pair.private) for key in one_time]
        if signed is not None:
            sealed = signed.pair.private + signed.signature
            rows.append(self._prekey_row(unlocked, "signed", signed.id, sealed))
        return rows

    def _prekey_row(self, unlocked: Unlocked, kind: str, prekey_id: int, secret: bytes) -> Row:
        return {
            "account_id": unlocked.account.account_id,
            "kind": kind,
            "prekey_id": prekey_id,
            "pair": unlocked.vault.seal(
                "prekey.pair", _place({"kind": kind, "prekey_id": prekey_id}), secret, self._parts.random
            ),
            "uploaded": 0,
            "made_at": self._parts.clock.now(),
        }

    def read_prekey(self, unlocked: Unlocked, row: Row) -> SignedPreKey | PreKey:
        """The prekey in a row."""
        prekey_id, pair = row["prekey_id"], row["pair"]
        assert isinstance(prekey_id, int)
        assert isinstance(pair, bytes)
        secret = unlocked.vault.open("prekey.pair", _place(row), pair)
        if row["kind"] == "signed":
            return SignedPreKey(prekey_id, key_pair(secret[:32]), secret[32:])
        return PreKey(prekey_id, key_pair(secret))

    def newest_signed(self, unlocked: Unlocked, rows: Sequence[Row]) -> SignedPreKey:
        """The signed prekey that the network hands out: the one made last."""
        signed = [row for row in rows if row["kind"] == "signed"]
        newest = self.read_prekey(unlocked, max(signed, key=made_at))
        assert isinstance(newest, SignedPreKey)
        return newest

    def read_one_time(self, unlocked: Unlocked, row: Row) -> PreKey:
        """The one-time prekey in a row."""
        key = self.read_prekey(unlocked, row)
        assert isinstance(key, PreKey)
        return key

    async def prekeys_named(
        self, unlocked: Unlocked, one_time_id: int | None, signed_id: int
    ) -> LoadedPreKeys:
        """The prekeys that a first message names, as far as we have them."""
        account_id = unlocked.account.account_id
        one_time: dict[int, KeyPair] = {}
        signed: dict[int, KeyPair] = {}
        row = await accounts.prekey(self._parts.store, account_id, "signed", signed_id)
        if row is not None:
            signed[signed_id] = self.read_prekey(unlocked, row).pair
        if one_time_id is not None:
            row = await accounts.prekey(self._parts.store, account_id, "one-time", one_time_id)
            if row is not None:
                one_time[one_time_id] = self.read_prekey(unlocked, row).pair
        return LoadedPreKeys(one_time, signed)


def made_at(row: Row) -> float:
    """When the prekey of a row was made."""
    moment = row["made_at"]
    assert isinstance(moment, float)
    return moment


def _place(row: Row) -> bytes:
    """The key of a prekey's row, for sealing."""
    kind, prekey_id = row["kind"], row["prekey_id"]
    assert isinstance(kind, str)
    assert isinstance(prekey_id, int)
    return f"{kind}:{prekey_id}".encode()
