"""Health, as supervisors and containers ask for it."""

from __future__ import annotations

import pytest

from bridge.web.health import ECOSYSTEM_PREFIX, health_routes
from tests.web.support import served


@pytest.mark.parametrize("prefix", ["", ECOSYSTEM_PREFIX])
async def test_process_is_live_before_it_is_ready(prefix: str) -> None:
    ready = False
    async with served(health_routes(lambda: ready, prefix=prefix)) as session:

        async def status(path: str) -> int:
            async with session.get(prefix + path) as answer:
                assert await answer.json() == {}
                return answer.status

        assert [await status("/live"), await status("/ready")] == [200, 503]
        ready = True
        assert [await status("/live"), await status("/ready")] == [200, 200]


def test_ecosystem_paths_are_served() -> None:
    routes = health_routes(lambda: True, prefix=ECOSYSTEM_PREFIX)
    assert [route.path for route in routes] == ["/_matrix/mau/live", "/_matrix/mau/ready"]
