"""The three Noise messages in their protobuf (``HandshakeMessage``, public field numbers)."""

from __future__ import annotations

from enum import Enum

from google.protobuf.message import DecodeError

from bridge.errors import RemoteProtocolError
from bridge.wire.noise import Message
from bridge.wire.proto import handshake_pb2 as proto


class Step(Enum):
    """The message of the handshake; the value is its field name."""

    CLIENT_HELLO = "client_hello"
    SERVER_HELLO = "server_hello"
    CLIENT_FINISH = "client_finish"


def encode(step: Step, message: Message) -> bytes:
    """The protobuf of ``message``; parts that are None are not sent."""
    if step is Step.CLIENT_HELLO:
        hello = proto.ClientHello(ephemeral=message.ephemeral, static=message.static, payload=message.payload)
        wrapped = proto.HandshakeMessage(client_hello=hello)
    elif step is Step.SERVER_HELLO:
        answer = proto.ServerHello(
            ephemeral=message.ephemeral, static=message.static, payload=message.payload
        )
        wrapped = proto.HandshakeMessage(server_hello=answer)
    else:
        finish = proto.ClientFinish(static=message.static, payload=message.payload)
        wrapped = proto.HandshakeMessage(client_finish=finish)
    return wrapped.SerializeToString(deterministic=True)


def decode(step: Step, data: bytes) -> Message:
    """Read the message of ``step``; RemoteProtocolError for another one or none."""
    try:
        found = proto.HandshakeMessage.FromString(data)
    except DecodeError as error:
        raise RemoteProtocolError("a handshake message cannot be read") from error
    if step is Step.CLIENT_HELLO and found.HasField("client_hello"):
        return _slices(found.client_hello)
    if step is Step.SERVER_HELLO and found.HasField("server_hello"):
        return _slices(found.server_hello)
    if step is Step.CLIENT_FINISH and found.HasField("client_finish"):
        finish = found.client_finish
        return Message(
            static=finish.static if finish.HasField("static") else None,
            payload=finish.payload if finish.HasField("payload") else None,
        )
    raise RemoteProtocolError(f"the {step.value.replace('_', ' ')} is missing")


def _slices(hello: proto.ClientHello | proto.ServerHello) -> Message:
    return Message(
        ephemeral=hello.ephemeral if hello.HasField("ephemeral") else None,
        static=hello.static if hello.HasField("static") else None,
        payload=hello.payload if hello.HasField("payload") else None,
    )
