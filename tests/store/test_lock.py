"""One process has the database: a second one is refused at once, and any end of the first frees it (F29)."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bridge.errors import Misconfigured
from tests.store.support import open_at, put, versions

PROGRAM = [sys.executable, "-m", "tests.store.lock_holder"]
SECONDS_TO_REFUSE = 2
SECONDS_TO_START = 20
"""For the interpreter on a loaded machine; the refusal's own share is measured inside."""


def run(url: str, *more: str) -> subprocess.CompletedProcess[str]:
    """A process that opens the database and ends."""
    seconds = SECONDS_TO_START + SECONDS_TO_REFUSE
    return subprocess.run(
        [*PROGRAM, url, *more], input="\n", capture_output=True, text=True, timeout=seconds, check=False
    )


def names_and_modes(folder: Path) -> dict[str, str]:
    """The files of a folder and who may use them."""
    return {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()}


def hold(url: str) -> subprocess.Popen[str]:
    """A process that has the database open."""
    process = subprocess.Popen([*PROGRAM, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "open\n"
    return process


@pytest.mark.fault("F29")
async def test_second_process_exits_with_code_40(url: str) -> None:
    database = await open_at(url)
    started = time.monotonic()
    second = run(url)
    assert time.monotonic() - started < SECONDS_TO_START + SECONDS_TO_REFUSE
    assert second.returncode == 40
    assert "another instance holds the lease" in second.stdout
    await database.commit(put(1))
    await database.close()


@pytest.mark.fault("F29")
async def test_second_open_in_one_process_is_refused(url: str) -> None:
    database = await open_at(url)
    with pytest.raises(Misconfigured) as refusal:
        await open_at(url)
    assert refusal.value.exit_code == 40
    await database.close()
    await (await open_at(url)).close()


@pytest.mark.fault("F29")
async def test_killed_process_releases_the_lock(url: str) -> None:
    process = hold(url)
    with pytest.raises(Misconfigured):
        await open_at(url)
    process.kill()
    process.communicate()
    database = await open_at(url)
    await database.commit(put(1))
    assert await versions(database) == {1: 1}
    await database.close()


async def test_clean_exit_releases_the_lock(url: str) -> None:
    process = hold(url)
    process.communicate("\n")
    assert process.returncode == 0
    await (await open_at(url)).close()


async def test_refusal_names_the_process_that_holds_the_lock(sqlite_url: str) -> None:
    process = hold(sqlite_url)
    with pytest.raises(Misconfigured, match=f"process {process.pid}"):
        await open_at(sqlite_url)
    process.communicate("\n")


async def test_symlinked_lock_file_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "bridge.db.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured) as refusal:
        await open_at(sqlite_url)
    assert refusal.value.exit_code == 14
    assert not (tmp_path / "elsewhere").exists()


async def test_database_files_are_private(sqlite_url: str, tmp_path: Path) -> None:
    database = await open_at(sqlite_url)
    await database.commit(put(1))
    await versions(database)
    modes = names_and_modes(tmp_path)
    assert modes.keys() >= {"bridge.db", "bridge.db-wal", "bridge.db.lock"}
    assert set(modes.values()) == {"0o600"}
    await database.close()
