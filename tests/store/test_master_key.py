"""The master key's file: made once, private, never replaced (S28)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.adapters.private_files import PrivateFile
from bridge.errors import Misconfigured
from bridge.store.master_key import load_master_key, parse_master_key
from tests.peers.presence import missing
from tests.store.support import CountedRandom

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def write(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


def test_first_start_makes_the_key_and_later_starts_read_it(path: Path) -> None:
    random = CountedRandom()
    key = load_master_key(PrivateFile(path), random, may_make=True)
    assert len(key) == 32 and random.calls == 1
    assert path.stat().st_mode & 0o7777 == 0o600
    assert load_master_key(PrivateFile(path), random, may_make=True) == key and random.calls == 1
    assert [each.name for each in path.parent.iterdir()] == ["master.key"]


def test_missing_key_is_not_replaced_for_sealed_data(path: Path) -> None:
    random = CountedRandom()
    with pytest.raises(Misconfigured, match="Restore the master key") as refusal:
        load_master_key(PrivateFile(path), random, may_make=False)
    assert refusal.value.exit_code == 42
    assert not list(path.parent.iterdir()) and random.calls == 0
    key = load_master_key(PrivateFile(path), random, may_make=True)
    assert load_master_key(PrivateFile(path), random, may_make=False) == key


def test_key_file_is_private_under_any_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        load_master_key(PrivateFile(path), CountedRandom(), may_make=True)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o600


@pytest.mark.threat("S28")
@pytest.mark.parametrize("mode", [0o440, 0o604, 0o620, 0o640, 0o644, 0o660, 0o666, 0o700, 0o777, 0o4600])
def test_a_file_of_any_other_mode_is_refused(path: Path, mode: int) -> None:
    write(path, KEY.hex(), mode)
    with pytest.raises(Misconfigured, match="chmod 600") as refusal:
        load_master_key(PrivateFile(path), CountedRandom(), may_make=True)
    assert refusal.value.exit_code == 11
    assert path.read_text() == KEY.hex()


@pytest.mark.threat("S28")
def test_symlink_is_refused(path: Path, tmp_path: Path) -> None:
    write(tmp_path / "real", KEY.hex())
    path.symlink_to(tmp_path / "real")
    with pytest.raises(Misconfigured, match="is a link"):
        load_master_key(PrivateFile(path), CountedRandom(), may_make=True)
    (tmp_path / "real").unlink()
    with pytest.raises(Misconfigured, match="is a link"):
        load_master_key(PrivateFile(path), CountedRandom(), may_make=True)
    assert not (tmp_path / "real").exists()


@pytest.mark.threat("S28")
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_path_that_is_not_a_file_is_refused(path: Path, make: object) -> None:
    make(path)  # type: ignore[operator]
    with pytest.raises(Misconfigured, match="is not a plain file"):
        load_master_key(PrivateFile(path), CountedRandom(), may_make=True)


@pytest.mark.threat("S28")
def test_key_file_of_another_user_is_refused(path: Path) -> None:
    if os.geteuid() != 0:
        missing("root", "only it can give a file away; run the tests as root")
    write(path, KEY.hex())
    os.chown(path, 12345, -1)
    with pytest.raises(Misconfigured, match="another user"):
        load_master_key(PrivateFile(path), CountedRandom(), may_make=True)


@pytest.mark.threat("S28")
def test_folder_writable_by_others_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(Misconfigured, match="chmod 700"):
        load_master_key(PrivateFile(folder / "master.key"), CountedRandom(), may_make=True)


@pytest.mark.parametrize(
    "text",
    ["", "\n", KEY.hex()[:-1], KEY.hex() + "0", KEY.hex() + "\n\n\n", "zz" * 32, KEY.hex(" "), "é" * 32],
)
def test_file_without_a_key_is_refused_and_kept(path: Path, text: str) -> None:
    write(path, text)
    with pytest.raises(Misconfigured, match="64 hexadecimal digits"):
        load_master_key(PrivateFile(path), CountedRandom(), may_make=True)
    assert path.read_text() == text


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper(), KEY.hex() + "\n", KEY.hex() + "\r\n"])
def test_key_with_surrounding_whitespace_is_read(path: Path, text: str) -> None:
    write(path, text)
    assert load_master_key(PrivateFile(path), CountedRandom(), may_make=True) == KEY
    assert parse_master_key(text, "config") == KEY


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be made"):
        load_master_key(PrivateFile(tmp_path / "no" / "master.key"), CountedRandom(), may_make=True)


def test_half_written_key_is_not_used(path: Path) -> None:
    path.with_name("master.key.partial").write_text("half")
    key = load_master_key(PrivateFile(path), CountedRandom(), may_make=True)
    assert path.read_text().strip() == key.hex()
