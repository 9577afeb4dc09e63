"""The program as a process, and a folder in which it has started once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from demo.synapse import free_port
from tests.cli.support import filled_in

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "bridge"]
PATIENCE_S = 60.0
"""A start takes two seconds on an idle machine, and waits five for a lock."""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def run_until_waiting(folder: Path) -> tuple[str, str, int]:
    """A start that waits for its homeserver: standard error, the log, and the exit code once stopped."""
    with subprocess.Popen(
        COMMAND, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        log, rest = process.communicate(timeout=PATIENCE_S)
        return said + rest, log, process.returncode


def fill(folder: Path) -> None:
    """Write a config with free ports, and its registration."""
    config = folder / "config.yaml"
    filled_in(config)
    text = config.read_text().replace("localhost:8008", f"127.0.0.1:{free_port()}")
    for port in ("29317", "29318", "29319"):
        text = text.replace(port, str(free_port()))
    config.write_text(text)
    assert run(folder, "-g").returncode == 0
