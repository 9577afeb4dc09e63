"""Reading and writing the text of m.room.message events (client-server API, Instant messaging)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bridge.content import Text
from bridge.matrix.html_words import plain_text

HTML_FORMAT = "org.matrix.custom.html"
MAX_PIECE_BYTES = 48 * 1024
"""An event may have 65,536 bytes as JSON with its signatures and ids; this is for body and HTML together."""

_FIRST_QUOTED_LINE = re.compile(r"> (?:\* )?<@[^>\n]+:[^>\n]+>")
_QUOTED_HTML = re.compile(r"\A\s*<mx-reply>.*?</mx-reply>", re.DOTALL | re.IGNORECASE)


def strip_plain_fallback(body: str) -> str:
    """A reply's body without the quoted lines that old clients put before it.

    Only lines that begin as the specification says (``> <@user:server>``) are that: newer
    clients add none, and a user may begin a reply with a quotation of their own.
    """
    if not _FIRST_QUOTED_LINE.match(body):
        return body
    lines = body.split("\n")
    while lines and (lines[0].startswith("> ") or lines[0] == ">"):
        del lines[0]
    return "\n".join(lines[1:] if lines and not lines[0] else lines)


def strip_html_fallback(html: str) -> str:
    """A reply's HTML without its ``<mx-reply>`` block."""
    return _QUOTED_HTML.sub("", html, count=1)


def encodable(text: str) -> str:
    """The text with lone surrogates, which JSON can name and UTF-8 cannot hold, shown as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def read_text(fields: Mapping[str, Any], *, is_reply: bool) -> Text | None:
    """The text of an m.text or m.emote content, or None when there is nothing in it.

    A content whose words are in its HTML alone is read from that.
    """
    body, html = fields.get("body"), fields.get("formatted_body")
    if not isinstance(html, str) or fields.get("format") != HTML_FORMAT:
        html = None
    if not isinstance(body, str):
        body = ""
    if is_reply:
        body, html = strip_plain_fallback(body), None if html is None else strip_html_fallback(html)
    if not body.strip():
        body = plain_text(html or "")
    if not body.strip():
        return None
    return Text(
        encodable(body), None if not html else encodable(html), emote=fields.get("msgtype") == "m.emote"
    )


def json_bytes(text: str) -> int:
    """What a text takes in an event: UTF-8 with JSON's escapes."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def pieces(text: Text) -> tuple[Text, ...]:
    """The text in as few pieces as fit into an event each: nearly always the text as it is.

    HTML that does not fit beside its plain form is left out first, as form may be lost and words
    may not. Pieces end at a line or a word where there is one in their last quarter.
    """
    if json_bytes(text.plain) + (0 if text.html is None else json_bytes(text.html)) <= MAX_PIECE_BYTES:
        return (text,)
    found: list[Text] = []
    rest = text.plain
    while rest:
        end = _fitting(rest)
        found.append(Text(rest[:end], emote=text.emote and not found))
        rest = rest[end:]
    return tuple(found)


def _fitting(text: str) -> int:
    """How many of the first characters go into one piece; at least one."""
    if json_bytes(text[:MAX_PIECE_BYTES]) <= MAX_PIECE_BYTES:
        low = min(len(text), MAX_PIECE_BYTES)
    else:
        low, high = 1, min(len(text), MAX_PIECE_BYTES)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if json_bytes(text[:middle]) <= MAX_PIECE_BYTES else (low, middle)
    if low == len(text):
        return low
    for separator in ("\n", " "):
        at = text.rfind(separator, low * 3 // 4, low)
        if at >= 0:
            return at + 1
    return low
