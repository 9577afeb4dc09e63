"""Network payloads to and from ``Content``: the network side's translation."""

from __future__ import annotations

from bridge.content import Content, Reply, Text, Unknown
from bridge.errors import RemoteProtocolError
from bridge.ids import Jid, StanzaId
from bridge.wire import payload
from bridge.wire.payload import TextPayload

MAX_QUOTED_CHARACTERS = 1_000
"""A quote is there to recognise the message, not to repeat it."""


def to_content(padded: bytes, *, stanza_id: StanzaId, sender: Jid, sent_at_ms: int) -> Content:
    """What a decrypted message says. What cannot be read or carried is an ``Unknown`` part."""
    try:
        read = payload.parse(payload.unpad(padded))
    except RemoteProtocolError:
        return Content(stanza_id, str(sender), sent_at_ms, (Unknown("unreadable"),))
    if not isinstance(read, TextPayload):
        return Content(stanza_id, str(sender), sent_at_ms, (Unknown(read.kind),))
    if not read.text.strip():
        return Content(stanza_id, str(sender), sent_at_ms, (Unknown("empty"),))
    reply = None
    if read.reply_id is not None:
        own = read.reply_participant is not None and read.reply_participant != str(sender)
        reply = Reply(read.reply_id, (read.quoted or "")[:MAX_QUOTED_CHARACTERS], own)
    return Content(stanza_id, str(sender), sent_at_ms, (Text(read.text),), reply)


def to_payload(content: Content, *, own: Jid, contact: Jid) -> bytes:
    """The protobuf of a message made of text; its reply names a stanza id already."""
    text = "\n".join(_plain(part) for part in content.parts if isinstance(part, Text))
    reply = content.in_reply_to
    if reply is None:
        return TextPayload(text).to_bytes()
    participant = own if reply.own else contact
    return TextPayload(text, reply.id, str(participant), reply.quoted[:MAX_QUOTED_CHARACTERS]).to_bytes()


def _plain(text: Text) -> str:
    return f"* {text.plain}" if text.emote else text.plain
