"""A process that opens a database: says so and waits for a line, or ends with the code of the refusal.

With a number after the address it dies by SIGKILL before that statement of the migration.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping

from bridge.errors import Misconfigured
from bridge.ports import Value
from bridge.store.postgres_session import PostgresSession
from bridge.store.sqlite import SqliteSession
from tests.store.support import NEXT_SCHEMA, SCHEMA, open_at


def die_before(number: int) -> None:
    """Count the statements of the migration and kill this process before one of them."""
    left = number
    for session in (SqliteSession, PostgresSession):
        usual = session.execute

        async def execute(
            self: object, sql: str, parameters: Mapping[str, Value] | None = None, usual: object = usual
        ) -> None:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            await usual(self, sql, parameters)  # type: ignore[operator]

        session.execute = execute  # type: ignore[method-assign]


async def main(url: str, number: str = "") -> None:
    """Open, report, wait, close."""
    if number:
        die_before(int(number))
    database = await open_at(url, schema=NEXT_SCHEMA if number else SCHEMA)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await database.close()


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except Misconfigured as refusal:
        print(refusal)
        sys.exit(refusal.exit_code)
