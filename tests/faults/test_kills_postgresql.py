"""A kill at every failpoint, and a failure with and without its effect (PostgreSQL)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults.failpoints import FAILURES, KILLS, faults
from tests.faults.kills import postgres as database
from tests.faults.kills import survives, unharmed
from tests.faults.ports import Passed
from tests.store.engines import PostgresServer

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Mapping[Passed, int]:
    """How often an unharmed conversation passes each failpoint."""
    folder = tmp_path_factory.mktemp("unharmed")
    url = asyncio.run(postgres.new_database())
    return asyncio.run(unharmed(folder, database(url))).passed


@pytest.mark.parametrize("run", range(len(KILLS)))
async def test_the_conversation_survives_a_kill_at_every_failpoint(
    run: int, passed: Mapping[Passed, int], tmp_path: Path, postgres_url: str
) -> None:
    await survives(tmp_path, database(postgres_url), faults("kill", KILLS[run], passed, run))


@pytest.mark.parametrize("run", range(len(FAILURES)))
async def test_the_conversation_survives_a_failure_at_every_failpoint(
    run: int, passed: Mapping[Passed, int], tmp_path: Path, postgres_url: str
) -> None:
    await survives(tmp_path, database(postgres_url), faults("fail", FAILURES[run], passed, run))
