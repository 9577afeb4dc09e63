"""What the admin sees of the whole bridge, as JSON on the admin listener; no word about anybody in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from bridge.web.routes import Authentication, Route


def status_routes(read: Callable[[], Mapping[str, Any]]) -> tuple[Route, ...]:
    """``/status`` for the admin listener; ``read`` gives the values of the moment."""

    async def status(_request: web.Request) -> web.StreamResponse:
        return web.json_response(read(), headers={"Cache-Control": "no-store"})

    return (Route("GET", "/status", status, Authentication.NONE),)
