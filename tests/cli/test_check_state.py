"""``check`` finds what would end a start: lost or damaged keys, a database that cannot be used."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from bridge.cli import invoke
from tests.cli.starting import COMMAND, environment, fill, run, run_until_waiting
from tests.store.engines import PostgresServer, running_server

PASSWORD = "the-wrong-password-of-this-test"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a bridge has started once and stopped."""
    folder = tmp_path_factory.mktemp("started")
    fill(folder)
    assert run_until_waiting(folder)[2] == 0
    return folder


@pytest.fixture
def folder(started: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(started, tmp_path / "copy"))


Check = Callable[[], tuple[int, list[str]]]


@pytest.fixture
def check(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs ``check`` in the folder: its exit code and its lines."""
    monkeypatch.chdir(folder)

    def checked() -> tuple[int, list[str]]:
        code = invoke(["check"])
        seen = capsys.readouterr()
        assert seen.err == ""
        return code, seen.out.splitlines()

    return checked


def only(ended: tuple[int, list[str]]) -> tuple[int, str]:
    """The exit code, and the only line that is not OK."""
    found = [line for line in ended[1] if not line.startswith("OK")]
    assert len(found) == 1, ended
    return ended[0], found[0]


def in_process(folder: Path) -> tuple[int, list[str]]:
    """The same in a process of its own."""
    ended = run(folder, "check")
    return ended.returncode, ended.stdout.splitlines()


def set_database(folder: Path, type_: str, uri: str) -> None:
    config = folder / "config.yaml"
    text = config.read_text()
    text = text.replace("type: sqlite3-fk-wal", f"type: {type_}")
    config.write_text(text.replace("uri: file:bridge.db?_txlock=immediate", f"uri: '{uri}'"))


def insert(folder: Path, table: str, **given: str) -> None:
    """A row; what is not given is 1."""
    with closing(sqlite3.connect(folder / "bridge.db")) as database:
        columns = [(row[1], row[2]) for row in database.execute(f"PRAGMA table_info({table})")]
        values = [given.get(name, b"1" if type_ == "BLOB" else 1) for name, type_ in columns]
        marks = ", ".join("?" for _ in columns)
        database.execute(f"INSERT INTO {table} VALUES ({marks})", values)
        database.commit()


def test_check_is_quiet_and_changes_nothing_after_a_start(folder: Path, check: Check) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, lines = check()
    assert (code, [line.split()[0] for line in lines]) == (0, ["OK"] * 6)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_missing_master_key_is_found_with_what_is_lost(folder: Path, check: Check) -> None:
    (folder / "master.key").unlink()
    code, line = only(check())
    assert code == 42
    assert line.startswith("ERROR    master.key: does not exist, and this database is sealed with it.")
    assert "from your backup" in line and "are lost" in line
    assert not (folder / "master.key").exists()


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("0f" * 31, 11, "is damaged: a master key is 64 hexadecimal digits"),
        ("", 11, "is damaged"),
        ("0f" * 32, 42, "is not the master key that this database was sealed with"),
    ],
    ids=["truncated", "empty", "other"],
)
def test_wrong_master_key_is_found(folder: Path, content: str, code: int, words: str, check: Check) -> None:
    (folder / "master.key").write_text(content)
    found, line = only(check())
    assert (found, words in line) == (code, True), line
    assert "from your backup" in line


def test_exposed_master_key_is_never_to_be_replaced(folder: Path, check: Check) -> None:
    (folder / "master.key").chmod(0o644)
    code, line = only(check())
    assert code == 11
    assert "chmod 600 master.key" in line and "Do not replace the key" in line


def test_key_files_that_nobody_can_write_are_fine(folder: Path, check: Check) -> None:
    for name in ("master.key", "signing-key.pem"):
        (folder / name).chmod(0o400)
    assert check()[0] == 0
    assert run_until_waiting(folder)[2] == 0


@pytest.mark.parametrize("content", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_broken_signing_key_is_found(folder: Path, content: str, check: Check) -> None:
    (folder / "signing-key.pem").write_text(content)
    code, line = only(check())
    assert code == 11
    assert line.startswith("ERROR    signing-key.pem:") and "from your backup" in line


def test_missing_signing_key_with_accounts_is_a_warning(folder: Path, check: Check) -> None:
    (folder / "signing-key.pem").unlink()
    assert check()[0] == 0
    insert(folder, "account")
    code, line = only(check())
    assert code == 0
    assert line.startswith("WARNING  signing-key.pem: does not exist, and accounts sign in with it (1).")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file:gone/bridge.db", "does not exist"),
        ("file:config.yaml/bridge.db", "is not a folder"),
        ("file:config.yaml", "another program wrote it"),
        ("file:.", "is not a database"),
        ("file:" + "y" * 300, "File name too long"),
    ],
)
def test_unusable_sqlite_file_is_found(folder: Path, uri: str, words: str, check: Check) -> None:
    set_database(folder, "sqlite3-fk-wal", uri)
    code, line = only(check())
    assert (code, words in line) == (14, True), line


def test_database_of_another_profile_is_found(folder: Path, check: Check) -> None:
    with closing(sqlite3.connect(folder / "bridge.db")) as database:
        database.execute("UPDATE schema_version SET profile_id = 'other'")
        database.commit()
    code, line = only(check())
    assert (code, "made under the profile 'other'" in line) == (15, True), line


def test_check_works_beside_a_running_bridge(folder: Path, check: Check) -> None:
    with subprocess.Popen(
        COMMAND, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        code, lines = check()
        process.terminate()
        process.communicate()
    assert (code, [line.split()[0] for line in lines]) == (0, ["OK"] * 6)
    assert process.returncode == 0


def test_other_ghost_prefix_is_refused_once_there_are_contacts(folder: Path, check: Check) -> None:
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("ib_{{.}}", "ib2_{{.}}"))
    assert run(folder, "-g").returncode == 0
    assert check()[0] == 0, "without contacts it is free"
    insert(folder, "contact", ghost=f"ib_{'a' * 26}")
    code, line = only(check())
    assert code == 11
    assert "this database has contacts under ib_{{.}}. Write ib_{{.}} again" in line
    ended = run(folder, "run")
    assert ended.returncode == 11
    assert ended.stderr.startswith("appservice.username_template: ") and ended.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


def ask_for_passwords(rules: Path) -> None:
    wanted = "local all checked scram-sha-256\nhost all checked all scram-sha-256\n"
    rules.write_text(wanted + rules.read_text())


async def test_wrong_postgresql_password_is_found_and_not_shown(
    postgres: PostgresServer, folder: Path
) -> None:
    await postgres.run("CREATE ROLE checked LOGIN PASSWORD 'right'")
    (shown,) = await postgres.run("SHOW hba_file")
    await asyncio.to_thread(ask_for_passwords, Path(shown["hba_file"]))
    await postgres.run("SELECT pg_reload_conf()")
    wrong = postgres.uri.replace("//postgres:", f"//checked:{PASSWORD}")
    assert wrong != postgres.uri
    while True:  # the server reads its rules a moment later
        try:
            await (await asyncpg.connect(wrong)).close()
        except asyncpg.InvalidPasswordError:
            break
    set_database(folder, "postgres", wrong)
    code, line = only(in_process(folder))
    assert (code, "password authentication failed" in line) == (14, True), line
    assert PASSWORD not in line


async def test_sound_postgresql_database_is_fine(postgres: PostgresServer, folder: Path) -> None:
    set_database(folder, "postgres", await postgres.new_database())
    (folder / "master.key").unlink()
    assert run(folder, "check").returncode == 0, "an empty database is sealed with no key yet"
    assert run_until_waiting(folder)[2] == 0
    assert run(folder, "check").returncode == 0
    (folder / "master.key").unlink()
    assert only(in_process(folder))[0] == 42
