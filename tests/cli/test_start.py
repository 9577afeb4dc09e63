"""The program as a process: what a start says when something it needs is not as it should be."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.starting import fill, run, run_until_waiting


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A complete config; the homeserver is not up."""
    fill(tmp_path)
    return tmp_path


def test_waiting_for_the_homeserver_is_told_once_with_the_reason(folder: Path) -> None:
    said, log, code = run_until_waiting(folder)
    assert code == 0
    assert said.count("\n") == 1
    assert said.startswith("Warning: homeserver.address: http://127.0.0.1:")
    assert said.endswith("does not answer (connection refused). The bridge asks again every 10 s.\n")
    assert "homeserver not reachable yet" in log
    assert "127.0.0.1" not in log, "the log holds no address"


def test_lost_master_key_ends_the_start_and_is_not_replaced(folder: Path) -> None:
    assert run_until_waiting(folder)[2] == 0
    (folder / "master.key").rename(folder / "away")
    ended = run(folder)
    assert ended.returncode == 42
    assert ended.stderr.startswith("master.key: does not exist")
    assert ended.stderr.count("\n") == 1
    assert not (folder / "master.key").exists()


def test_locked_database_ends_the_start_with_one_sentence(folder: Path) -> None:
    assert run_until_waiting(folder)[2] == 0
    with closing(sqlite3.connect(folder / "bridge.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = run(folder)
    assert ended.returncode == 14
    assert f"{folder / 'bridge.db'}: another program has it locked. End that program" in ended.stderr
    assert ended.stderr.count("\n") == 1
