"""What a database does to a start: every trouble is a sentence for the admin, never a mistake of ours."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import apsw
import asyncpg  # type: ignore[import-untyped]
import pytest

from bridge.errors import BridgeError, Misconfigured, TryAgain
from bridge.store import postgres_connections, sqlite
from bridge.store.database import needed_for_a_start, sqlite_path
from bridge.store.errors import Fenced, Malformed, Stale
from bridge.store.sqlite import SqliteEngine
from tests.store.support import NEXT_SCHEMA, open_at, put, versions

SHORT_WAIT_MS = 50


@pytest.fixture(autouse=True)
def _short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start waits five seconds for a lock; that is not the subject."""
    monkeypatch.setattr(sqlite, "WAIT_FOR_LOCK_MS", SHORT_WAIT_MS)
    monkeypatch.setattr(postgres_connections, "WAIT_FOR_LOCK_MS", SHORT_WAIT_MS)


@asynccontextmanager
async def held(url: str) -> AsyncIterator[None]:
    """Another program that has the database locked."""
    if url.startswith("sqlite"):
        # By the same library: within one process the file system's locks do not part two of them.
        with closing(apsw.Connection(str(sqlite_path(url)))) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("BEGIN; LOCK TABLE schema_version, store_lease IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        await connection.close()


async def test_database_locked_at_start_is_reported(url: str) -> None:
    database = await open_at(url)
    await database.commit(put(1))
    await database.close()
    async with held(url):
        with pytest.raises(Misconfigured, match="another program has it locked") as refusal:
            await open_at(url, schema=NEXT_SCHEMA)
        assert refusal.value.exit_code == 14
    database = await open_at(url, schema=NEXT_SCHEMA)
    assert await versions(database) == {1: 1}
    await database.close()


async def test_file_being_made_by_another_program_is_reported(sqlite_url: str) -> None:
    async with held(sqlite_url):
        with pytest.raises(Misconfigured, match="another program has it locked") as refusal:
            await open_at(sqlite_url)
    assert refusal.value.exit_code == 14


async def test_locked_commit_at_start_is_reported(sqlite_url: str) -> None:
    database = await open_at(sqlite_url)
    async with held(sqlite_url):
        with pytest.raises(Misconfigured, match="another program has it locked") as refusal:
            async with needed_for_a_start(database):
                await database.commit(put(1))
    assert refusal.value.exit_code == 14
    assert str(sqlite_path(sqlite_url)) in str(refusal.value)
    await database.commit(put(1))
    await database.close()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (TryAgain("the database did not confirm"), 14, "does not answer (TryAgain)"),
        (Malformed("no value for a column"), 14, "does not take what a start writes (Malformed)"),
        (Stale("a row"), 14, "does not take what a start writes (Stale)"),
        (Fenced("another process"), 40, "another instance"),
        (Misconfigured("a", "b", "c", exit_code=41), 41, "a: b c"),
    ],
)
async def test_every_database_error_at_start_is_reported(
    sqlite_url: str, error: BridgeError, code: int, words: str
) -> None:
    database = await open_at(sqlite_url)
    with pytest.raises(Misconfigured) as refusal:
        async with needed_for_a_start(database):
            raise error
    assert refusal.value.exit_code == code
    assert words in str(refusal.value)
    await database.close()


async def test_own_mistake_is_not_misconfigured(url: str) -> None:
    database = await open_at(url)
    for mistake in (ValueError("x"), apsw.SQLError("x"), asyncpg.UndefinedTableError("x")):
        assert database.engine.unusable(mistake) is None
    with pytest.raises(ValueError, match="x"):
        async with needed_for_a_start(database):
            raise ValueError("x")
    await database.close()


async def test_file_system_error_is_reported(sqlite_url: str) -> None:
    sqlite_path(sqlite_url).symlink_to("elsewhere")
    with pytest.raises(Misconfigured, match="not a database that can be used") as refusal:
        await open_at(sqlite_url)
    assert refusal.value.exit_code == 14


async def test_file_that_is_not_a_database_is_reported(sqlite_url: str) -> None:
    sqlite_path(sqlite_url).write_text("not a database " * 1000)
    with pytest.raises(Misconfigured, match=r"not a database of this bridge.* Name another") as refusal:
        await open_at(sqlite_url)
    assert refusal.value.exit_code == 14


async def test_full_disk_is_reported(sqlite_url: str) -> None:
    database = await open_at(sqlite_url)
    assert isinstance(database.engine, SqliteEngine)
    told = database.engine.unusable(apsw.FullError("database or disk is full"))
    assert told is not None and told.exit_code == 14
    assert "full" in told.what and "Make room" in told.remedy
    await database.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("invalid literal: hush"), "its address cannot be read."),
        (asyncpg.exceptions._base.ClientConfigurationError("hush"), "its address cannot be read."),
        (TimeoutError(), "nothing came in 10 s, so perhaps another program has this port."),
        (ConnectionRefusedError(111, "Connect call failed"), "[Errno 111] Connect call failed."),
        (asyncpg.InterfaceError("hush"), "no PostgreSQL server, or it ended the connection."),
        (asyncpg.InvalidPasswordError("password authentication failed."), "authentication failed. Check"),
        (ssl.SSLError(1, "WRONG_VERSION"), "no TLS, or none that is trusted"),
    ],
)
def test_postgresql_errors_are_explained(error: Exception, words: str) -> None:
    told = str(postgres_connections.unusable("postgres://u:hush@h/d", error))
    assert words in told
    assert "hush" not in told and type(error).__name__ not in told
