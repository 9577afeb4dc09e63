"""A commit that failed, or whose answer was lost, may have happened: TryAgain, and the key tells."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import asyncpg  # type: ignore[import-untyped]
import pytest

from bridge.errors import TryAgain
from bridge.store.database import Database
from bridge.store.errors import Fenced
from bridge.store.postgres import PostgresEngine
from bridge.store.sqlite import SqliteEngine
from tests.store.cut_proxy import Cut, cable
from tests.store.engines import run_at
from tests.store.support import open_at, put, versions

_NAMES = (
    "datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'interop-bridge-%'"
)
KILL_ALL = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {_NAMES}"


async def on_writing_connection(database: Database, change: Any) -> None:
    """Do something to the writing connection of SQLite, as an accident would."""
    assert isinstance(database.engine, SqliteEngine)
    await database.engine._writer.run(change)


@pytest.mark.fault("F25")
async def test_refused_commit_is_try_again_and_stores_nothing(sqlite_url: str) -> None:
    database = await open_at(sqlite_url)
    await on_writing_connection(database, lambda connection: connection.set_commit_hook(lambda: True))
    results = await asyncio.gather(*(database.commit(put(key)) for key in (1, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [TryAgain, TryAgain]
    assert await versions(database) == {}
    await database.commit(put(1))
    assert await versions(database) == {1: 1}
    await database.close()


@pytest.mark.fault("F25")
async def test_full_disk_is_try_again_until_there_is_room(sqlite_url: str) -> None:
    database = await open_at(sqlite_url)
    await on_writing_connection(database, lambda connection: connection.pragma("max_page_count", 1))
    big = 200_000
    with pytest.raises(TryAgain):
        await database.commit(_fat(1, big))
    assert await versions(database) == {}
    await database.commit(_fat(1, big))  # the connection was opened anew, without the limit
    assert await versions(database) == {1: 1}
    await database.close()


def _fat(key: int, size: int) -> Any:
    from tests.store.support import THING, thing, unit

    return unit(THING, put=[thing(key, body=bytes(size))])


@pytest.mark.fault("F24")
async def test_lock_of_another_writer_is_try_again(sqlite_url: str) -> None:
    database = await open_at(sqlite_url)
    await on_writing_connection(database, lambda connection: connection.set_busy_timeout(0))
    with closing(apsw.Connection(sqlite_url.partition(":")[2])) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TryAgain):
            await database.commit(put(1))
        other.execute("ROLLBACK")
    assert await versions(database) == {}
    await database.commit(put(1))
    await database.close()


class SickFile(apsw.VFSFile):
    """A file whose next syncs fail with EIO."""

    failures = 0

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if SickFile.failures:
            SickFile.failures -= 1
            raise apsw.IOError
        super().xSync(flags)


class SickDisk(apsw.VFS):
    """The normal disk, with sick files."""

    def __init__(self) -> None:
        super().__init__("sick", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> SickFile:  # noqa: N802 - SQLite's name
        return SickFile("unix", name, flags)


@pytest.fixture
def sick_disk() -> Iterator[SickDisk]:
    """Every file that is opened meanwhile is a sick one."""
    disk = SickDisk()
    yield disk
    SickFile.failures = 0
    apsw.set_default_vfs("unix")
    disk.unregister()


@pytest.mark.fault("F25")
async def test_failed_fsync_is_resolved_by_key(sick_disk: SickDisk, sqlite_url: str) -> None:
    database = await open_at(sqlite_url)
    await database.commit(put(1))
    SickFile.failures = 1
    with pytest.raises(TryAgain):
        await database.commit(put(2))
    assert SickFile.failures == 0, "the failing sync was not reached"
    found = await versions(database)
    if 2 not in found:
        await database.commit(put(2))
    assert await versions(database) == {1: 1, 2: 1}
    await database.close()


@pytest.mark.fault("F26")
@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
@pytest.mark.parametrize("units", [1, 3])
async def test_connection_lost_around_commit_is_resolved_by_key(
    postgres_url: str, tmp_path: Path, cut: Cut, units: int
) -> None:
    async with cable(postgres_url, tmp_path) as (laid, url):
        database = await open_at(url)
        laid.cut = cut
        results = await asyncio.gather(
            *(database.commit(put(key)) for key in range(units)), return_exceptions=True
        )
        assert [type(result) for result in results] == [TryAgain] * units
        assert laid.cuts == 1
        happened = await versions(database)
        assert happened == (dict.fromkeys(range(units), 1) if cut is Cut.AFTER else {})
        await asyncio.gather(*(database.commit(put(key)) for key in range(units) if key not in happened))
        assert len(await versions(database)) == units
        await database.close()


@pytest.mark.fault("F26")
async def test_connections_killed_before_a_commit_are_replaced(postgres_url: str) -> None:
    database = await open_at(postgres_url)
    await database.commit(put(1))
    await run_at(postgres_url, KILL_ALL)
    try:
        await database.commit(put(2))
    except TryAgain:
        assert await versions(database) == {1: 1}
        await database.commit(put(2))
    assert await versions(database) == {1: 1, 2: 1}
    await database.close()


@pytest.mark.fault("F26")
@pytest.mark.parametrize("noticed", [True, False])
async def test_reader_killed_while_idle_is_replaced(postgres_url: str, noticed: bool) -> None:
    database = await open_at(postgres_url)
    await database.commit(put(1))
    assert await versions(database) == {1: 1}
    if noticed:
        await run_at(postgres_url, KILL_ALL)
    else:
        assert isinstance(database.engine, PostgresEngine)
        aborted = [holder._con for holder in database.engine._readers._pool._holders if holder._con]
        for connection in aborted:
            connection._transport.abort()
        assert aborted
    assert await versions(database) == {1: 1}
    await database.close()


@pytest.mark.fault("F26")
async def test_connection_killed_during_a_batch_is_try_again(postgres_url: str) -> None:
    database = await open_at(postgres_url)
    holder = await asyncpg.connect(postgres_url)
    await holder.execute("BEGIN")
    await holder.execute("LOCK TABLE thing IN ACCESS EXCLUSIVE MODE")
    task = asyncio.create_task(database.commit(put(1)))
    while not await run_at(postgres_url, "SELECT 1 FROM pg_locks WHERE NOT granted"):
        pass  # until the batch waits for the table
    killed = await run_at(
        postgres_url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE NOT granted",
    )
    assert len(killed) == 1
    with pytest.raises(TryAgain):
        await task
    await holder.close()
    assert await versions(database) == {}
    await database.commit(put(1))
    assert await versions(database) == {1: 1}
    await database.close()


@pytest.mark.fault("F27")
async def test_server_without_free_connections_is_try_again(
    postgres_database_url: str,
) -> None:
    database = await open_at(postgres_database_url)
    await database.commit(put(1))
    name = (await run_at(postgres_database_url, "SELECT current_database()"))[0][0]
    admin = postgres_database_url.replace(f"/{name}?", "/postgres?")
    await run_at(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await run_at(admin, KILL_ALL.replace("current_database()", f"'{name}'"))
    with pytest.raises(TryAgain):
        await versions(database)
    for _ in range(2):
        with pytest.raises(TryAgain):
            await database.commit(put(2))
    await run_at(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await database.commit(put(2))
    assert await versions(database) == {1: 1, 2: 1}
    await database.close()


@pytest.mark.fault("F29")
async def test_lost_lock_is_taken_again(postgres_url: str) -> None:
    database = await open_at(postgres_url)
    await run_at(postgres_url, KILL_ALL)
    await database.changed()  # whatever was missed meanwhile
    await database.commit(put(1))
    with pytest.raises(Exception, match="another instance"):
        await open_at(postgres_url)
    await database.close()


@pytest.mark.fault("F29")
async def test_lock_taken_by_another_process_fences_the_writer(postgres_url: str) -> None:
    first = await open_at(postgres_url)
    await first.commit(put(1))
    assert isinstance(first.engine, PostgresEngine)
    first.engine._guard._connection.terminate()
    second = await open_at(postgres_url)
    for _ in range(2):
        with pytest.raises(Fenced):
            await first.commit(put(2))
    await second.commit(put(3))
    assert await versions(second) == {1: 1, 3: 1}
    await second.close()
    with pytest.raises(Fenced):
        await first.commit(put(2))  # the lock is free again, but the lease was raised meanwhile
    await first.close()


@pytest.mark.fault("F29")
async def test_unnoticed_lock_loss_is_detected_by_the_lease(postgres_url: str) -> None:
    database = await open_at(postgres_url)
    await run_at(postgres_url, "UPDATE store_lease SET lease_epoch = lease_epoch + 1")
    results = await asyncio.gather(*(database.commit(put(key)) for key in (1, 2)), return_exceptions=True)
    assert [type(result) for result in results] == [Fenced, Fenced]
    assert await versions(database) == {}
    await database.close()


@pytest.mark.parametrize("merged", [True, False])
async def test_guard_holds_until_commit(postgres_url: str, merged: bool) -> None:
    from tests.store.support import CHANGE, OWNER, thing, unit

    database = await open_at(postgres_url)
    await database.commit(unit(OWNER, own=[{"name": "a", "epoch": 1}]))
    other = await asyncpg.connect(postgres_url)
    await other.execute("BEGIN; UPDATE owner SET epoch = 2 WHERE name = 'a'")
    task = asyncio.create_task(
        database.commit(unit(CHANGE, fence=[{"name": "a", "epoch": 1}], put=[thing(1)] * merged))
    )
    while not await run_at(postgres_url, "SELECT 1 FROM pg_locks WHERE NOT granted"):
        pass  # until the guard waits for the other's row
    await other.execute("COMMIT")
    with pytest.raises(Fenced):
        await task
    await other.close()
    await database.close()
