"""A chat connection without I/O: bytes in, events out; stanzas in, bytes out.

Two laws. All changes of state go through ``_moved`` and the table below it reads; a
cell that is not in the table is the protocol error. And nothing here waits, logs,
reads a clock or draws randomness: keys and the time come as arguments.

    client:  SERVER_HELLO --frame--> OPEN
    server:  HEADER --header--> CLIENT_HELLO --frame--> CLIENT_FINISH --frame--> OPEN
    both:    OPEN --frame--> OPEN,  OPEN --send--> OPEN
             any of these --end of input at a frame boundary--> ENDED
             any of these --what the table does not know--> BROKEN
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from bridge.curve import KeyPair
from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire import certificate, frame, handshake, noise, stanza
from bridge.wire.handshake import Step
from bridge.wire.stanza import Stanza, UnreadableStanza


@dataclass(frozen=True)
class HandshakeCompleted:
    """Both ends know each other's key. ``payload`` is the client's login on the server,
    empty on the client. Whether the login is accepted is said by a stanza later."""

    peer_static: bytes
    payload: bytes


@dataclass(frozen=True)
class StanzaReceived:
    """One stanza, whole and genuine; whether it makes sense is for the vocabulary."""

    stanza: Stanza


@dataclass(frozen=True)
class StanzaUnreadable:
    """A genuine frame whose content is no stanza (``error`` says why, and how far it could be read).

    The frame itself was sound, so the next one is awaited as ever: the peer would send the same stanza
    again on every later connection, and a connection that ends at it would end for ever.
    """

    error: UnreadableStanza


@dataclass(frozen=True)
class ConnectionEnded:
    """The peer's bytes ended between two frames; nothing was cut off."""


Event = HandshakeCompleted | StanzaReceived | StanzaUnreadable | ConnectionEnded


class State(Enum):
    """What is awaited; BROKEN after an error of the peer, ENDED after the end of input."""

    HEADER = "header"
    CLIENT_HELLO = "client hello"
    SERVER_HELLO = "server hello"
    CLIENT_FINISH = "client finish"
    OPEN = "open"
    ENDED = "ended"
    BROKEN = "broken"


class Input(Enum):
    """What can happen to a connection."""

    HEADER = "header"
    FRAME = "frame"
    END = "end"
    SEND = "send"


TRANSITIONS: Mapping[State, Mapping[Input, State]] = MappingProxyType(
    {
        State.HEADER: {Input.HEADER: State.CLIENT_HELLO, Input.END: State.ENDED},
        State.CLIENT_HELLO: {Input.FRAME: State.CLIENT_FINISH, Input.END: State.ENDED},
        State.CLIENT_FINISH: {Input.FRAME: State.OPEN, Input.END: State.ENDED},
        State.SERVER_HELLO: {Input.FRAME: State.OPEN, Input.END: State.ENDED},
        State.OPEN: {Input.FRAME: State.OPEN, Input.SEND: State.OPEN, Input.END: State.ENDED},
        State.ENDED: {},
        State.BROKEN: {},
    }
)


class _Connection(ABC):
    """What both roles share: frames, the open phase, and the state."""

    def __init__(self, state: State, noise_state: noise.Handshake) -> None:
        self.state = state
        self._noise = noise_state
        self._frames = frame.FrameReader(frame.MAX_FRAME_BYTES_BEFORE_AUTHENTICATION)
        self._outgoing = bytearray()
        self._transport: noise.Transport | None = None

    def receive(self, data: bytes) -> list[Event]:
        """Take what the transport delivered (``b""``: it will deliver no more).

        Returns the events that are whole with it, in order; often none. Raises
        RemoteProtocolError when the peer broke the protocol of header, handshake, frames or
        encryption (a stanza that cannot be read is an event): the connection is dead
        then, events of the same call are lost (they were not acknowledged, so they
        come again on the next connection), and only ``data_to_send`` still works.
        Raises LocalProtocolError when the connection was dead or ended before. Any
        other exception is a mistake in this module.
        """
        if self.state in (State.ENDED, State.BROKEN):
            raise LocalProtocolError(f"the connection is {self.state.value}")
        try:
            return self._receive(data)
        except RemoteProtocolError:
            self.state = State.BROKEN
            raise

    def send(self, outgoing: Stanza) -> None:
        """Queue a stanza; LocalProtocolError when it is too large or this is not the time."""
        following = self._moved(Input.SEND)
        if self._transport is None:
            raise LocalProtocolError("stanzas are sent after the handshake")
        plaintext = stanza.encode(outgoing)
        if len(plaintext) + noise.TAG_BYTES > frame.MAX_FRAME_BYTES:
            raise LocalProtocolError("a stanza is too large for a frame")
        self._queue(self._transport.sending.encrypt(plaintext))
        self.state = following

    def data_to_send(self) -> bytes:
        """Take what is queued; in every state, so that last words can still leave."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def _receive(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if not data:
            following = self._moved(Input.END)
            if self._holds_a_part():
                raise RemoteProtocolError("the input ended inside a frame")
            self.state = following
            return [ConnectionEnded()]
        self._frames.append(self._without_header(data))
        while self.state is not State.HEADER and (payload := self._frames.take()) is not None:
            following = self._moved(Input.FRAME)
            events += self._on_frame(payload)
            self.state = following
        return events

    def _moved(self, happening: Input) -> State:
        following = TRANSITIONS[self.state].get(happening)
        if following is None:
            raise LocalProtocolError(
                f"{happening.value} does not fit a connection in state {self.state.value}"
            )
        return following

    def _on_frame(self, payload: bytes) -> list[Event]:
        if self._transport is None:
            return self._on_handshake(payload)
        plaintext = self._transport.receiving.decrypt(payload)
        try:
            return [StanzaReceived(stanza.decode(plaintext))]
        except UnreadableStanza as error:
            return [StanzaUnreadable(error)]

    @abstractmethod
    def _on_handshake(self, payload: bytes) -> list[Event]:
        """One frame of the handshake: what this role makes of it."""

    def _opened(self, transport: noise.Transport) -> None:
        self._transport = transport
        self._frames.limit = frame.MAX_FRAME_BYTES

    def _without_header(self, data: bytes) -> bytes:
        return data

    def _holds_a_part(self) -> bool:
        return self._frames.holds_part_of_a_frame

    def _queue(self, payload: bytes) -> None:
        self._outgoing += frame.encode(payload)


class ClientConnection(_Connection):
    """The client's side. Its header and hello are queued from the start.

    ``static`` is the account's chat key, ``ephemeral`` a fresh pair for this connection
    alone, ``root_key`` the pinned root of the certificates (32 bytes), ``login`` a
    ``ClientPayload`` in bytes, ``now`` unix seconds. ``mix_empty_payload``: see ``noise``.
    """

    def __init__(
        self,
        *,
        static: KeyPair,
        ephemeral: KeyPair,
        header: bytes,
        prologue: bytes,
        root_key: bytes,
        login: bytes,
        now: float,
        mix_empty_payload: bool = False,
    ) -> None:
        ours = noise.Handshake(
            initiator=True,
            static=static,
            ephemeral=ephemeral,
            prologue=prologue,
            mix_empty_payload=mix_empty_payload,
        )
        super().__init__(State.SERVER_HELLO, ours)
        self._root_key, self._login, self._now = root_key, login, now
        self._outgoing += header
        self._queue(handshake.encode(Step.CLIENT_HELLO, ours.write_first()))

    def _on_handshake(self, payload: bytes) -> list[Event]:
        certificates = self._noise.read_second(handshake.decode(Step.SERVER_HELLO, payload))
        server = self._noise.remote_static
        certificate.verify(certificates, self._root_key, server, self._now)
        finish, transport = self._noise.write_third(self._login)
        self._queue(handshake.encode(Step.CLIENT_FINISH, finish))
        self._opened(transport)
        return [HandshakeCompleted(server, b"")]


class ServerConnection(_Connection):
    """The server's side; ``certificates`` is a chain in bytes for ``static``.

    ``mix_empty_payload``: see ``noise``.
    """

    def __init__(
        self,
        *,
        static: KeyPair,
        ephemeral: KeyPair,
        header: bytes,
        prologue: bytes,
        certificates: bytes,
        mix_empty_payload: bool = False,
    ) -> None:
        ours = noise.Handshake(
            initiator=False,
            static=static,
            ephemeral=ephemeral,
            prologue=prologue,
            mix_empty_payload=mix_empty_payload,
        )
        super().__init__(State.HEADER, ours)
        self._header, self._certificates = header, certificates
        self._seen = b""

    def _on_handshake(self, payload: bytes) -> list[Event]:
        if self.state is State.CLIENT_HELLO:
            self._noise.read_first(handshake.decode(Step.CLIENT_HELLO, payload))
            self._queue(handshake.encode(Step.SERVER_HELLO, self._noise.write_second(self._certificates)))
            return []
        login, transport = self._noise.read_third(handshake.decode(Step.CLIENT_FINISH, payload))
        self._opened(transport)
        return [HandshakeCompleted(self._noise.remote_static, login)]

    def _without_header(self, data: bytes) -> bytes:
        """Compare what should be the header, byte by byte as it comes."""
        if self.state is not State.HEADER:
            return data
        missing = len(self._header) - len(self._seen)
        self._seen += data[:missing]
        if not self._header.startswith(self._seen):
            raise RemoteProtocolError("the connection does not start with the header")
        if self._seen == self._header:
            self.state = self._moved(Input.HEADER)
        return data[missing:]

    def _holds_a_part(self) -> bool:
        if self.state is State.HEADER:
            return bool(self._seen)
        return super()._holds_a_part()
