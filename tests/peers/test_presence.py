"""Foreign programs: installed once for each lock file, and missed by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.install import STAMP, install, is_installed, lock_hash, main, node
from tests.peers.presence import missing, require_peer


def peer(folder: Path) -> Path:
    """A peer folder with nothing to install."""
    (folder / "package.json").write_text('{"name": "p", "private": true}')
    (folder / "package-lock.json").write_text('{"name": "p", "lockfileVersion": 3, "packages": {"": {}}}')
    return folder


def stamp(folder: Path) -> None:
    """As a complete installation leaves it."""
    (folder / "node_modules").mkdir(exist_ok=True)
    (folder / "node_modules" / STAMP).write_text(lock_hash(folder))


def test_a_folder_is_installed_until_its_lock_file_changes(tmp_path: Path) -> None:
    folder = peer(tmp_path)
    assert not is_installed(folder)
    stamp(folder)
    assert is_installed(folder) and not install(folder)
    assert main([str(folder)]) == 0
    (folder / "package-lock.json").write_text("{}")
    assert not is_installed(folder)


def test_what_is_missing_skips_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="the other library is missing: install it"):
        missing("the other library", "install it")


def test_what_is_missing_fails_where_everything_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="the other library is missing: install it"):
        missing("the other library", "install it")


def test_a_peer_that_is_not_installed_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUIRE_ALL", raising=False)
    folder = peer(tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"tests/peers/install\.py"):
        require_peer(folder, "the other library")
    stamp(folder)
    if node() is not None:
        assert require_peer(folder, "the other library") == node()
