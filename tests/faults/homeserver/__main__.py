"""Run the fake homeserver: prints ``ready PORT`` and stays until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from pathlib import Path

from ruamel.yaml import YAML

from tests.faults.homeserver.server import FakeServer


async def run(registrations: list[Path], server: str, port: int) -> None:
    documents = [json.loads(json.dumps(YAML(typ="safe").load(path))) for path in registrations]
    async with FakeServer(documents, server).running(port) as bound:
        print(f"ready {bound}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.homeserver")
    parser.add_argument("--registration", type=Path, action="append", required=True)
    parser.add_argument("--server-name", default="hs.test")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(arguments.registration, arguments.server_name, arguments.port))


main()
