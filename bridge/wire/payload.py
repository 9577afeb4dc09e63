"""The plaintext inside a message: a protobuf, padded.

Text is read and written. Other kinds are only named, so that users can be told what
arrived; unknown fields are never written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire.proto import message_pb2 as proto

Rng = Callable[[int], bytes]
"""n -> n random bytes."""

MAX_PAYLOAD_BYTES = 512 * 1024
"""A text of 65,536 characters is at most 256 KiB, and a quote of the same size may come
with it. Judged before anything is parsed (reliability S21). Depth needs no number: our
description of a message does not contain itself (see proto/message.proto)."""

MAX_PADDING_BYTES: Final = 15

KIND_EMPTY: Final = "empty"
KIND_UNKNOWN: Final = "unknown"

_COMPANIONS: Final = ("sender_key_distribution", "context_info")
"""Fields that come beside a message of some kind and are none themselves."""

_SAME_KIND: Final = {"view_once_v2": "view_once", "poll_v3": "poll"}
"""Newer fields for a kind that has a name already."""


@dataclass(frozen=True)
class TextPayload:
    """A text and the message it replies to.

    ``reply_id`` is the stanza id it replies to, ``reply_participant`` the printed internal
    identifier of that message's author (as sent, unchecked), ``quoted`` the text that the
    sender's client showed for it. ``expires_after`` is a timer in seconds, 0 for none.
    """

    text: str = field(repr=False)
    reply_id: str | None = None
    reply_participant: str | None = None
    quoted: str | None = field(default=None, repr=False)
    expires_after: int = 0

    def to_bytes(self) -> bytes:
        """The protobuf, without padding; LocalProtocolError when it cannot be sent."""
        try:
            data = self._message().SerializeToString(deterministic=True)
        except ValueError as error:
            raise LocalProtocolError("a text holds a lone surrogate or a timer is out of range") from error
        if len(data) > MAX_PAYLOAD_BYTES:
            raise LocalProtocolError("a text is too long to send")
        return data

    def _message(self) -> proto.Message:
        replies = (self.reply_id, self.reply_participant, self.quoted)
        if replies == (None, None, None) and not self.expires_after:
            return proto.Message(conversation=self.text)
        context = self._context().SerializeToString(deterministic=True)
        extended = proto.ExtendedText(text=self.text, context_info=context)
        return proto.Message(extended_text=extended)

    def _context(self) -> proto.ContextInfo:
        quoted = None
        if self.quoted is not None:
            quoted = proto.Message(conversation=self.quoted).SerializeToString(deterministic=True)
        return proto.ContextInfo(
            stanza_id=self.reply_id,
            participant=self.reply_participant,
            quoted_message=quoted,
            expiration=self.expires_after or None,
        )


@dataclass(frozen=True)
class UnknownPayload:
    """A payload without text. ``kind`` is the field's name in proto/message.proto,
    ``"empty"`` when there is no field, ``"unknown"`` when the field has no name here."""

    kind: str


def parse(data: bytes) -> TextPayload | UnknownPayload:
    """Read a payload without its padding; RemoteProtocolError when it is not valid protobuf."""
    message = _parse_message(data)
    kinds = [descriptor.name for descriptor, _ in message.ListFields()]
    kinds = [kind for kind in kinds if kind not in _COMPANIONS]
    if kinds == ["conversation"]:
        return TextPayload(message.conversation)
    if kinds == ["extended_text"]:
        return _text(message.extended_text)
    if not kinds:
        return UnknownPayload(KIND_EMPTY if message.ByteSize() == 0 else KIND_UNKNOWN)
    if len(kinds) > 1:
        # With several kinds set, the intended one is unknown.
        return UnknownPayload(KIND_UNKNOWN)
    return UnknownPayload(_SAME_KIND.get(kinds[0], kinds[0]))


def pad(data: bytes, rng: Rng) -> bytes:
    """Append 1 to 15 bytes, each with the number of bytes appended."""
    count = rng(1)[0] % MAX_PADDING_BYTES + 1
    return data + bytes([count]) * count


def unpad(data: bytes) -> bytes:
    """Remove the padding; RemoteProtocolError when it is wrong."""
    count = data[-1] if data else 0
    if not 1 <= count <= MAX_PADDING_BYTES or data[-count:] != bytes([count]) * count:
        raise RemoteProtocolError("a message is not padded as it should be")
    return data[:-count]


def _parse_message(data: bytes) -> proto.Message:
    if len(data) > MAX_PAYLOAD_BYTES:
        raise RemoteProtocolError(f"a payload is over {MAX_PAYLOAD_BYTES} bytes")
    try:
        return proto.Message.FromString(data)
    except DecodeError as error:
        raise RemoteProtocolError("a payload cannot be read") from error


def _text(extended: proto.ExtendedText) -> TextPayload:
    context = _context(extended.context_info)
    return TextPayload(
        text=extended.text,
        reply_id=context.stanza_id or None,
        reply_participant=context.participant or None,
        quoted=_quoted_text(context.quoted_message) if context.HasField("quoted_message") else None,
        expires_after=context.expiration,
    )


def _context(data: bytes) -> proto.ContextInfo:
    """What a text answers; nothing when it cannot be read, because the text is good without it."""
    try:
        return proto.ContextInfo.FromString(data)
    except DecodeError:
        return proto.ContextInfo()


def _quoted_text(data: bytes) -> str | None:
    """The text of a quoted message; None when it is of another kind, or unreadable:
    a quote is an ornament, and the message around it is good."""
    try:
        quoted = proto.Message.FromString(data)
    except DecodeError:
        return None
    if quoted.HasField("conversation"):
        return quoted.conversation
    return quoted.extended_text.text or None
