"""The installation's keys: made once, and never anew beside a database that is sealed already."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.app.keys import installation_keys
from bridge.config import Config
from bridge.errors import Misconfigured
from bridge.store.database import Database
from tests.store.journal_support import open_bridge_database
from tests.store.support import CountedRandom

RIGHT, OTHER = "0f" * 32, "f0" * 32


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_bridge_database(f"sqlite3-fk-wal:{tmp_path / 'bridge.db'}")
    yield opened
    await opened.close()


def given(key: str) -> Config:
    """A config with the key in it, as from the environment."""
    return Config.model_validate({"bridge": {"master_key": key}})


def kept(path: Path) -> Config:
    """A config that names the key's file."""
    return Config.model_validate({"bridge": {"master_key_file": str(path)}})


async def test_first_start_makes_keys_later_starts_reuse_them(database: Database, tmp_path: Path) -> None:
    config, random = kept(tmp_path / "master.key"), CountedRandom()
    _, keeper, secret = await installation_keys(database, config, random)
    commits, calls = database.writer.commits, random.calls
    _, keeper_again, secret_again = await installation_keys(database, config, random)
    assert (keeper.public, secret) == (keeper_again.public, secret_again)
    assert (database.writer.commits, random.calls) == (commits, calls), "a later start makes nothing"


async def test_key_made_before_its_database_is_used(database: Database, tmp_path: Path) -> None:
    """A start that was killed between the two."""
    path = tmp_path / "master.key"
    path.write_text(RIGHT)
    path.chmod(0o600)
    _, keeper, _ = await installation_keys(database, kept(path), CountedRandom())
    _, again, _ = await installation_keys(database, given(RIGHT), CountedRandom())
    assert keeper.public == again.public


async def test_lost_key_is_reported_and_not_replaced(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    await installation_keys(database, kept(path), CountedRandom())
    path.rename(tmp_path / "away")
    with pytest.raises(Misconfigured, match="does not exist") as refusal:
        await installation_keys(database, kept(path), CountedRandom())
    assert refusal.value.exit_code == 42
    assert "backup" in refusal.value.remedy
    assert not path.exists()
    (tmp_path / "away").rename(path)
    await installation_keys(database, kept(path), CountedRandom())


@pytest.mark.parametrize("from_file", [True, False])
async def test_wrong_key_is_reported_and_changes_nothing(
    database: Database, tmp_path: Path, from_file: bool
) -> None:
    _, keeper, _ = await installation_keys(database, given(RIGHT), CountedRandom())
    path = tmp_path / "master.key"
    path.write_text(OTHER)
    path.chmod(0o600)
    with pytest.raises(Misconfigured, match="is not the master key") as refusal:
        await installation_keys(database, kept(path) if from_file else given(OTHER), CountedRandom())
    assert refusal.value.exit_code == 42
    assert refusal.value.where == (str(path) if from_file else "bridge.master_key")
    assert OTHER not in str(refusal.value)
    assert path.read_text() == OTHER
    _, again, _ = await installation_keys(database, given(RIGHT), CountedRandom())
    assert keeper.public == again.public
