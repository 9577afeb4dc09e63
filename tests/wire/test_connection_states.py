"""Every state x every input: it moves as the table says, or it raises and says whose fault it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire import frame
from bridge.wire.connection import TRANSITIONS, ClientConnection, Input, ServerConnection, State
from bridge.wire.stanza import Stanza
from tests.wire.support import HEADER, client, pair, server

Connection = ClientConnection | ServerConnection
PING = Stanza("iq")


def _in_client_hello() -> Connection:
    connection = server()
    connection.receive(HEADER)
    return connection


def _in_client_finish() -> Connection:
    connection = server()
    connection.receive(client().data_to_send())
    return connection


def _ended() -> Connection:
    connection = server()
    connection.receive(b"")
    return connection


def _broken() -> Connection:
    connection = server()
    with pytest.raises(RemoteProtocolError):
        connection.receive(b"no header")
    return connection


REACHED: dict[State, Callable[[], Connection]] = {
    State.HEADER: server,
    State.CLIENT_HELLO: _in_client_hello,
    State.CLIENT_FINISH: _in_client_finish,
    State.SERVER_HELLO: client,
    State.OPEN: lambda: pair().server,
    State.ENDED: _ended,
    State.BROKEN: _broken,
}


def _right_frame(state: State) -> bytes:
    """A frame that this state awaits, where there is one."""
    ours, theirs = client(), server()
    hello = ours.data_to_send()
    theirs.receive(hello)
    answer = theirs.data_to_send()
    if state is State.CLIENT_HELLO:
        return hello[len(HEADER) :]
    if state is State.SERVER_HELLO:
        return answer
    ours.receive(answer)
    finish = ours.data_to_send()
    if state is State.OPEN:
        ours.send(PING)
        return ours.data_to_send()
    return finish


def happen(connection: Connection, happening: Input) -> None:
    """Make ``happening`` happen, in the way that is right if any is."""
    if happening is Input.SEND:
        connection.send(PING)
    elif happening is Input.END:
        connection.receive(b"")
    elif happening is Input.HEADER:
        connection.receive(HEADER)
    else:
        connection.receive(_right_frame(connection.state))


def test_every_state_is_reachable() -> None:
    assert set(REACHED) == set(State) == set(TRANSITIONS)
    for state, make in REACHED.items():
        assert make().state is state


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("happening", Input)
def test_transitions_match_the_table(state: State, happening: Input) -> None:
    connection = REACHED[state]()
    following = TRANSITIONS[state].get(happening)
    if following is not None:
        happen(connection, happening)
        assert connection.state is following
    elif happening is Input.SEND or state in (State.ENDED, State.BROKEN):
        # Our own mistake: it is refused, and nothing changes.
        with pytest.raises(LocalProtocolError):
            happen(connection, happening)
        assert connection.state is state
    elif happening is Input.HEADER:
        # Where no header is awaited its bytes are the start of a frame that is too long.
        with pytest.raises(RemoteProtocolError):
            happen(connection, happening)
        assert connection.state is State.BROKEN
    else:
        assert (state, happening) == (State.HEADER, Input.FRAME)
        with pytest.raises(RemoteProtocolError):
            happen(connection, happening)
        assert connection.state is State.BROKEN


GARBAGE = {
    "no bytes": frame.encode(b""),
    "no protobuf and no ciphertext": frame.encode(b"\xff" * 40),
    "another handshake message": frame.encode(b"\x22\x00"),
    "no known field": frame.encode(b"\x7a\x00"),
    "too long": b"\xff\xff\xff",
}


@pytest.mark.parametrize("state", [state for state in State if state not in (State.ENDED, State.BROKEN)])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_breaks_every_live_state(state: State, garbage: bytes) -> None:
    connection = REACHED[state]()
    with pytest.raises(RemoteProtocolError):
        connection.receive(garbage)
    assert connection.state is State.BROKEN
