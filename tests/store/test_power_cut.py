"""A power cut loses all that was not synced; nothing that was confirmed may be among it (F13)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from bridge.store.sqlite import SqliteEngine
from tests.store.support import open_at, put, versions

UNITS = 60


class WatchedFile(apsw.VFSFile):
    """A file of which a copy is made at each sync: what a power cut would leave of it."""

    def __init__(self, name: Any, flags: list[int], copies: Path, disk: WatchedDisk) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        self._path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        self._copies = copies

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        super().xSync(flags)
        copy = self._copies / self._path.name
        if not copy.exists():
            # SQLite syncs the folder with a new journal or log: earlier deletions last from now on
            self._disk.forget_deleted()
        shutil.copyfile(self._path, copy)


class WatchedDisk(apsw.VFS):
    """The normal disk with watched files."""

    def __init__(self, copies: Path) -> None:
        super().__init__("watched", "unix", makedefault=True)
        self._copies = copies
        self._deleted: set[str] = set()

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, syncdir)
        self._deleted.add(Path(filename).name)
        if syncdir:
            self.forget_deleted()

    def forget_deleted(self) -> None:
        """The folder was synced: what was deleted will not come back."""
        for name in self._deleted:
            (self._copies / name).unlink(missing_ok=True)
        self._deleted.clear()

    def xOpen(self, name: Any, flags: list[int]) -> WatchedFile:  # noqa: N802 - SQLite's name
        return WatchedFile(name, flags, self._copies, self)


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Path]:
    """The folder in which the disk's synced state is."""
    folder = tmp_path / "after the cut"
    folder.mkdir()
    disk = WatchedDisk(folder)
    yield folder
    apsw.set_default_vfs("unix")
    disk.unregister()


async def confirmed_and_left(
    url: str, copies: Path, synchronous: int
) -> tuple[dict[int, int], dict[int, int]]:
    """What was confirmed, and what is there after a power cut at the very next moment."""
    database = await open_at(url)
    assert isinstance(database.engine, SqliteEngine)
    await database.engine._writer.run(lambda connection: connection.pragma("synchronous", synchronous))
    for lane in range(0, UNITS, 4):
        await asyncio.gather(*(database.commit(put(key)) for key in range(lane, lane + 4)))
    left = copies.with_name("left")
    shutil.copytree(copies, left)
    confirmed = await versions(database)
    await database.close()
    after = await open_at(f"sqlite3-fk-wal:{left / 'bridge.db'}")
    found = await versions(after)
    await after.close()
    return confirmed, found


@pytest.mark.fault("F13")
async def test_confirmed_units_survive_a_power_cut(sqlite_url: str, copies: Path) -> None:
    confirmed, found = await confirmed_and_left(sqlite_url, copies, synchronous=2)
    assert len(confirmed) == UNITS
    assert found == confirmed


@pytest.mark.fault("F13")
async def test_power_cut_loses_units_without_full_synchronisation(sqlite_url: str, copies: Path) -> None:
    confirmed, found = await confirmed_and_left(sqlite_url, copies, synchronous=1)
    assert len(found) < len(confirmed), "the test of the power cut does not bite"
