"""The chat server: TCP connections for ``connections``, and the effects it returns."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from bridge.ports import Clock
from bridge.sandbox.connections import Connections, HangUp, Write
from bridge.sandbox.rules.outputs import FetchKeys, WakeUp

READ_BYTES = 64 * 1024
CLOSE_SECONDS = 2.0
"""How long the last bytes may take to be sent."""

CallPartner = Callable[[FetchKeys | WakeUp], Awaitable[None]]
"""Makes an HTTP call to the partner."""


class ChatServer:
    """Listens and moves bytes. ``on_change`` is called after each event."""

    def __init__(
        self, connections: Connections, clock: Clock, call_partner: CallPartner, on_change: Callable[[], None]
    ) -> None:
        self._connections, self._clock, self._call_partner = connections, clock, call_partner
        self._on_change = on_change
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Start listening; the port. 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End all connections and stop."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers.values()):
            writer.close()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def perform(self) -> None:
        """Carry out the rules' outputs. Call it after every call of a rule."""
        for effect in self._connections.take_effects(self._clock.now()):
            match effect:
                case WakeUp():
                    self._spawn(self._wake(effect))
                case Write():
                    self._write(effect)
                case HangUp():
                    self._hang_up(effect)
        self._on_change()

    def _write(self, effect: Write) -> None:
        writer = self._writers.get(effect.connection)
        if writer is not None:
            writer.write(effect.data)

    def _hang_up(self, effect: HangUp) -> None:
        writer = self._writers.pop(effect.connection, None)
        if writer is None:
            return
        if effect.at_once:
            writer.transport.abort()
        writer.close()

    async def _wake(self, effect: WakeUp) -> None:
        await self._call_partner(effect)
        self._on_change()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._keep(asyncio.get_running_loop().create_task(work))

    def _keep(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(asyncio.current_task())
        number = self._connections.open(self._clock.now())
        self._writers[number] = writer
        try:
            while data := await reader.read(READ_BYTES):
                await self._received(number, data)
                await writer.drain()
            await self._received(number, b"")
        except OSError:
            pass  # the connection broke; the rules are told below
        finally:
            self._connections.lost(number, self._clock.now())
            self.perform()
            await self._finish(writer)

    async def _received(self, number: int, data: bytes) -> None:
        needed = self._connections.receive(number, data, self._clock.now())
        self.perform()
        while needed is not None:
            await self._call_partner(needed)
            needed = self._connections.resume(number, self._clock.now(), may_fetch=False)
            self.perform()

    async def _finish(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(OSError, TimeoutError):
            async with self._clock.limit(CLOSE_SECONDS):
                await writer.wait_closed()
