"""The sandbox as a process, with any variant: ``program.py FOLDER PARTNER VARIANT``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from bridge.adapters.clock import ControlledClock
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.web_client import WebClient
from bridge.sandbox.main import offset_file, run


async def main(folder: Path, partner: str, variant: str) -> None:
    client = WebClient()
    try:
        await run(
            folder,
            partner=partner,
            random=OperatingSystemRandom(),
            clock=ControlledClock(offset_file(folder)),
            client=client,
            variant=variant,
        )
    finally:
        await client.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
