"""The bridge on faulty ports: ``python -m tests.faults.bridge_main`` in the folder of its config.

The bridge's own ``app.run`` with nothing changed but the forms of its ports; ``ports.environment``
says which faults there are and where to report what was passed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from bridge.adapters.clock import ControlledClock, RealClock
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.streams import TcpDialer
from bridge.adapters.web_client import WebClient
from bridge.app.bridge import Ports, run
from bridge.cli import log
from bridge.cli.running import load_config
from bridge.config import Config, read_profile
from bridge.errors import Misconfigured
from tests.faults.ports import Failpoints, FaultyDialer, FaultyHomeserver, FaultyStore, FaultyWeb


async def run_faulty(config: Config, points: Failpoints) -> int:
    """Run it; the exit code."""
    profile = read_profile(config.network.profile, lambda path: Path(path).read_text(encoding="utf-8"))
    offset = profile.clock_offset_file
    web = WebClient()
    ports = Ports(
        clock=RealClock() if offset is None else ControlledClock(Path(offset)),
        random=OperatingSystemRandom(),
        dialer=FaultyDialer(TcpDialer(), points),
        web=FaultyWeb(web, points),
        store=lambda database: FaultyStore(database, points),
        homeserver=lambda homeserver: FaultyHomeserver(homeserver, points),
    )
    try:
        return await run(config, ports)
    finally:
        await web.close()


def main() -> int:
    config = load_config("config.yaml", os.environ)
    log.set_up(config)
    try:
        return asyncio.run(run_faulty(config, Failpoints.from_environment(os.environ)))
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return error.exit_code


sys.exit(main())
