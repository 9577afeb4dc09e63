"""What the machine can do at most: ``python -m tests.bench.floors FOLDER URL SECONDS``, on the bridge's core.

Disk commits with the bridge's settings, requests of a bare aiohttp sender, and AES-256-GCM. Prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import apsw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.matrix.limiter import MAX_IN_FLIGHT
from tests.bench.people import TEXT_CHARACTERS, text

ROW_BYTES = 1024
NONCE_BYTES = 12
SEALS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Floor:
    """How often something can be done: in a second of the clock, and in one of CPU."""

    per_s: float
    per_cpu_s: float


class _Watch:
    def __init__(self) -> None:
        self._begin, self._cpu = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begin

    def floor(self, done: int) -> Floor:
        return Floor(done / self.seconds, done / (time.process_time() - self._cpu))


def commits(folder: Path, seconds: float) -> Floor:
    """Rows of 1 KiB, each with a durable commit of its own."""
    connection = apsw.Connection(str(folder / "floor.db"))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 2)
    connection.execute("CREATE TABLE IF NOT EXISTS rows (key INTEGER PRIMARY KEY, value BLOB NOT NULL)")
    row, done, watch = secrets.token_bytes(ROW_BYTES), 0, _Watch()
    while watch.seconds < seconds:
        connection.execute("INSERT INTO rows (value) VALUES (?)", (row,))
        done += 1
    floor = watch.floor(done)
    connection.close()
    return floor


async def requests(url: str, seconds: float) -> Floor:
    """Events sent to the homeserver by nothing but aiohttp, as many at a time as the bridge sends."""
    body = json.dumps({"msgtype": "m.text", "body": text(0), "m.mentions": {}}).encode()
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
    done = 0
    async with aiohttp.ClientSession(headers=headers) as http:
        watch = _Watch()

        async def send(sender: int) -> None:
            nonlocal done
            while watch.seconds < seconds:
                done += 1
                path = f"/_matrix/client/v3/rooms/!floor/send/m.room.message/floor{sender}.{done}"
                async with http.put(url + path, data=body) as answer:
                    await answer.read()
                    assert answer.status == 200

        await asyncio.gather(*(send(number) for number in range(MAX_IN_FLIGHT)))
        return watch.floor(done)


def seals(seconds: float) -> Floor:
    """Texts of the usual length sealed with AES-256-GCM."""
    cipher, plaintext = AESGCM(secrets.token_bytes(32)), secrets.token_bytes(TEXT_CHARACTERS)
    done, watch = 0, _Watch()
    while watch.seconds < seconds:
        for number in range(SEALS_AT_ONCE):
            cipher.encrypt(number.to_bytes(NONCE_BYTES, "big"), plaintext, b"bench")
        done += SEALS_AT_ONCE
    return watch.floor(done)


def main(folder: str, url: str, seconds: str) -> int:
    limit = float(seconds)
    measured: Mapping[str, Callable[[], Floor]] = {
        "commits": lambda: commits(Path(folder), limit),
        "requests": lambda: asyncio.run(requests(url, limit)),
        "seals": lambda: seals(limit),
    }
    print(json.dumps({name: asdict(measure()) for name, measure in measured.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
