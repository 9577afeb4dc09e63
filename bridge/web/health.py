"""Whether the process lives, and whether it is ready to serve; for supervisors and containers."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from bridge.web.routes import Authentication, Route

Ready = Callable[[], bool]
"""Whether everything that was started is up. Answers at once."""

ECOSYSTEM_PREFIX = "/_matrix/mau"
"""Where other bridges answer, so that existing health checks work."""


def health_routes(ready: Ready, *, prefix: str = "") -> tuple[Route, ...]:
    """``{prefix}/live`` and ``{prefix}/ready``. They must stand before a route that takes every path."""

    async def live(_request: web.Request) -> web.StreamResponse:
        return _answer(200)

    async def is_ready(_request: web.Request) -> web.StreamResponse:
        return _answer(200 if ready() else 503)

    return (
        Route("GET", f"{prefix}/live", live, Authentication.NONE),
        Route("GET", f"{prefix}/ready", is_ready, Authentication.NONE),
    )


def _answer(status: int) -> web.Response:
    return web.json_response({}, status=status, headers={"Cache-Control": "no-store"})
