"""The admin's status page."""

from __future__ import annotations

from bridge.web.status import status_routes
from tests.web.support import served


async def test_status_is_the_state_of_the_moment_and_is_not_cached() -> None:
    state: dict[str, object] = {"ready": False}
    async with served(status_routes(lambda: state)) as session:
        async with session.get("/status") as answer:
            assert (answer.status, await answer.json()) == (200, {"ready": False})
            assert answer.headers["Cache-Control"] == "no-store"
        state["ready"] = True
        async with session.get("/status") as answer:
            assert await answer.json() == {"ready": True}
