"""Kills at this seed's share of hits, and a failure at each failpoint (PostgreSQL)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.faults.failpoints import FAILURES, KILL_RUNS, failures, seed
from tests.faults.kills import Database, survives, survives_share, unharmed
from tests.faults.kills import postgres as on_server
from tests.faults.ports import Passed
from tests.store.engines import PostgresServer

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Mapping[Passed, int]:
    """How often an unharmed conversation passes each failpoint."""
    folder = tmp_path_factory.mktemp("unharmed")
    url = asyncio.run(postgres.new_database())
    return asyncio.run(unharmed(folder, on_server(url))).passed


@pytest.mark.parametrize("run", range(KILL_RUNS))
async def test_conversation_survives_its_share_of_kills(
    run: int,
    passed: Mapping[Passed, int],
    tmp_path: Path,
    postgres: PostgresServer,
    record_property: Callable[[str, object], None],
) -> None:
    async def database() -> Database:
        return on_server(await postgres.new_database())

    await survives_share(tmp_path, database, passed, run, record_property)


@pytest.mark.parametrize("run", range(len(FAILURES)))
async def test_the_conversation_survives_a_failure_at_every_failpoint(
    run: int, passed: Mapping[Passed, int], tmp_path: Path, postgres_url: str
) -> None:
    await survives(tmp_path, on_server(postgres_url), failures(FAILURES[run], passed, run, seed()))
