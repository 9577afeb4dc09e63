"""Kills at this seed's share of hits, and a failure at each failpoint (SQLite)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.faults.failpoints import FAILURES, KILL_RUNS, failures, seed
from tests.faults.kills import Database, sqlite, survives, survives_share, unharmed
from tests.faults.ports import Fault, Passed

pytestmark = [pytest.mark.deep, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Passed, int]:
    """How often an unharmed conversation passes each failpoint."""
    folder = tmp_path_factory.mktemp("unharmed")
    return asyncio.run(unharmed(folder, sqlite())).passed


@pytest.mark.parametrize("run", range(KILL_RUNS))
async def test_conversation_survives_its_share_of_kills(
    run: int, passed: Mapping[Passed, int], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async def database() -> Database:
        return sqlite()

    await survives_share(tmp_path, database, passed, run, record_property)


@pytest.mark.parametrize("run", range(len(FAILURES)))
async def test_the_conversation_survives_a_failure_at_every_failpoint(
    run: int, passed: Mapping[Passed, int], tmp_path: Path
) -> None:
    await survives(tmp_path, sqlite(), failures(FAILURES[run], passed, run, seed()))


@pytest.mark.fault("F11")
async def test_a_message_is_shown_once_although_the_homeserver_forgot_that_it_has_it(tmp_path: Path) -> None:
    kills = [Fault("homeserver.show", "after", hit=hit) for hit in (1, 3, 5)]
    await survives(tmp_path, sqlite(), kills, forgetful=True)


async def test_the_conversation_survives_kills_on_connections_that_stay_open(tmp_path: Path) -> None:
    kills = [Fault("store.arrive", "before", hit=4), Fault("stream.acknowledge", "before", hit=9)]
    await survives(tmp_path, sqlite(), kills, connection="always")
