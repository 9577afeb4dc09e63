"""Clocks, an intake and servers for the tests of the Matrix edge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiohttp import web

from bridge.matrix.endpoint import RefusedCalls, appservice_routes
from bridge.matrix.transactions import Received
from bridge.ports import Clock

HS_TOKEN = "homeserver-token-of-thirty-two-characters"


class RealClock:
    """Real time, for calls to a real homeserver."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def limit(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)


class HandClock:
    """Time that stands still until a test moves it; a limit ends when the test says so."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self._open: list[asyncio.Timeout] = []
        self._entered = asyncio.Event()

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here sleeps")

    @asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[object]:
        async with asyncio.timeout(None) as timeout:
            self._open.append(timeout)
            self._entered.set()
            try:
                yield timeout
            finally:
                self._open.remove(timeout)

    async def expire(self) -> None:
        """End the limits that are running, waiting for the first one."""
        await self._entered.wait()
        for timeout in self._open:
            timeout.reschedule(0)


class Shelf:
    """An intake that keeps what it accepts, once for each key, and can be made to fail or wait."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str], Received] = {}
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.waiting = asyncio.Semaphore(0)
        self._changed = asyncio.Condition()

    async def accept(self, received: Sequence[Received]) -> None:
        self.waiting.release()
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        async with self._changed:
            for part in received:
                self.parts.setdefault((part.kind, part.key), part)
            self._changed.notify_all()

    def stored(self, kind: str = "event") -> list[str]:
        return [key for known, key in self.parts if known == kind]

    async def wait_until(self, fits: Callable[[Received], bool]) -> Received:
        """The first part that fits, as soon as it is there."""
        async with self._changed:
            await self._changed.wait_for(lambda: any(map(fits, self.parts.values())))
        return next(part for part in self.parts.values() if fits(part))

    async def wait_for(self, key: str, kind: str = "event") -> Received:
        """The part with this key."""
        return await self.wait_until(lambda part: (part.kind, part.key) == (kind, key))


@asynccontextmanager
async def serving(routes: Sequence[web.RouteDef], *, port: int = 0) -> AsyncIterator[int]:
    """Serve routes on loopback; gives the port."""
    app = web.Application()
    app.add_routes(list(routes))
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0.01)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def endpoint(
    shelf: Shelf,
    clock: Clock,
    *,
    token: str = HS_TOKEN,
    port: int = 0,
    refused: RefusedCalls | None = None,
) -> AsyncIterator[int]:
    """A served appservice endpoint; gives its port."""
    routes = appservice_routes(hs_token=token, intake=shelf, clock=clock, refused=refused or RefusedCalls())
    async with serving(routes, port=port) as bound:
        yield bound
