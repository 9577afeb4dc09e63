"""Listeners for one test, and a client of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from bridge.adapters.clock import RealClock
from bridge.web.listeners import Listeners
from bridge.web.routes import Listener, Route


@asynccontextmanager
async def served(routes: tuple[Route, ...]) -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose base address serves ``routes``."""
    listeners = Listeners([Listener("test", "127.0.0.1", 0, routes)], RealClock())
    await listeners.start()
    host, port = listeners.address("test")
    try:
        async with aiohttp.ClientSession(f"http://{host}:{port}", auto_decompress=False) as session:
            yield session
    finally:
        await listeners.stop()
