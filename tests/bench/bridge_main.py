"""The bridge without group commit: ``python -m tests.bench.bridge_main`` in the folder of its config.

The bridge's own ``app.run``; only one unit at a time reaches the writer, so that each has a commit
of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from bridge.adapters.clock import RealClock
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.streams import TcpDialer
from bridge.adapters.web_client import WebClient
from bridge.app.bridge import Ports, run
from bridge.cli import log
from bridge.cli.running import load_config
from bridge.config import Config
from bridge.ports import Row, Store, Unit, Value
from bridge.store.database import Database


class OneByOne(Store):
    """A store that hands on a unit when the one before it is durable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()

    async def commit(self, unit: Unit) -> None:
        async with self._turn:
            await self._database.commit(unit)

    async def truncate_log(self) -> None:
        await self._database.truncate_log()

    async def read(self, sql: str, **parameters: Value) -> Sequence[Row]:
        return await self._database.read(sql, **parameters)


async def run_one_by_one(config: Config) -> int:
    """Run it; the exit code."""
    web = WebClient()
    try:
        return await run(
            config, Ports(RealClock(), OperatingSystemRandom(), TcpDialer(), web, store=OneByOne)
        )
    finally:
        await web.close()


def main() -> int:
    config = load_config("config.yaml", os.environ)
    log.set_up(config)
    return asyncio.run(run_one_by_one(config))


sys.exit(main())
