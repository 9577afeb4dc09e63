"""The chat server's edge: TCP connections, Noise, and the outputs of the rules.

One connection's bad bytes end that connection alone. What the rules put out is done here, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from bridge.curve import KEY_BYTES, KeyPair, key_pair
from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.ports import Clock, Random
from bridge.sandbox.faults import Kind
from bridge.sandbox.gatekeeper import Gatekeeper
from bridge.sandbox.outputs import Close, Cut, FetchKeys, Output, Send, SendBytes, WakeUp
from bridge.wire.certificate import make_chain
from bridge.wire.connection import (
    ConnectionEnded,
    Event,
    HandshakeCompleted,
    ServerConnection,
    StanzaReceived,
)

READ_BYTES = 64 * 1024
CLOSE_SECONDS = 2.0
"""How long last words may take to leave."""

Outside = Callable[[FetchKeys | WakeUp], Awaitable[None]]
"""Does what needs a call to the partner."""


class SandboxConnection(ServerConnection):
    """A server's connection that can also send what no honest server would."""

    def send_plaintext(self, plaintext: bytes) -> None:
        """Queue a frame with any bytes in place of a stanza's."""
        if self._transport is None:
            raise LocalProtocolError("stanzas are sent after the handshake")
        self._queue(self._transport.sending.encrypt(plaintext))


@dataclass
class Line:
    """One TCP connection. ``outgoing`` and ``incoming`` are bytes left until a fault
    cuts it; None: no fault.
    """

    number: int
    writer: asyncio.StreamWriter
    noise: SandboxConnection
    outgoing: int | None = None
    incoming: int | None = None
    closing: bool = field(default=False)

    def flush(self) -> None:
        """Write what is queued, as far as no fault cuts it off."""
        data = self.noise.data_to_send()
        if self.closing or not data:
            return
        if self.outgoing is not None:
            data, self.outgoing = data[: self.outgoing], self.outgoing - len(data)
        self.writer.write(data)
        if self.outgoing is not None and self.outgoing <= 0:
            self.close()

    def close(self) -> None:
        """Close after what was written."""
        self.closing = True
        self.writer.close()


class ChatServer:
    """Listens, and keeps each connection's Noise state; who it is for is the rules' knowledge."""

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        keys: tuple[KeyPair, KeyPair, KeyPair],
        clock: Clock,
        random: Random,
        outside: Outside,
        on_change: Callable[[], None],
    ) -> None:
        self._gatekeeper = gatekeeper
        self._root, self._intermediate, self._static = keys
        self._clock, self._random, self._outside = clock, random, outside
        self._on_change = on_change
        self._lines: dict[int, Line] = {}
        self._numbers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Start; the port, which is a free one for 0."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End all connections and stop."""
        if self._server is not None:
            self._server.close()
        for line in list(self._lines.values()):
            line.close()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def perform(self) -> None:
        """Do what the rules put out. Call it after every call of a rule."""
        touched: dict[int, None] = {}
        for output in self._gatekeeper.take_outputs():
            self._do(output)
            if not isinstance(output, WakeUp):
                touched[output.connection] = None
        for number in touched:
            line = self._lines.get(number)
            if line is not None:
                line.flush()
        self._on_change()

    def _do(self, output: Output) -> None:
        if isinstance(output, WakeUp):
            self._spawn(self._call(output))
            return
        line = self._lines.get(output.connection)
        if line is None or line.closing:
            return
        match output:
            case Send():
                line.noise.send(output.stanza)
            case SendBytes():
                line.noise.send_plaintext(output.plaintext)
            case Close():
                line.flush()
                line.close()
            case Cut():
                line.flush()
                line.outgoing = output.after_bytes
                if not output.after_bytes:
                    line.writer.transport.abort()
                    line.closing = True

    async def _call(self, output: WakeUp) -> None:
        await self._outside(output)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = self._open(writer)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            while not line.closing:
                data = self._allowed(line, await reader.read(READ_BYTES))
                for event in line.noise.receive(data):
                    await self._on_event(line, event)
                line.flush()
                with suppress(ConnectionError):
                    await writer.drain()
                if not data:
                    break
        except (OSError, RemoteProtocolError) as error:
            kind = "broken" if isinstance(error, RemoteProtocolError) else "lost"
            self._gatekeeper.state.log.counters[f"connections {kind}"] += 1
        finally:
            self._forget(line)
            await self._finish(line)

    def _open(self, writer: asyncio.StreamWriter) -> Line:
        self._numbers += 1
        chat = self._gatekeeper.state.profile.chat
        noise = SandboxConnection(
            static=self._static,
            ephemeral=key_pair(self._random.bytes(KEY_BYTES)),
            header=chat.header,
            prologue=chat.prologue,
            certificates=make_chain(
                self._root,
                self._intermediate,
                self._static.public,
                self._clock.now(),
                self._random.bytes,
            ),
        )
        line = Line(self._numbers, writer, noise)
        faults = self._gatekeeper.state.faults
        fault = faults.take(Kind.CUT_OUTGOING)
        if fault is not None:
            line.outgoing = fault.whole("after_bytes", 0)
        fault = faults.take(Kind.CUT_INCOMING)
        if fault is not None:
            line.incoming = fault.whole("after_bytes", 0)
        self._lines[line.number] = line
        return line

    def _allowed(self, line: Line, data: bytes) -> bytes:
        """What a fault lets through; beyond it the connection breaks off."""
        if line.incoming is None or not data:
            return data
        data, line.incoming = data[: line.incoming], line.incoming - len(data)
        if line.incoming <= 0:
            line.close()
        return data

    async def _on_event(self, line: Line, event: Event) -> None:
        now = self._clock.now()
        match event:
            case HandshakeCompleted():
                await self._log_in(line, event)
            case StanzaReceived():
                self._gatekeeper.take(line.number, event.stanza, now)
            case ConnectionEnded():
                self._forget(line)
        self.perform()

    async def _log_in(self, line: Line, event: HandshakeCompleted) -> None:
        gatekeeper = self._gatekeeper
        args = (line.number, event.peer_static, event.payload)
        needed = gatekeeper.log_in(*args, self._clock.now(), may_fetch=True)
        if needed is not None:
            await self._outside(needed)
            gatekeeper.log_in(*args, self._clock.now(), may_fetch=False)

    def _forget(self, line: Line) -> None:
        self._lines.pop(line.number, None)
        self._gatekeeper.closed(line.number, self._clock.now())

    async def _finish(self, line: Line) -> None:
        line.writer.close()
        with suppress(OSError, TimeoutError):
            async with self._clock.limit(CLOSE_SECONDS):
                await line.writer.wait_closed()
