"""Every connection's frames and Noise, without a socket: bytes in, bytes out.

An edge opens a line for each connection, gives it what arrives, and does what ``take_doings`` names. When
``receive`` or ``resume`` gives back ``FetchKeys``, the edge fetches them and calls ``resume``; the line's
later bytes wait until then. One line's bad bytes end that line alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bridge.curve import KEY_BYTES, KeyPair, key_pair
from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.sandbox.gatekeeper import Gatekeeper
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.outputs import Close, Cut, FetchKeys, Hold, Send, SendBytes, WakeUp
from bridge.wire.certificate import make_chain
from bridge.wire.connection import (
    Event,
    HandshakeCompleted,
    ServerConnection,
    StanzaReceived,
    StanzaUnreadable,
    State,
)


@dataclass(frozen=True)
class Write:
    """Hand these bytes to a connection."""

    connection: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class HangUp:
    """Close a connection: after what was written, or ``at_once``, losing it."""

    connection: int
    at_once: bool = False


Doing = Write | HangUp | WakeUp


@dataclass(frozen=True)
class ServerKeys:
    """The pinned root, the intermediate that it signs, and the chat server's static key."""

    root: KeyPair
    intermediate: KeyPair
    static: KeyPair


class SandboxConnection(ServerConnection):
    """A server's connection that can also send what no honest server would."""

    def send_plaintext(self, plaintext: bytes) -> None:
        """Queue a frame with any bytes in place of a stanza's."""
        if self._transport is None:
            raise LocalProtocolError("stanzas are sent after the handshake")
        self._queue(self._transport.sending.encrypt(plaintext))


@dataclass
class Line:
    """One connection. ``outgoing`` and ``incoming`` are the bytes left until a fault cuts it, None for no
    fault; ``events`` came but were not given to the rules yet; ``held`` was sent but is under way until the
    client ended its side, None for no such fault."""

    number: int
    noise: SandboxConnection
    outgoing: int | None = None
    incoming: int | None = None
    held: bytearray | None = None
    events: deque[Event] = field(default_factory=deque)


class Switchboard:
    """All lines of one gatekeeper."""

    def __init__(self, gatekeeper: Gatekeeper, keys: ServerKeys) -> None:
        self.gatekeeper, self._keys = gatekeeper, keys
        self._lines: dict[int, Line] = {}
        self._numbers = 0
        self._doings: list[Doing] = []

    def open(self, now: float) -> int:
        """A connection was made: the number it goes by."""
        self._numbers += 1
        state, keys = self.gatekeeper.state, self._keys
        noise = SandboxConnection(
            static=keys.static,
            ephemeral=key_pair(state.rng(KEY_BYTES)),
            header=state.profile.chat.header,
            prologue=state.profile.chat.prologue,
            mix_empty_payload=state.profile.chat.mix_empty_payload,
            certificates=make_chain(keys.root, keys.intermediate, keys.static.public, now, state.rng),
        )
        line = Line(self._numbers, noise)
        self._lines[line.number] = line
        fault = state.faults.take(Kind.CUT_OUTGOING)
        if fault is not None:
            line.outgoing = fault.whole("after_bytes", 0)
        fault = state.faults.take(Kind.CUT_INCOMING)
        if fault is not None:
            line.incoming = fault.whole("after_bytes", 0)
        return line.number

    def receive(self, number: int, data: bytes, now: float) -> FetchKeys | None:
        """Bytes came, ``b""`` for the end; what comes on a line that is down is nobody's."""
        line = self._lines.get(number)
        if line is None:
            return None
        cut_here = line.incoming is not None and len(data) >= line.incoming
        if line.incoming is not None:
            data, line.incoming = data[: line.incoming], line.incoming - len(data)
        try:
            line.events.extend(line.noise.receive(data) if data or not cut_here else ())
        except RemoteProtocolError:
            self.gatekeeper.state.log.counters["connections broken"] += 1
            self._hang_up(line, now)
            return None
        needed = self.resume(number, now)
        if cut_here:
            self._hang_up(line, now)
        return needed

    def resume(self, number: int, now: float, *, may_fetch: bool = True) -> FetchKeys | None:
        """Give what waits to the rules; ``may_fetch=False`` after keys were fetched (or could not be)."""
        line = self._lines.get(number)
        while line is not None and line.events:
            event = line.events[0]
            if isinstance(event, HandshakeCompleted):
                needed = self.gatekeeper.log_in(
                    number, event.peer_static, event.payload, now, may_fetch=may_fetch
                )
                if needed is not None:
                    return needed
                may_fetch = True
            elif isinstance(event, StanzaReceived):
                self.gatekeeper.take(number, event.stanza, now)
            elif isinstance(event, StanzaUnreadable):
                self.gatekeeper.state.log.counters["stanzas unreadable"] += 1
            else:
                self._deliver_held(line)
                self._hang_up(line, now)
            line.events.popleft()
            self._carry_out(now)
            line = self._lines.get(number)
        if line is not None:
            self._flush(line, now)
        return None

    def lost(self, number: int, now: float) -> None:
        """A connection ended without the protocol's end."""
        line = self._lines.get(number)
        if line is not None:
            self._hang_up(line, now)

    def take_doings(self, now: float) -> list[Doing]:
        """What the edge has to do now, in order. Ask after every call of a rule, here or elsewhere."""
        self._carry_out(now)
        doings, self._doings = self._doings, []
        return doings

    def _carry_out(self, now: float) -> None:
        touched: dict[int, None] = {}
        for output in self.gatekeeper.take_outputs():
            if isinstance(output, WakeUp):
                self._doings.append(output)
                continue
            line = self._lines.get(output.connection)
            # A peer that said it is done sending may have left while its keys were fetched.
            if line is not None and line.noise.state is not State.ENDED:
                touched[line.number] = None
                self._put(line, output, now)
        for number in touched:
            line = self._lines.get(number)
            if line is not None:
                self._flush(line, now)

    def _put(self, line: Line, output: Send | SendBytes | Close | Cut | Hold, now: float) -> None:
        match output:
            case Send():
                line.noise.send(output.stanza)
            case SendBytes():
                line.noise.send_plaintext(output.plaintext)
            case Close():
                self._flush(line, now)
                self._hang_up(line, now)
            case Hold():
                self._flush(line, now)
                line.held = bytearray()
            case Cut():
                self._flush(line, now)
                line.outgoing = output.after_bytes
                if not output.after_bytes:
                    self._hang_up(line, now, at_once=True)

    def _flush(self, line: Line, now: float) -> None:
        """Write what is queued, as far as no fault cuts it off."""
        data = line.noise.data_to_send()
        if not data:
            return
        if line.held is not None:
            line.held += data
            return
        if line.outgoing is not None:
            data, line.outgoing = data[: line.outgoing], line.outgoing - len(data)
        if data:
            self._doings.append(Write(line.number, data))
        if line.outgoing is not None and line.outgoing <= 0:
            self._hang_up(line, now)

    def _deliver_held(self, line: Line) -> None:
        if line.held:
            self._doings.append(Write(line.number, bytes(line.held)))

    def _hang_up(self, line: Line, now: float, *, at_once: bool = False) -> None:
        if self._lines.pop(line.number, None) is not None:
            self._doings.append(HangUp(line.number, at_once))
            self.gatekeeper.closed(line.number, now)
