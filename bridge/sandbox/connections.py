"""Every connection's frames and Noise, without a socket: bytes in, bytes out.

An edge opens a link for each TCP connection, passes received bytes to it and carries out what
``take_effects`` returns. When ``receive`` or ``resume`` returns ``FetchKeys``, the edge fetches the keys and
calls ``resume``; later bytes of that link are queued until then. Invalid bytes end only their own link.
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


Effect = Write | HangUp | WakeUp


@dataclass(frozen=True)
class ServerKeys:
    """The pinned root, the intermediate that it signs, and the chat server's static key."""

    root: KeyPair
    intermediate: KeyPair
    static: KeyPair


class SandboxConnection(ServerConnection):
    """A server's connection that can also send invalid frames."""

    def send_plaintext(self, plaintext: bytes) -> None:
        """Queue a frame whose plaintext need not be a stanza."""
        if self._transport is None:
            raise LocalProtocolError("stanzas are sent after the handshake")
        self._queue(self._transport.sending.encrypt(plaintext))


@dataclass
class Link:
    """One connection.

    ``outgoing`` and ``incoming``: bytes left until a fault cuts the connection; None without that fault.
    ``held``: bytes delayed until the client closes its side; None without that fault.
    ``events``: received, not yet given to the rules.
    """

    number: int
    noise: SandboxConnection
    outgoing: int | None = None
    incoming: int | None = None
    held: bytearray | None = None
    events: deque[Event] = field(default_factory=deque)


class Connections:
    """All links of one gatekeeper."""

    def __init__(self, gatekeeper: Gatekeeper, keys: ServerKeys) -> None:
        self.gatekeeper, self._keys = gatekeeper, keys
        self._links: dict[int, Link] = {}
        self._numbers = 0
        self._effects: list[Effect] = []

    def open(self, now: float) -> int:
        """Register a new connection; its number."""
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
        link = Link(self._numbers, noise)
        self._links[link.number] = link
        fault = state.faults.take(Kind.CUT_OUTGOING)
        if fault is not None:
            link.outgoing = fault.whole("after_bytes", 0)
        fault = state.faults.take(Kind.CUT_INCOMING)
        if fault is not None:
            link.incoming = fault.whole("after_bytes", 0)
        return link.number

    def receive(self, number: int, data: bytes, now: float) -> FetchKeys | None:
        """Take received bytes, ``b""`` at the end. Bytes on a closed link are ignored."""
        link = self._links.get(number)
        if link is None:
            return None
        cut_here = link.incoming is not None and len(data) >= link.incoming
        if link.incoming is not None:
            data, link.incoming = data[: link.incoming], link.incoming - len(data)
        try:
            link.events.extend(link.noise.receive(data) if data or not cut_here else ())
        except RemoteProtocolError:
            self.gatekeeper.state.log.counters["connections broken"] += 1
            self._hang_up(link, now)
            return None
        needed = self.resume(number, now)
        if cut_here:
            self._hang_up(link, now)
        return needed

    def resume(self, number: int, now: float, *, may_fetch: bool = True) -> FetchKeys | None:
        """Give queued events to the rules. ``may_fetch=False``: the keys were fetched, or could not be."""
        link = self._links.get(number)
        while link is not None and link.events:
            event = link.events[0]
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
                self._deliver_held(link)
                self._hang_up(link, now)
            link.events.popleft()
            self._carry_out(now)
            link = self._links.get(number)
        if link is not None:
            self._flush(link, now)
        return None

    def lost(self, number: int, now: float) -> None:
        """Close a link whose connection broke."""
        link = self._links.get(number)
        if link is not None:
            self._hang_up(link, now)

    def take_effects(self, now: float) -> list[Effect]:
        """What the edge must do now, in order. Call it after every call of a rule, also of one elsewhere."""
        self._carry_out(now)
        effects, self._effects = self._effects, []
        return effects

    def _carry_out(self, now: float) -> None:
        touched: dict[int, None] = {}
        for output in self.gatekeeper.take_outputs():
            if isinstance(output, WakeUp):
                self._effects.append(output)
                continue
            link = self._links.get(output.connection)
            # The peer may have closed its side while the partner's keys were fetched.
            if link is not None and link.noise.state is not State.ENDED:
                touched[link.number] = None
                self._put(link, output, now)
        for number in touched:
            link = self._links.get(number)
            if link is not None:
                self._flush(link, now)

    def _put(self, link: Link, output: Send | SendBytes | Close | Cut | Hold, now: float) -> None:
        match output:
            case Send():
                link.noise.send(output.stanza)
            case SendBytes():
                link.noise.send_plaintext(output.plaintext)
            case Close():
                self._flush(link, now)
                self._hang_up(link, now)
            case Hold():
                self._flush(link, now)
                link.held = bytearray()
            case Cut():
                self._flush(link, now)
                link.outgoing = output.after_bytes
                if not output.after_bytes:
                    self._hang_up(link, now, at_once=True)

    def _flush(self, link: Link, now: float) -> None:
        """Write what is queued, up to where a fault cuts the connection."""
        data = link.noise.data_to_send()
        if not data:
            return
        if link.held is not None:
            link.held += data
            return
        if link.outgoing is not None:
            data, link.outgoing = data[: link.outgoing], link.outgoing - len(data)
        if data:
            self._effects.append(Write(link.number, data))
        if link.outgoing is not None and link.outgoing <= 0:
            self._hang_up(link, now)

    def _deliver_held(self, link: Link) -> None:
        if link.held:
            self._effects.append(Write(link.number, bytes(link.held)))

    def _hang_up(self, link: Link, now: float, *, at_once: bool = False) -> None:
        if self._links.pop(link.number, None) is not None:
            self._effects.append(HangUp(link.number, at_once))
            self.gatekeeper.closed(link.number, now)
