"""Faults on demand in the client API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from tests.faults.homeserver.log import Log

FaultKind = Literal["status", "limit", "reset", "lose", "hang", "garbage", "huge"]
HUGE_BYTES = 20 * 1024 * 1024


@dataclass
class Fault:
    """For the next ``count`` calls of a name (``*``: any; -1: for ever), after ``skip`` good ones.

    ``status`` answers it without doing anything (``errcode`` None: as a proxy, without JSON); ``limit`` is
    429 with ``retry_after_ms`` in the body, ``retry_after`` in the header, or neither; ``reset`` closes
    the connection first, ``lose`` does the work and closes it, ``hang`` does the work and never
    answers; ``garbage`` answers 200 with HTML; ``huge`` with more than anyone should read.
    """

    call: str
    kind: FaultKind
    count: int = 1
    skip: int = 0
    status: int = 503
    errcode: str | None = "M_UNKNOWN"
    retry_after_ms: int | None = None
    retry_after: str | None = None


class Mischief:
    """Chooses the fault for each call, first come, first served."""

    def __init__(self, log: Log) -> None:
        self.faults: list[Fault] = []
        self._log = log
        self._released = asyncio.Event()

    def clear(self) -> None:
        """No faults; calls that hang are dropped."""
        self.faults.clear()
        self._released.set()
        self._released = asyncio.Event()

    async def answer(
        self, name: str, request: web.Request, work: Callable[[], Awaitable[dict[str, Any]]]
    ) -> web.StreamResponse:
        """Do the work of a call and answer it, or what a fault makes of that."""
        fault = self._next(name)
        if fault is None:
            return web.json_response(await work())
        self._log.add("fault", call=name, fault=fault.kind)
        if fault.kind == "status":
            return _status(fault)
        if fault.kind == "limit":
            return _limit(fault)
        if fault.kind == "garbage":
            return web.Response(text="<html>It works!</html>", content_type="text/html")
        if fault.kind == "huge":
            return web.Response(text='{"pad":"' + "x" * HUGE_BYTES + '"}', content_type="application/json")
        if fault.kind != "reset":
            await work()
        if fault.kind == "hang":
            await self._released.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _next(self, name: str) -> Fault | None:
        for fault in self.faults:
            if fault.call not in ("*", name) or fault.count == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.count -= fault.count > 0
            return fault
        return None


def _status(fault: Fault) -> web.Response:
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    if fault.errcode is None:
        return web.Response(
            status=fault.status, text="<html></html>", content_type="text/html", headers=headers
        )
    return web.json_response({"errcode": fault.errcode, "error": ""}, status=fault.status, headers=headers)


def _limit(fault: Fault) -> web.Response:
    body: dict[str, Any] = {"errcode": "M_LIMIT_EXCEEDED", "error": "Too many requests"}
    if fault.retry_after_ms is not None:
        body["retry_after_ms"] = fault.retry_after_ms
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return web.json_response(body, status=429, headers=headers)
