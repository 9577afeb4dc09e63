"""What tests of the pump and of the whole bridge ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sim import pump_support
from tests.sim.pump_support import Bench
from tests.sim.whole import Whole, whole


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A journal on SQLite and steps to plan."""
    async with pump_support.bench(tmp_path) as made:
        yield made


@pytest.fixture
async def enlisted(tmp_path: Path) -> AsyncIterator[Whole]:
    """A whole bridge whose user has opted in."""
    async with whole(tmp_path) as made:
        await made.enlist()
        yield made


@pytest.fixture
async def chat(enlisted: Whole) -> Whole:
    """A whole bridge whose user is in a chat with the contact."""
    await enlisted.chat()
    return enlisted
