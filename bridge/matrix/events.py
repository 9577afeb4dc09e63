"""Events of the homeserver <-> ``Content``.

Reading is tolerant and total: whatever JSON an event is, the answer is a named result.
Writing gives the content of an event; who sends it, where and when is for the caller.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeGuard

from mautrix.types import (
    BeeperMessageStatusEventContent,
    EventID,
    EventType,
    Format,
    MessageStatus,
    MessageStatusReason,
    MessageType,
    RelatesTo,
    RelationType,
    TextMessageEventContent,
)

from bridge.content import Content, Reply, Text, Unknown
from bridge.ids import EventId, RoomId, UserId
from bridge.matrix.text import encodable, read_text

MESSAGE = str(EventType.ROOM_MESSAGE)
STATUS = str(EventType.BEEPER_MESSAGE_STATUS)
MARKER = "eu.interop-bridge.message"
"""In every event that we make for a message: an opaque hash of what it stands for."""
MAX_EVENT_BYTES = 256 * 1024
"""An event has 64 KiB; unsigned data may carry a previous content. More is no event."""
MAX_TIMESTAMP_MS = 2**53 - 1
"""Canonical JSON ends here."""


class Oddity(Enum):
    """Why something is no event."""

    TOO_LARGE = "too large"
    NOT_JSON = "not JSON"
    NO_EVENT = "lacks id, room, sender, type, time or content"


@dataclass(frozen=True)
class Odd:
    """What was pushed to us is no event; the entry is parked with this."""

    what: Oddity


@dataclass(frozen=True)
class Event:
    """An event's envelope. ``marker`` may be a copy: clients that forward an event copy its content."""

    id: EventId
    room: RoomId
    sender: UserId
    type: str
    sent_at: int
    """Milliseconds since 1970, by the homeserver's clock."""
    state_key: str | None
    content: Mapping[str, Any] = field(repr=False)
    marker: str | None = None
    redacts: EventId | None = None
    is_redacted: bool = False


class Silence(Enum):
    """Why an event is rightly not bridged and nobody is told."""

    STATE = "state"
    NOTICE = "notice"
    """m.notice is for programs, and what programs say is not passed on."""
    REDACTED = "redacted"
    EMPTY = "empty"
    TECHNICAL = "technical"


@dataclass(frozen=True)
class NotBridged:
    """An event that nobody expects to arrive."""

    why: Silence


_KINDS_OF_MESSAGE: Mapping[str, str] = {
    "m.image": "image",
    "m.file": "file",
    "m.audio": "audio",
    "m.video": "video",
    "m.location": "location",
    "m.key.verification.request": "",
}
_KINDS_OF_EVENT: Mapping[str, str] = {
    "m.room.encrypted": "encrypted",
    "m.sticker": "sticker",
    "m.reaction": "reaction",
    "m.room.redaction": "removal",
    "m.call.invite": "call",
    "m.poll.start": "poll",
    "org.matrix.msc3381.poll.start": "poll",
    "m.poll.response": "poll",
    "org.matrix.msc3381.poll.response": "poll",
    "m.poll.end": "poll",
    "org.matrix.msc3381.poll.end": "poll",
    "m.beacon": "location",
    "org.matrix.msc3672.beacon": "location",
}
_TECHNICAL = ("m.call.", "m.key.verification.", "com.beeper.", "fi.mau.", "eu.interop-bridge.")
"""Beginnings of event types that clients and bridges send without anybody having written something."""
KINDS = frozenset(
    {*_KINDS_OF_MESSAGE.values(), *_KINDS_OF_EVENT.values(), "voice", "edit", "text", "other"} - {""}
)
"""Every ``Unknown.kind`` that ``to_content`` gives."""


def parse(body: bytes) -> Event | Odd:
    """The envelope of an event as it was stored."""
    if len(body) > MAX_EVENT_BYTES:
        return Odd(Oddity.TOO_LARGE)
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return Odd(Oddity.NOT_JSON)
    return envelope(event) or Odd(Oddity.NO_EVENT)


def envelope(event: object) -> Event | None:
    """The envelope of an event as JSON, from a transaction or from history; None when it is none."""
    if not isinstance(event, dict):
        return None
    id_, room, sender, type_ = (_string(event, name) for name in ("event_id", "room_id", "sender", "type"))
    sent_at, content, state_key = event.get("origin_server_ts"), event.get("content"), event.get("state_key")
    if not (id_ and room and sender and type_) or not isinstance(content, dict) or not _is_time(sent_at):
        return None
    redacts = _string(content, "redacts") or _string(event, "redacts")
    return Event(
        EventId(id_),
        RoomId(room),
        UserId(sender),
        type_,
        sent_at,
        state_key if isinstance(state_key, str) else None,
        content,
        marker=_string(content, MARKER),
        redacts=EventId(redacts) if redacts and type_ == "m.room.redaction" else None,
        is_redacted="redacted_because" in _mapping(event, "unsigned"),
    )


def to_content(event: Event) -> Content | NotBridged:
    """What an event says. Text is text; what cannot be carried yet is ``Unknown`` with its kind."""
    if event.state_key is not None:
        return NotBridged(Silence.STATE)
    if event.is_redacted:
        return NotBridged(Silence.REDACTED)
    if event.type != "m.room.message":
        kind = _KINDS_OF_EVENT.get(event.type)
        if kind is None and event.type.startswith(_TECHNICAL):
            return NotBridged(Silence.TECHNICAL)
        return _unknown(event, kind or "other")
    return _message(event)


def target(event: Event) -> EventId | None:
    """The event that a removal, a reaction or an edit is about."""
    if event.redacts is not None:
        return event.redacts
    about = _string(_mapping(event.content, "m.relates_to"), "event_id")
    return EventId(about) if about else None


def text_content(
    text: Text, *, marker: str, reply_to: EventId | None = None, mentions: Sequence[UserId] = ()
) -> dict[str, Any]:
    """The content of a message event that stands for a message of the network.

    ``m.mentions`` is always there: without it, clients search the text for names and ring.
    """
    content = _text(
        MessageType.EMOTE if text.emote else MessageType.TEXT,
        text.plain,
        text.html,
        reply_to=reply_to,
        mentions=mentions,
    )
    return {**content, MARKER: marker}


def notice_content(
    body: str,
    *,
    html: str | None = None,
    marker: str | None = None,
    reply_to: EventId | None = None,
    mentions: Sequence[UserId] = (),
) -> dict[str, Any]:
    """The content of a notice of the bot."""
    content = _text(MessageType.NOTICE, body, html, reply_to=reply_to, mentions=mentions)
    return content if marker is None else {**content, MARKER: marker}


def status_content(
    event: EventId,
    status: str,
    *,
    network: str,
    reason: str | None = None,
    message: str | None = None,
    delivered_to: Sequence[UserId] | None = None,
) -> dict[str, Any]:
    """The content of a ``STATUS``: what became of an event, for clients that show it.

    ``status`` and ``reason`` are values of mautrix's ``MessageStatus`` and ``MessageStatusReason``.
    """
    content = BeeperMessageStatusEventContent(
        relates_to=RelatesTo(rel_type=RelationType.REFERENCE, event_id=EventID(event)),
        network=network,
        status=MessageStatus(status),
        reason=None if reason is None else MessageStatusReason(reason),
        message=message,
    )
    if delivered_to is not None:
        content["delivered_to_users"] = list(delivered_to)
    plain: dict[str, Any] = content.serialize()
    return plain


def _text(
    msgtype: MessageType, body: str, html: str | None, *, reply_to: EventId | None, mentions: Sequence[UserId]
) -> dict[str, Any]:
    content = TextMessageEventContent(msgtype=msgtype, body=encodable(body))
    if html is not None:
        content.format, content.formatted_body = Format.HTML, encodable(html)
    if reply_to is not None:
        content.set_reply(EventID(reply_to))
    content["m.mentions"] = {"user_ids": list(mentions)} if mentions else {}
    plain: dict[str, Any] = content.serialize()
    return plain


def _message(event: Event) -> Content | NotBridged:
    msgtype = _string(event.content, "msgtype")
    relation = _mapping(event.content, "m.relates_to")
    if msgtype == "m.notice":
        return NotBridged(Silence.NOTICE)
    if relation.get("rel_type") == "m.replace":
        return _unknown(event, "edit")
    if msgtype not in ("m.text", "m.emote"):
        kind = _KINDS_OF_MESSAGE.get(msgtype or "", "other")
        if kind == "audio" and _is_voice(event.content):
            kind = "voice"
        return _unknown(event, kind) if kind else NotBridged(Silence.TECHNICAL)
    reply = _reply(relation)
    text = read_text(event.content, is_reply=reply is not None or _falls_back(relation))
    if text is None:
        return (
            NotBridged(Silence.EMPTY)
            if isinstance(event.content.get("body"), str)
            else _unknown(event, "text")
        )
    return Content(str(event.id), str(event.sender), event.sent_at, (text,), in_reply_to=reply)


def _unknown(event: Event, kind: str) -> Content:
    return Content(str(event.id), str(event.sender), event.sent_at, (Unknown(kind),))


def _reply(relation: Mapping[str, Any]) -> Reply | None:
    """The answered message; in a thread only when the user chose to answer one."""
    answered = _string(_mapping(relation, "m.in_reply_to"), "event_id")
    return Reply(answered) if answered and not _falls_back(relation) else None


def _falls_back(relation: Mapping[str, Any]) -> bool:
    return relation.get("rel_type") == "m.thread" and relation.get("is_falling_back") is True


def _is_voice(content: Mapping[str, Any]) -> bool:
    return "org.matrix.msc3245.voice" in content or "m.voice" in content


def _string(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return encodable(value) if isinstance(value, str) and value else None


def _mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_TIMESTAMP_MS
