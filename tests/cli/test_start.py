"""The program as a process: what a start says when something it needs is not as it should be."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from demo.synapse import free_port
from tests.cli.support import filled_in

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "bridge"]
PATIENCE_S = 60.0
"""A start takes two seconds on an idle machine, and waits five for a lock."""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A start that ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def until_it_speaks(folder: Path) -> tuple[str, str, int]:
    """A start that waits: its first line on standard error, its log, and its exit code once stopped."""
    with subprocess.Popen(
        COMMAND,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        log, rest = process.communicate(timeout=PATIENCE_S)
        return said + rest, log, process.returncode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a bridge has started once; its homeserver is not up."""
    config = tmp_path / "config.yaml"
    filled_in(config)
    text = config.read_text().replace("localhost:8008", f"127.0.0.1:{free_port()}")
    for port in ("29317", "29318", "29319"):
        text = text.replace(port, str(free_port()))
    config.write_text(text)
    assert run(tmp_path, "-g").returncode == 0
    return tmp_path


def test_a_start_says_once_that_it_waits_for_the_homeserver_and_why(folder: Path) -> None:
    said, log, code = until_it_speaks(folder)
    assert code == 0
    assert said.count("\n") == 1
    assert said.startswith("Warning: homeserver.address: http://127.0.0.1:")
    assert said.endswith("does not answer (connection refused). The bridge asks again every 10 s.\n")
    assert "homeserver not reachable yet" in log
    assert "127.0.0.1" not in log, "the log holds no address"


def test_a_lost_master_key_ends_the_start_and_is_not_replaced(folder: Path) -> None:
    assert until_it_speaks(folder)[2] == 0
    (folder / "master.key").rename(folder / "away")
    ended = run(folder)
    assert ended.returncode == 42
    assert ended.stderr.startswith("master.key: is not there")
    assert ended.stderr.count("\n") == 1
    assert not (folder / "master.key").exists()


def test_a_locked_database_ends_the_start_with_one_sentence(folder: Path) -> None:
    assert until_it_speaks(folder)[2] == 0
    with closing(sqlite3.connect(folder / "bridge.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = run(folder)
    assert ended.returncode == 14
    assert f"{folder / 'bridge.db'}: another program has it locked. End that program" in ended.stderr
    assert ended.stderr.count("\n") == 1
