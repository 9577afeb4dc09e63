"""The bench itself: it measures everything it should, and ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bench.subject import ROOT

ROWS = (
    "Matrix to network, 64 chats",
    "Matrix to network, 64 chats of one account",
    "Matrix to network, one chat",
    "network to Matrix, 64 chats",
    "network to Matrix, one chat",
    "Matrix to network, 64 chats, group commit",
    "network to Matrix, one chat, group commit",
    "Matrix to network, latency p50 unloaded",
    "Matrix to network, latency p99 half load",
    "network to Matrix, latency p50 half load",
    "network to Matrix, latency p99 unloaded",
    "memory with 20 connected accounts",
    "from exec to ready, 200 portals",
    "e2ee: seal 200 bytes",
    "e2ee: forged message in 41 sessions, one slice",
    "e2ee: forged message in 41 sessions, in all",
    "durable commits",
    "requests of a bare aiohttp sender",
    "AES-256-GCM",
)


@pytest.mark.deep
@pytest.mark.timeout(300)
def test_the_quick_bench_measures_every_row_and_loses_no_message() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert [row for row in ROWS if f"| {row}" not in done.stdout] == []
