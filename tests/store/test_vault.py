"""Secrets at rest: bound to their place, unreadable without their key."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.store.vault import AccountVault, KeeperBox, Unreadable, Vault
from tests.store.support import CHANGE, THING, CountedRandom, open_at, thing, unit

ROW = b"an entry"
CANARY = b"canary: the letter said hello"
A, B = b"account A", b"account B"


def vaults() -> tuple[Vault, AccountVault, AccountVault, CountedRandom]:
    random = CountedRandom()
    vault = Vault(bytes(32))
    one = vault.for_account(vault.new_account_key(A, random), A)
    other = vault.for_account(vault.new_account_key(B, random), B)
    return vault, one, other, random


def test_sealed_cell_opens_in_its_place() -> None:
    _, one, _, random = vaults()
    sealed = one.seal("entry.body", b"row", CANARY, random)
    assert CANARY not in sealed
    assert one.open("entry.body", b"row", sealed) == CANARY
    assert one.open("entry.body", b"row", one.seal("entry.body", b"row", b"", random)) == b""


@pytest.mark.threat("S27")
def test_cell_copied_to_another_place_does_not_open() -> None:
    _, one, other, random = vaults()
    sealed = one.seal("entry.body", b"row", CANARY, random)
    for vault, column, row in [
        (one, "entry.body", b"row2"),
        (one, "message.body", b"row"),
        (one, "entry.bod", b"yrow"),
        (other, "entry.body", b"row"),
    ]:
        with pytest.raises(Unreadable):
            vault.open(column, row, sealed)


def test_account_key_does_not_open_for_another_account() -> None:
    random = CountedRandom()
    one, other = AccountVault(bytes(32), A), AccountVault(bytes(32), B)
    with pytest.raises(Unreadable):
        other.open("t.c", b"", one.seal("t.c", b"", CANARY, random))


@pytest.mark.parametrize("position", [0, 1, 12, 13, -17, -16, -1])
def test_damaged_cell_does_not_open(position: int) -> None:
    _, one, _, random = vaults()
    sealed = bytearray(one.seal("t.c", b"row", CANARY, random))
    sealed[position] ^= 1
    with pytest.raises(Unreadable):
        one.open("t.c", b"row", bytes(sealed))


@pytest.mark.parametrize("length", range(30))
def test_truncated_cell_does_not_open(length: int) -> None:
    _, one, _, random = vaults()
    with pytest.raises(Unreadable):
        one.open("t.c", b"row", one.seal("t.c", b"row", CANARY, random)[:length])


def test_sealing_is_randomised() -> None:
    _, one, _, random = vaults()
    assert one.seal("t.c", b"", CANARY, random) != one.seal("t.c", b"", CANARY, random)


def test_wrapped_key_is_bound_to_account_and_master_key() -> None:
    random = CountedRandom()
    vault = Vault(bytes(32))
    wrapped = vault.new_account_key(A, random)
    with pytest.raises(Unreadable):
        vault.for_account(wrapped, B)
    with pytest.raises(Unreadable):
        Vault(b"\1" * 32).for_account(wrapped, A)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_key_of_another_length_is_rejected(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(bytes(length))


def test_installation_values_are_bound_to_their_name() -> None:
    vault, *_, random = vaults()
    sealed = vault.seal("signing key", CANARY, random)
    assert vault.open("signing key", sealed) == CANARY
    with pytest.raises(Unreadable):
        vault.open("other key", sealed)


@pytest.mark.threat("S30")
def test_sealed_box_opens_for_the_keeper_only() -> None:
    vault, *_, random = vaults()
    wrapped = vault.new_keeper_key(random)
    keeper = vault.keeper(wrapped)
    front = KeeperBox(keeper.public)
    for sealed in (front.seal(ROW, CANARY), keeper.keep(ROW, CANARY)):
        assert CANARY not in sealed
        assert vault.keeper(wrapped).open(ROW, sealed) == CANARY
        with pytest.raises(Unreadable):
            front.open(ROW, sealed)
        with pytest.raises(Unreadable):
            keeper.open(b"another row", sealed)
        with pytest.raises(Unreadable):
            vault.keeper(vault.new_keeper_key(random)).open(ROW, sealed)
    with pytest.raises(Unreadable):
        front.keep(ROW, CANARY)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 47, 48, 60])
def test_damaged_box_does_not_open(length: int) -> None:
    vault, *_, random = vaults()
    keeper = vault.keeper(vault.new_keeper_key(random))
    for sealed in (keeper.seal(ROW, CANARY), keeper.keep(ROW, CANARY)):
        with pytest.raises(Unreadable):
            keeper.open(ROW, sealed[:length])
        with pytest.raises(Unreadable):
            keeper.open(ROW, sealed[:1] + bytes(length))
        with pytest.raises(Unreadable):
            keeper.open(ROW, sealed[:-1] + bytes([sealed[-1] ^ 1]))


def test_repr_hides_secrets() -> None:
    vault, one, _, random = vaults()
    keeper = vault.keeper(vault.new_keeper_key(random))
    assert "_private" not in repr(keeper)
    assert "key" not in repr(vault).lower() and "key" not in repr(one).lower()


@pytest.mark.threat("S27")
@pytest.mark.threat("S29")
async def test_files_hold_no_plaintext_and_nothing_deleted(sqlite_url: str, tmp_path: Path) -> None:
    _, one, _, random = vaults()
    sealed = [one.seal("thing.body", bytes([key]), CANARY * 50, random) for key in range(40)]
    database = await open_at(sqlite_url)
    for key, body in enumerate(sealed):
        await database.commit(unit(THING, put=[thing(key, body=body)]))
    assert _files_with(tmp_path, CANARY) == []
    assert _files_with(tmp_path, sealed[3][:40]) != []
    rows = [{"thing_id": key.to_bytes(4, "big")} for key in range(40)]
    await database.commit(unit(CHANGE, drop=rows))
    await database.truncate_log()
    assert all(_files_with(tmp_path, body[:40]) == [] for body in sealed)
    await database.close()


def _files_with(folder: Path, needle: bytes) -> list[str]:
    return [path.name for path in folder.iterdir() if needle in path.read_bytes()]
