"""What wakes the pump on PostgreSQL, also when connections die without a word (F26, F29)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from bridge.errors import Misconfigured, TryAgain
from bridge.store.database import Database
from bridge.store.errors import Fenced
from bridge.store.postgres import WRITE_SECONDS, PostgresEngine
from bridge.store.postgres_connections import ANSWER_SECONDS, CHANNEL, LOOK_SECONDS
from tests.network.clock import ManualClock
from tests.store.cut_proxy import Cut, cable
from tests.store.engines import run_at
from tests.store.support import INTAKE, THING, open_at, put, thing, unit, versions
from tests.store.test_outcomes import KILL_ALL

GUARD = 1
"""The first connection through a cable."""
WAKING = unit(INTAKE, put=[thing(7)])
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted"
WRITERS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'interop-bridge-%-writing'"
SLOW = """
    CREATE TABLE gate (open int);
    CREATE FUNCTION wait_for_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        WHILE NOT EXISTS (SELECT 1 FROM gate) LOOP PERFORM pg_sleep(0.01); END LOOP;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.name = 'slow') EXECUTE FUNCTION wait_for_gate()
"""
"""The commit of a thing called ``slow`` lasts until the gate is open."""


def guard_session(database: Database) -> int:
    assert isinstance(database.engine, PostgresEngine)
    number: int = database.engine._guard._connection.get_server_pid()
    return number


async def until_found(url: str, sql: str, wanted: Callable[[int], bool] = bool) -> None:
    """Return once so many rows are found."""
    while not wanted(len(await run_at(url, sql))):
        pass


@pytest.mark.fault("F26")
async def test_own_commit_wakes_without_a_listening_connection(postgres_url: str, tmp_path: Path) -> None:
    async with cable(postgres_url, tmp_path) as (laid, url):
        database = await open_at(url)
        laid.silent.add(GUARD)
        await database.commit(WAKING)
        await database.changed()
        assert await versions(database) == {7: 1}
        laid.silent.clear()  # so that it can be closed
        await database.close()


async def test_own_commit_wakes_once(postgres_url: str) -> None:
    database = await open_at(postgres_url)
    await database.commit(WAKING)
    await database.changed()
    again = asyncio.create_task(database.changed())
    await run_at(postgres_url, f"NOTIFY {CHANNEL}")  # comes behind the notification of our own commit
    await again
    assert isinstance(database.engine, PostgresEngine)
    assert not database.engine._woken.is_set()
    await database.close()


async def test_commit_of_unknown_outcome_wakes(postgres_url: str, tmp_path: Path) -> None:
    async with cable(postgres_url, tmp_path) as (laid, url):
        database = await open_at(url)
        laid.silent.add(GUARD)
        laid.cut = Cut.AFTER
        with pytest.raises(TryAgain):
            await database.commit(WAKING)
        await database.changed()
        assert await versions(database) == {7: 1}
        laid.silent.clear()
        await database.close()


@pytest.mark.fault("F26", "F29")
async def test_silent_guard_connection_is_replaced(postgres_url: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with cable(postgres_url, tmp_path) as (laid, url):
        database = await open_at(url, clock=clock)
        former = guard_session(database)
        laid.silent.add(GUARD)  # the server goes on believing in it, and in its lock
        changed = asyncio.create_task(database.changed())
        await clock.waited_for(LOOK_SECONDS)
        await clock.advance(LOOK_SECONDS)
        await clock.waited_for(ANSWER_SECONDS)
        await clock.advance(ANSWER_SECONDS)
        await changed  # whatever was missed meanwhile
        assert guard_session(database) != former
        changed = asyncio.create_task(database.changed())
        await run_at(postgres_url, f"NOTIFY {CHANNEL}")
        await changed
        with pytest.raises(Misconfigured, match="another instance"):
            await open_at(postgres_url)
        await database.commit(put(1))
        await database.close()


async def test_live_guard_connection_is_kept(postgres_url: str) -> None:
    clock = ManualClock()
    database = await open_at(postgres_url, clock=clock)
    former = guard_session(database)
    changed = asyncio.create_task(database.changed())
    for _ in range(3):
        await clock.waited_for(LOOK_SECONDS)
        await clock.advance(LOOK_SECONDS)
    await clock.waited_for(LOOK_SECONDS)
    assert not changed.done()
    assert guard_session(database) == former
    changed.cancel()
    await database.close()


@pytest.mark.fault("F29")
async def test_waiting_for_work_raises_fenced_after_takeover(postgres_url: str) -> None:
    clock = ManualClock()
    first = await open_at(postgres_url, clock=clock)
    assert isinstance(first.engine, PostgresEngine)
    first.engine._guard._connection.terminate()
    await first.changed()
    second = await open_at(postgres_url)
    changed = asyncio.create_task(first.changed())
    await clock.waited_for(LOOK_SECONDS)
    await clock.advance(LOOK_SECONDS)
    with pytest.raises(Fenced):
        await changed
    await first.close()
    await second.close()


@pytest.mark.fault("F27")
async def test_guard_check_is_repeated_while_the_server_is_away(postgres_database_url: str) -> None:
    clock = ManualClock()
    database = await open_at(postgres_database_url, clock=clock)
    name = (await run_at(postgres_database_url, "SELECT current_database()"))[0][0]
    admin = postgres_database_url.replace(f"/{name}?", "/postgres?")
    await run_at(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await run_at(admin, KILL_ALL.replace("current_database()", f"'{name}'"))
    await database.changed()
    changed = asyncio.create_task(database.changed())
    for _ in range(2):
        await clock.waited_for(LOOK_SECONDS)
        await clock.advance(LOOK_SECONDS)
    await clock.waited_for(LOOK_SECONDS)
    assert not changed.done()
    await run_at(admin, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await clock.advance(LOOK_SECONDS)
    await changed
    await database.close()


@pytest.mark.fault("F26")
async def test_abandoned_commit_never_appears_after_a_later_one(postgres_url: str) -> None:
    clock = ManualClock()
    database = await open_at(postgres_url, clock=clock)
    await run_at_once(postgres_url, SLOW)
    slow = asyncio.create_task(database.commit(unit(THING, put=[thing(1, name="slow")])))
    await until_found(postgres_url, f"{WRITERS} AND query = 'COMMIT' AND state = 'active'")
    await clock.advance(WRITE_SECONDS)
    with pytest.raises(TryAgain):
        await slow
    await database.commit(put(2))
    seen = await versions(database)
    await run_at(postgres_url, "INSERT INTO gate VALUES (1)")
    await until_found(postgres_url, WRITERS, lambda rows: rows == 1)
    assert await versions(database) == seen
    await database.close()


@pytest.mark.fault("F26")
async def test_batch_waits_for_one_that_may_still_commit(postgres_url: str) -> None:
    database = await open_at(postgres_url)
    other = await asyncpg.connect(postgres_url)
    await other.execute("BEGIN; SELECT 1 FROM store_lease FOR SHARE")
    task = asyncio.create_task(database.commit(put(1)))
    await until_found(postgres_url, WAITING)
    assert await versions(database) == {}
    await other.execute("COMMIT")
    await task
    assert await versions(database) == {1: 1}
    await other.close()
    await database.close()


async def run_at_once(url: str, sql: str) -> None:
    """Run several statements."""
    connection = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()
