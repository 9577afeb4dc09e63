"""The database is opened only where a confirmed commit lasts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import Misconfigured
from bridge.store.database import sqlite_path
from bridge.store.postgres_connections import check_safe
from bridge.store.sqlite import SqliteEngine, check_engine
from tests.store.engines import PostgresServer, run_at, running_server
from tests.store.support import open_at, put, versions

SAFE: dict[str, Any] = {
    "version": 15,
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "server_encoding": "UTF8",
    "schema": "public",
    "read_only": False,
}


@pytest.mark.parametrize(
    ("fixed", "corrupting"),
    [
        ("3.51.3", "3.51.2"),
        ("3.51.4", "3.40.1"),
        ("3.54.1", "3.7.0"),
        ("3.100.0", "2.99.99"),
        ("4.0.0", "0.1.0"),
    ],
)
def test_sqlite_that_can_corrupt_databases_is_refused(fixed: str, corrupting: str) -> None:
    check_engine(fixed)
    with pytest.raises(Misconfigured) as refusal:
        check_engine(corrupting)
    assert refusal.value.exit_code == 14 and corrupting in refusal.value.what


async def test_sqlite_uses_durable_settings(sqlite_url: str) -> None:
    database = await open_at(sqlite_url)
    assert isinstance(database.engine, SqliteEngine)
    names = ["journal_mode", "synchronous", "foreign_keys", "secure_delete"]
    found = await database.engine._writer.run(lambda c: [c.pragma(name) for name in names])
    assert found == ["wal", 2, 1, 1]
    await database.close()


async def test_server_that_may_lose_commits_is_refused() -> None:
    with running_server("fsync = off") as server:
        with pytest.raises(Misconfigured, match="fsync=off") as refusal:
            await open_at(await server.new_database())
        assert refusal.value.exit_code == 14


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("synchronous_commit = off", "synchronous_commit=off"),
        ("default_transaction_read_only = on", "replica"),
    ],
)
async def test_safety_is_checked_in_the_writing_session(
    postgres: PostgresServer, postgres_database_url: str, setting: str, message: str
) -> None:
    name = postgres_database_url.partition("?")[0].rpartition("/")[2]
    await postgres.run(f"ALTER DATABASE {name} SET {setting}")
    with pytest.raises(Misconfigured, match=message) as refusal:
        await open_at(postgres_database_url)
    assert refusal.value.exit_code == 14


@pytest.mark.parametrize(
    "change",
    [
        {"version": 14},
        {"fsync": "off"},
        {"full_page_writes": "off"},
        {"synchronous_commit": "off"},
        {"server_encoding": "SQL_ASCII"},
        {"schema": None},
        {"read_only": True},
    ],
    ids=repr,
)
def test_each_unsafe_setting_is_refused(change: dict[str, Any]) -> None:
    check_safe("here", SAFE)
    with pytest.raises(Misconfigured) as refusal:
        check_safe("here", {**SAFE, **change})
    assert refusal.value.exit_code == 14


@pytest.mark.parametrize(
    "address",
    [
        "mysql://localhost/bridge",
        "sqlite3-fk-wal:",
        "sqlite3-fk-wal::memory:",
        "sqlite3-fk-wal:/nowhere/at/all/bridge.db",
        "postgres://bridge:secret@127.0.0.1:1/bridge",
        "postgres://bridge:secret@[::/bridge",
    ],
)
async def test_unreachable_address_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(Misconfigured) as refusal:
        await open_at(address)
    assert refusal.value.exit_code == 14
    assert "secret" not in str(refusal.value)


def test_address_in_the_form_of_other_bridges_is_accepted() -> None:
    wanted = Path("/data/bridge.db")
    assert sqlite_path("sqlite3-fk-wal:/data/bridge.db") == wanted
    assert sqlite_path("sqlite3-fk-wal:file:/data/bridge.db?_txlock=immediate") == wanted


@pytest.mark.parametrize(("allowed", "opened"), [(1, 3), (3, 3), (5, 5)])
async def test_connection_limit_is_kept_on_postgresql(postgres_url: str, allowed: int, opened: int) -> None:
    database = await open_at(postgres_url, connections=allowed)
    slow = "SELECT version FROM thing WHERE EXISTS (SELECT pg_sleep(0.05))"
    await asyncio.gather(*(database.read(slow) for _ in range(3 * opened)))
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'interop-bridge-%'"
    assert (await run_at(postgres_url, f"{count} AND datname = current_database()"))[0][0] == opened
    await database.close()


async def test_rows_survive_the_process(url: str) -> None:
    database = await open_at(url)
    await database.commit(put(1))
    await database.close()
    database = await open_at(url)
    assert await versions(database) == {1: 1}
    await database.close()
