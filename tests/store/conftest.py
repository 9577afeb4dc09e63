"""Both engines for every test that asks for ``url`` or ``database``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bridge.store.database import Database
from tests.store.engines import PostgresServer, running_server
from tests.store.support import open_at


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's PostgreSQL server."""
    with running_server() as server:
        yield server


@pytest.fixture
async def postgres_database_url(postgres: PostgresServer) -> str:
    """An empty PostgreSQL database of the test's own, for what is set for a whole database."""
    return await postgres.new_database()


@pytest.fixture
async def postgres_url(postgres: PostgresServer) -> str:
    """An empty schema of the test's own in a database that is shared."""
    return await postgres.new_schema()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database of the test's own, not yet made."""
    return f"sqlite3-fk-wal:{tmp_path / 'bridge.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own, once on each engine."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """An open database with the tests' schema."""
    opened = await open_at(url)
    yield opened
    await opened.close()
