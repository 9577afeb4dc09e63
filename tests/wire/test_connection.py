"""The connection: two real ends joined by bytes, in any pieces."""

from __future__ import annotations

import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire import frame
from bridge.wire import stanza as codec
from bridge.wire.connection import (
    ClientConnection,
    ConnectionEnded,
    Event,
    HandshakeCompleted,
    ServerConnection,
    StanzaReceived,
    StanzaUnreadable,
    State,
)
from bridge.wire.noise import Handshake, Message, Transport
from bridge.wire.proto import handshake_pb2 as proto
from bridge.wire.stanza import Stanza
from tests.wire.support import (
    HEADER,
    LOGIN,
    NOW,
    PROLOGUE,
    QUICK,
    certificates,
    client,
    key,
    pair,
    server,
    stanzas,
)

AT_CLIENT = HandshakeCompleted(key("server").public, b"")
AT_SERVER = HandshakeCompleted(key("client").public, LOGIN)
PING = Stanza("iq", {"id": "1", "type": "get", "xmlns": "w:p"})
RESULT = Stanza("iq", {"id": "1", "type": "result"})
PING_BYTES = codec.encode(PING)
TOO_DEEP = b"\0" + b"\xf8\x02\x13\xf8\x01" * 5_000 + b"\xf8\x01\x13"


def feed(connection: ClientConnection | ServerConnection, data: bytes, edges: list[int]) -> list[Event]:
    """``data`` cut at ``edges``."""
    cuts = [0, *sorted(min(edge, len(data)) for edge in edges), len(data)]
    events: list[Event] = []
    for start, end in itertools.pairwise(cuts):
        if start < end:
            events += connection.receive(data[start:end])
    return events


def hand_made(login: bytes = LOGIN) -> tuple[ServerConnection, Transport]:
    """A server, open, and the ciphers of a client that is made by hand."""
    theirs, ours = server(), _client_handshake()
    theirs.receive(HEADER + frame.encode(_hello(ours)))
    answer = proto.HandshakeMessage.FromString(theirs.data_to_send()[3:]).server_hello
    ours.read_second(Message(answer.ephemeral, answer.static, answer.payload))
    finish, transport = ours.write_third(login)
    message = proto.HandshakeMessage(
        client_finish=proto.ClientFinish(static=finish.static, payload=finish.payload)
    )
    assert theirs.receive(frame.encode(message.SerializeToString()))
    return theirs, transport


def _client_handshake() -> Handshake:
    return Handshake(
        initiator=True, static=key("client"), ephemeral=key("client ephemeral"), prologue=PROLOGUE
    )


def _hello(handshake: Handshake, payload: bytes | None = None) -> bytes:
    made = handshake.write_first(payload)
    hello = proto.ClientHello(ephemeral=made.ephemeral, payload=made.payload)
    return proto.HandshakeMessage(client_hello=hello).SerializeToString()


def test_handshake_completes_and_stanzas_cross() -> None:
    ours, theirs = client(), server()
    assert theirs.receive(ours.data_to_send()) == []
    assert ours.receive(theirs.data_to_send()) == [AT_CLIENT]
    ours.send(PING)
    assert theirs.receive(ours.data_to_send()) == [AT_SERVER, StanzaReceived(PING)]
    theirs.send(RESULT)
    assert ours.receive(theirs.data_to_send()) == [StanzaReceived(RESULT)]
    assert ours.receive(b"") == theirs.receive(b"") == [ConnectionEnded()]


def test_first_bytes_are_header_and_frame() -> None:
    data = client().data_to_send()
    assert data.startswith(HEADER + b"\x00\x00")
    hello = proto.HandshakeMessage.FromString(data[len(HEADER) + 3 :])
    assert hello.client_hello == proto.ClientHello(ephemeral=key("client ephemeral").public)


def test_queued_bytes_are_taken_once() -> None:
    ours = client()
    assert ours.data_to_send()
    assert ours.data_to_send() == b""


def test_any_split_of_input_gives_same_events() -> None:
    ours, theirs = client(), server()
    to_server = ours.data_to_send()
    theirs.receive(to_server)
    to_client = theirs.data_to_send()
    ours.receive(to_client)
    ours.send(PING)
    to_server_after = ours.data_to_send()
    theirs.receive(to_server_after)
    theirs.send(RESULT)
    to_client_after = theirs.data_to_send()

    for at in range(len(to_client) + len(to_client_after) + 1):
        assert feed(client(), to_client + to_client_after, [at]) == [AT_CLIENT, StanzaReceived(RESULT)]
    whole = to_server + to_server_after
    for at in range(len(whole) + 1):
        assert feed(server(), whole, [at]) == [AT_SERVER, StanzaReceived(PING)]
    assert feed(server(), whole, list(range(len(whole)))) == [AT_SERVER, StanzaReceived(PING)]


@QUICK
@given(st.lists(stanzas, max_size=5), st.lists(st.integers(0, 3000), max_size=10))
def test_stanzas_arrive_in_order_for_any_split(sent: list[Stanza], cuts: list[int]) -> None:
    ends = pair()
    for stanza in sent:
        ends.client.send(stanza)
    expected: list[Event] = [StanzaReceived(stanza) for stanza in sent]
    assert feed(ends.server, ends.client.data_to_send(), cuts) == expected


def test_server_certificate_of_another_root_is_rejected() -> None:
    ours, theirs = client(root_key=key("another root").public), server()
    theirs.receive(ours.data_to_send())
    with pytest.raises(RemoteProtocolError, match="not signed"):
        ours.receive(theirs.data_to_send())
    assert ours.data_to_send() == b""


def test_expired_certificate_is_rejected() -> None:
    ours, theirs = client(now=NOW + 400 * 24 * 3600), server()
    theirs.receive(ours.data_to_send())
    with pytest.raises(RemoteProtocolError, match="not valid"):
        ours.receive(theirs.data_to_send())


def test_handshake_fails_with_another_prologue() -> None:
    ours, theirs = client(), server(prologue=b"another")
    theirs.receive(ours.data_to_send())
    with pytest.raises(RemoteProtocolError, match="not genuine"):
        ours.receive(theirs.data_to_send())


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"WA\x06\x04", b"X"])
def test_wrong_header_is_rejected_at_first_wrong_byte(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="header"):
        server().receive(data)


def test_input_may_end_only_between_frames() -> None:
    for make in (client, server, lambda: pair().client, lambda: pair().server):
        assert make().receive(b"") == [ConnectionEnded()]
    for connection in (client(), pair().client, pair().server):
        connection.receive(b"\x00")
        with pytest.raises(RemoteProtocolError, match="ended inside"):
            connection.receive(b"")
    half = server()
    half.receive(HEADER[:2])
    with pytest.raises(RemoteProtocolError, match="ended inside"):
        half.receive(b"")


def test_dead_connection_only_gives_queued_bytes() -> None:
    ends = pair()
    ends.server.send(RESULT)
    with pytest.raises(RemoteProtocolError):
        ends.server.receive(frame.encode(b"no ciphertext at all"))
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match="broken"):
            ends.server.receive(b"anything")
        with pytest.raises(LocalProtocolError, match="broken"):
            ends.server.send(RESULT)
    assert ends.client.receive(ends.server.data_to_send()) == [StanzaReceived(RESULT)]


@pytest.mark.threat("S18")
def test_handshake_frame_size_limit_is_exact() -> None:
    limit = frame.MAX_FRAME_BYTES_BEFORE_AUTHENTICATION
    bare = len(_hello(_client_handshake(), b"x" * 65_000)) - 65_000
    at_limit = _hello(_client_handshake(), b"x" * (limit - bare))
    assert len(at_limit) == limit
    assert server().receive(HEADER + frame.encode(at_limit)) == []
    with pytest.raises(RemoteProtocolError, match="over the limit"):
        server().receive(HEADER + (limit + 1).to_bytes(3, "big"))
    with pytest.raises(RemoteProtocolError, match="over the limit"):
        client().receive((limit + 1).to_bytes(3, "big"))


@pytest.mark.threat("S18")
def test_frame_limit_rises_after_handshake_in_same_input() -> None:
    ours, theirs = client(), server()
    theirs.receive(ours.data_to_send())
    ours.receive(theirs.data_to_send())
    large = Stanza("body", {}, bytes(frame.MAX_FRAME_BYTES_BEFORE_AUTHENTICATION * 2))
    ours.send(large)
    assert theirs.receive(ours.data_to_send()) == [AT_SERVER, StanzaReceived(large)]


@pytest.mark.threat("S18")
def test_stanza_size_limit_is_exact() -> None:
    ends = pair()
    bare = len(codec.encode(Stanza("body", {}, bytes(2**19)))) - 2**19 + 16
    at_limit = Stanza("body", {}, bytes(frame.MAX_FRAME_BYTES - bare))
    ends.client.send(at_limit)
    data = ends.client.data_to_send()
    assert data.startswith(frame.MAX_FRAME_BYTES.to_bytes(3, "big"))
    assert ends.server.receive(data) == [StanzaReceived(at_limit)]
    with pytest.raises(LocalProtocolError, match="too large"):
        ends.client.send(Stanza("body", {}, bytes(frame.MAX_FRAME_BYTES - bare + 1)))
    # That was our mistake, and nobody else's: the connection goes on.
    ends.client.send(PING)
    assert ends.server.receive(ends.client.data_to_send()) == [StanzaReceived(PING)]
    with pytest.raises(RemoteProtocolError, match="over the limit"):
        ends.server.receive((frame.MAX_FRAME_BYTES + 1).to_bytes(3, "big"))


def test_unencodable_stanza_leaves_connection_usable() -> None:
    ends = pair()
    with pytest.raises(LocalProtocolError):
        ends.client.send(Stanza(""))
    ends.client.send(PING)
    assert ends.server.receive(ends.client.data_to_send()) == [StanzaReceived(PING)]


def test_replayed_frame_is_rejected() -> None:
    ends = pair()
    ends.client.send(PING)
    data = ends.client.data_to_send()
    ends.server.receive(data)
    with pytest.raises(RemoteProtocolError, match="not genuine"):
        ends.server.receive(data)


def test_empty_first_payload_is_accepted() -> None:
    # The specification mixes it into the hash; the network's clients do not send it.
    theirs, ours = server(), _client_handshake()
    theirs.receive(HEADER + frame.encode(_hello(ours, b"")))
    answer = proto.HandshakeMessage.FromString(theirs.data_to_send()[3:]).server_hello
    got = ours.read_second(Message(answer.ephemeral, answer.static, answer.payload))
    assert got == certificates()


def receive_or_break(connection: ClientConnection | ServerConnection, *pieces: bytes) -> None:
    """Give a connection these bytes: it takes them, or it is broken and takes no more."""
    try:
        for piece in pieces:
            connection.receive(piece)
    except RemoteProtocolError:
        assert connection.state is State.BROKEN
        with pytest.raises(LocalProtocolError):
            connection.receive(b"more")
        return
    assert connection.state is not State.BROKEN


@QUICK
@given(st.lists(st.binary(max_size=100), max_size=4), st.booleans(), st.booleans())
def test_arbitrary_bytes_give_events_or_break_connection(
    pieces: list[bytes], framed: bool, header: bool
) -> None:
    sent = [frame.encode(piece) if framed else piece or b"x" for piece in pieces]
    for connection in (client(), server(), pair().client, pair().server):
        receive_or_break(connection, *([HEADER] if header else []), *sent, b"")


slices = st.one_of(st.none(), st.binary(max_size=100), st.just(key("some").public), st.just(bytes(32)))
handshake_messages = st.builds(
    lambda e, s, p, which: {
        "hello": proto.HandshakeMessage(client_hello=proto.ClientHello(ephemeral=e, static=s, payload=p)),
        "answer": proto.HandshakeMessage(server_hello=proto.ServerHello(ephemeral=e, static=s, payload=p)),
        "finish": proto.HandshakeMessage(client_finish=proto.ClientFinish(static=s, payload=p)),
    }[which].SerializeToString(),
    slices,
    slices,
    slices,
    st.sampled_from(["hello", "answer", "finish"]),
)


@QUICK
@given(st.lists(handshake_messages, min_size=1, max_size=3))
def test_arbitrary_handshakes_give_events_or_break_the_connection(messages: list[bytes]) -> None:
    for connection, head in ((client(), b""), (server(), HEADER)):
        receive_or_break(connection, head + b"".join(map(frame.encode, messages)))


@QUICK
@given(st.binary(max_size=200))
def test_arbitrary_plaintext_gives_one_event(
    plaintext: bytes,
) -> None:
    theirs, transport = hand_made()
    frames = [frame.encode(transport.sending.encrypt(each)) for each in (PING_BYTES, plaintext, PING_BYTES)]
    before, event, behind = theirs.receive(b"".join(frames))
    assert before == behind == StanzaReceived(PING)
    assert isinstance(event, StanzaReceived | StanzaUnreadable)


@pytest.mark.threat("S19", "S20")
@pytest.mark.parametrize(
    "plaintext",
    [b"", b"\0\xf8\xff\x13", TOO_DEEP, b"\x02" + zlib.compress(bytes(2**24))],
)
def test_unreadable_stanza_does_not_end_connection(plaintext: bytes) -> None:
    theirs, transport = hand_made()
    (event,) = theirs.receive(frame.encode(transport.sending.encrypt(plaintext)))
    assert isinstance(event, StanzaUnreadable)
    assert theirs.state is State.OPEN
    assert theirs.receive(frame.encode(transport.sending.encrypt(PING_BYTES))) == [StanzaReceived(PING)]


def test_login_length_is_up_to_the_client() -> None:
    theirs, _ = hand_made(login=b"")
    theirs.send(RESULT)
    assert theirs.data_to_send()
