"""A bridge that is told to stop ends in time, in the middle of its work, and loses nothing (F46)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.conversation import ADA, ANNA
from tests.faults.kills import sqlite
from tests.faults.ports import Fault
from tests.faults.world import world

STOP_SECONDS = 8.0
"""Supervisors give ten."""


@pytest.mark.timeout(300)
@pytest.mark.fault("F46")
async def test_a_bridge_that_is_told_to_stop_ends_in_time_and_loses_nothing(tmp_path: Path) -> None:
    """One message hangs on its way out, one on its way in, and more wait behind them."""
    hanging = [Fault("stream.send", "before", "hang"), Fault("homeserver.show", "before", "hang", hit=2)]
    async with world(tmp_path, sqlite()) as made:
        talk = made.conversation
        made.driver.start(hanging)
        await talk.begin()
        await talk.contact_writes_first()
        await made.home.say(ADA, talk.room(ADA, ANNA), "ada to anna 1")
        await made.network.say(ANNA, ADA, "anna 2")
        await made.driver.until("both to hang", lambda: made.fired(2))
        await made.home.say(ADA, talk.room(ADA, ANNA), "ada to anna 2")
        await made.network.say(ANNA, ADA, "anna 3")
        before = asyncio.get_running_loop().time()
        assert await made.driver.stop() == 0
        assert asyncio.get_running_loop().time() - before < STOP_SECONDS
        made.driver.start()
        await talk.reads(ANNA, ADA, "ada to anna 2")
        await talk.shown(ADA, ANNA, "anna 3")
        await talk.is_delivered(ANNA, ADA, "anna 3")
        await made.home.settled()
        await made.check(settled=True)
