"""The demo says when the bridge is not sound, and its command line for the sandbox is one."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

from demo import __main__ as demo
from demo.bridge import BridgeProcess
from demo.sandbox import SandboxProcess
from demo.synapse import installed
from tests.peers.presence import missing

SOUND = "2024-01-02T03:04:05Z INFO    ready"
MISTAKE = "2024-01-02T03:04:05Z ERROR   entry met a mistake of ours kind=message error=KeyError"
UNTIL_ASKED = "import signal; signal.sigwait({signal.SIGTERM})"
DIES = "raise SystemExit(3)"
PATIENCE_S = 30.0


def bridge_that(folder: Path, program: str) -> BridgeProcess:
    """A process in a bridge's place. It is born with SIGTERM blocked, so that none comes too early."""
    bridge = BridgeProcess(
        folder,
        homeserver_url="http://127.0.0.1:1",
        server_name="hs.test",
        profile=folder / "profile.yaml",
        admin="@ada:hs.test",
        public_port=1,
        command=(sys.executable, "-c", program),
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        bridge.start(wait=False)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    return bridge


def test_bridge_that_stops_when_asked_is_healthy(tmp_path: Path) -> None:
    (tmp_path / "bridge.log").write_text(f"{SOUND}\n")
    assert demo._is_sound(bridge_that(tmp_path, UNTIL_ASKED))


def test_bridge_that_logged_an_error_is_unhealthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bridge.log").write_text(f"{SOUND}\n{MISTAKE}\n")
    assert not demo._is_sound(bridge_that(tmp_path, UNTIL_ASKED))
    said = capsys.readouterr().err
    assert MISTAKE in said
    assert SOUND not in said


def test_dead_bridge_is_unhealthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bridge = bridge_that(tmp_path, DIES)
    bridge.wait_for_end(PATIENCE_S)
    assert not demo._is_sound(bridge)
    assert "ended by itself with 3" in capsys.readouterr().err


async def test_demo_ends_with_the_bridge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bridge = bridge_that(tmp_path, DIES)
    bridge.wait_for_end(PATIENCE_S)
    assert not await demo._until_interrupted(bridge)
    assert "ended by itself with 3" in capsys.readouterr().err


def test_sandbox_command_hides_the_token(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "control.yaml").write_text("token: '0123'\nurl: http://127.0.0.1:4711\n")
    line = demo.write_first_line(SandboxProcess(folder, partner=""))
    assert "0123" not in line
    words = shlex.split(line.replace("\\\n", ""))
    assert words[0] == "curl"
    assert "http://127.0.0.1:4711/people/+491510000002/write" in words


async def test_demo_stopped_during_start_leaves_nothing_behind() -> None:
    if installed() is None:
        missing("Synapse", 'python -c "from demo.synapse import install; install()"')
    demo_process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "demo",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert demo_process.stdout is not None
    assert b"Starting" in await demo_process.stdout.readline()
    demo_process.terminate()
    _, said = await demo_process.communicate()
    assert demo_process.returncode == 1
    assert b"Interrupted" in said
    with pytest.raises(ProcessLookupError):
        os.killpg(demo_process.pid, 0)  # the group of all that it started is empty
