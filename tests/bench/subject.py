"""The bridge that is measured: a process of its own, alone on its core."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from demo.bridge import COMMAND, BridgeProcess
from demo.synapse import free_port
from tests.bench.homeserver import SERVER

READY_S = 60.0
LOOK_EVERY_S = 0.005
ONE_BY_ONE = (sys.executable, "-m", "tests.bench.bridge_main")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
ACKNOWLEDGEMENT = (
    "I run this bridge for other people. My server can read their messages, and they are told so."
)
ROOT = Path(__file__).resolve().parents[2]


def cores() -> tuple[int, int]:
    """The core of the bridge and that of everything else; the same one where there is only one."""
    usable = sorted(_allowed)
    return usable[0], usable[-1]


_allowed = os.sched_getaffinity(0)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started in the block runs on ``core`` alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Subject(BridgeProcess):
    """A bridge in a folder, with a connection for every account."""

    def __init__(
        self, folder: Path, *, homeserver_url: str, profile: Path, connection: str = "always"
    ) -> None:
        settings: Mapping[str, Mapping[str, Any]] = {
            "network": {
                "custody": "operator",
                "operator_acknowledgement": ACKNOWLEDGEMENT,
                "connection": connection,
            },
            "bridge": {"master_key_file": str(folder / "master.key")},
            "database": {"uri": f"file:{folder / 'bridge.db'}"},
        }
        super().__init__(
            folder,
            homeserver_url=homeserver_url,
            server_name=SERVER,
            profile=profile,
            admin=f"@admin:{SERVER}",
            public_port=free_port(),
            settings=settings,
        )

    async def run(self, *, group_commit: bool = True) -> float:
        """Start it, and wait until it is ready; the seconds from exec until then."""
        self._command = COMMAND if group_commit else ONE_BY_ONE
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        begin = time.perf_counter()
        with on_core(cores()[0]):
            self.start(environment={"PYTHONPATH": path}, wait=False)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            while time.perf_counter() - begin < READY_S and self.is_running:
                if await self._is_ready(http):
                    return time.perf_counter() - begin
                await asyncio.sleep(LOOK_EVERY_S)
        raise RuntimeError(f"the bridge did not start:\n{self.log()}")

    async def _is_ready(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"http://127.0.0.1:{self.admin_port}/ready") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def cpu_s(self) -> float:
        """CPU seconds it has used so far, all threads, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def memory_kib(self) -> int:
        """Its resident memory."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError("no VmRSS")
