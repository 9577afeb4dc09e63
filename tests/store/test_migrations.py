"""The schema: forward only, never half, only on a database that is ours."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from bridge.errors import Misconfigured
from bridge.store.database import Database
from bridge.store.migrations import load_schema
from tests.store.engines import run_at
from tests.store.support import NEXT_SCHEMA, SCHEMA, open_at, put, versions
from tests.store.test_lock import run

STATEMENTS_OF_THE_STEP = 7
"""BEGIN, four of the file, the version's row, COMMIT."""


async def columns(database: Database) -> dict[str, set[str]]:
    """Tables and columns as they are."""
    return {name: set(found) for name, found in (await database.engine.session.tables()).items()}


async def raw(url: str, sql: str) -> None:
    """Run SQL behind the store's back."""
    if url.startswith("sqlite"):
        connection = apsw.Connection(url.partition(":")[2])
        connection.execute(sql)
        connection.close()
    else:
        await run_at(url, sql)


async def old_database(url: str) -> None:
    """A database of version 1 with two things in it."""
    database = await open_at(url)
    for key in (1, 2):
        await database.commit(put(key))
    await database.close()


async def refused(url: str, *, schema: Path = SCHEMA, profile_id: str = "sandbox") -> Misconfigured:
    """The refusal to open."""
    with pytest.raises(Misconfigured) as refusal:
        await open_at(url, schema=schema, profile_id=profile_id)
    return refusal.value


async def test_migration_keeps_the_data(url: str) -> None:
    await old_database(url)
    database = await open_at(url, schema=NEXT_SCHEMA)
    assert await versions(database) == {1: 1, 2: 1}
    assert len(await database.read("SELECT thing_id FROM box")) == 2
    assert [row["colour"] for row in await database.read("SELECT colour FROM thing")] == ["grey"] * 2
    rows = await database.read("SELECT version, step_name, profile_id FROM schema_version ORDER BY version")
    assert [dict(row) for row in rows] == [
        {"version": 1, "step_name": "things", "profile_id": "sandbox"},
        {"version": 2, "step_name": "colours", "profile_id": "sandbox"},
    ]
    await database.close()


async def test_fresh_and_migrated_databases_have_one_schema(url: str, tmp_path: Path) -> None:
    await old_database(url)
    migrated = await open_at(url, schema=NEXT_SCHEMA)
    fresh = await open_at(f"sqlite3-fk-wal:{tmp_path / 'fresh.db'}", schema=NEXT_SCHEMA)
    assert await columns(migrated) == await columns(fresh)
    assert fresh.backup is None
    await migrated.close()
    await fresh.close()


async def test_migrated_database_is_not_copied_again(url: str) -> None:
    await old_database(url)
    for expected in (True, False):
        database = await open_at(url, schema=NEXT_SCHEMA)
        assert (database.backup is not None) is expected
        await database.close()


@pytest.mark.fault("F12")
@pytest.mark.parametrize("number", range(STATEMENTS_OF_THE_STEP + 1))
async def test_killed_migration_leaves_the_old_or_new_version(url: str, number: int) -> None:
    await old_database(url)
    process = run(url, str(number))
    done = number == STATEMENTS_OF_THE_STEP
    assert process.returncode == (0 if done else -9), process.stdout
    if not done:
        old = await open_at(url)
        assert (await columns(old)).keys() == {"schema_version", "store_lease", "thing", "seen", "owner"}
        await old.close()
    database = await open_at(url, schema=NEXT_SCHEMA)
    assert await versions(database) == {1: 1, 2: 1}
    assert len(await database.read("SELECT thing_id FROM box")) == 2
    await database.close()


@pytest.mark.fault("F12")
async def test_killed_first_start_begins_again(url: str) -> None:
    process = run(url, "5")
    assert process.returncode == -9
    database = await open_at(url)
    assert await versions(database) == {}
    await database.close()


async def test_failed_step_leaves_the_old_version(url: str, tmp_path: Path) -> None:
    await old_database(url)
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in NEXT_SCHEMA.iterdir():
        text = path.read_text()
        (folder / path.name).write_text(text + ("\nDELETE FROM nowhere;" if "0002" in path.name else ""))
    with pytest.raises(Exception, match="nowhere"):
        await open_at(url, schema=folder)
    database = await open_at(url, schema=NEXT_SCHEMA)
    assert await versions(database) == {1: 1, 2: 1}
    await database.close()


async def test_sqlite_backup_is_a_whole_copy_beside_the_database(sqlite_url: str, tmp_path: Path) -> None:
    await old_database(sqlite_url)
    stale = tmp_path / "bridge.db.before-version-1"
    stale.write_bytes(b"of an earlier try")
    await (await open_at(sqlite_url, schema=NEXT_SCHEMA)).close()
    assert stale.stat().st_mode & 0o777 == 0o600
    assert not stale.with_name(stale.name + ".partial").exists()
    copy = await open_at(f"sqlite3-fk-wal:{stale}")
    assert await versions(copy) == {1: 1, 2: 1}
    await copy.close()


async def test_postgresql_backup_is_a_schema_beside_the_database(postgres_url: str) -> None:
    await old_database(postgres_url)
    database = await open_at(postgres_url, schema=NEXT_SCHEMA)
    assert database.backup is not None and database.backup.endswith("_before_version_1")
    assert "postgres:" not in database.backup
    copy = database.backup.rpartition(" ")[2]
    found = await run_at(postgres_url, f"SELECT count(*) FROM {copy}.thing")
    assert found[0][0] == 2
    await database.close()


async def test_backup_does_not_overwrite_a_foreign_schema(postgres_url: str) -> None:
    await old_database(postgres_url)
    schema = (await run_at(postgres_url, "SELECT current_schema()"))[0][0]
    await run_at(postgres_url, f"CREATE SCHEMA {schema}_before_version_1")
    refusal = await refused(postgres_url, schema=NEXT_SCHEMA)
    assert refusal.exit_code == 14 and "pg_dump" in refusal.remedy
    database = await open_at(postgres_url, schema=NEXT_SCHEMA, backup=False)
    assert database.backup is None
    await database.close()


async def test_newer_database_is_refused_with_a_remedy(url: str) -> None:
    await (await open_at(url, schema=NEXT_SCHEMA)).close()
    refusal = await refused(url)
    assert refusal.exit_code == 15
    assert "version 2" in refusal.what and "newer release" in refusal.remedy


async def test_newer_compatible_database_is_opened(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "compatible"
    folder.mkdir()
    for path in NEXT_SCHEMA.iterdir():
        sentence, _, rest = path.read_text().partition("\n")
        (folder / path.name).write_text(f"{sentence}\n-- compat: 1\n{rest}")
    await (await open_at(url, schema=folder)).close()
    database = await open_at(url)
    await database.commit(put(1))
    assert await versions(database) == {1: 1}
    await database.close()


async def test_database_of_another_profile_is_refused(url: str) -> None:
    await old_database(url)
    refusal = await refused(url, profile_id="partner")
    assert refusal.exit_code == 15
    assert "'sandbox'" in refusal.what and "'partner'" in refusal.what


@pytest.mark.parametrize("table", ["version", "schema_version"])
async def test_foreign_database_is_refused_unchanged(url: str, table: str) -> None:
    await raw(url, f"CREATE TABLE {table} (version INTEGER)")
    refusal = await refused(url)
    assert refusal.exit_code == 15 and "not the bridge's" in refusal.what
    await raw(url, f"SELECT version FROM {table}")
    await raw(url, "CREATE TABLE thing (x INTEGER)")  # it was not made


async def test_foreign_tables_are_named_in_the_refusal(url: str) -> None:
    await old_database(url)
    await raw(url, "CREATE TABLE wordpress (x INTEGER)")
    refusal = await refused(url)
    assert refusal.exit_code == 15 and "wordpress" in refusal.what


async def test_file_that_is_not_a_database_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "bridge.db").write_bytes(b"My diary. " * 1000)
    assert (await refused(sqlite_url)).exit_code == 14
    assert (tmp_path / "bridge.db").read_bytes() == b"My diary. " * 1000
    (tmp_path / "bridge.db").unlink()
    await (await open_at(sqlite_url)).close()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no schema files"),
        ({"0002-a.sql": "-- A.\n"}, "number 1"),
        ({"0001-a.sql": "-- A.\n", "0003-b.sql": "-- B.\n"}, "number 2"),
        ({"one.sql": "-- A.\n"}, "number 1"),
        ({"0001-a.sql": "CREATE TABLE a (x TEXT);\n"}, "not a sentence"),
        ({"0001-a.sql": "-- no full stop\n"}, "not a sentence"),
    ],
)
def test_schema_files_are_numbered_and_described(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        load_schema(tmp_path)
