"""A PostgreSQL server for the bridges that are killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.store.engines import PostgresServer, running_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's PostgreSQL server."""
    with running_server() as server:
        yield server


@pytest.fixture
async def postgres_url(postgres: PostgresServer) -> str:
    """An empty database of the test's own."""
    return await postgres.new_database()
