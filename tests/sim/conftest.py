"""What tests of the pump ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sim import pump_support
from tests.sim.pump_support import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A journal on SQLite and steps to plan."""
    async with pump_support.bench(tmp_path) as made:
        yield made
