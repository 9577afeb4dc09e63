"""``<chatstate to|from>``: a contact is typing or stopped. Neither stored nor acknowledged.

<composing [media=audio]/> or <paused/>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.reading import Direction, Reading, attributes

MEDIA_AUDIO: Final = "audio"


@dataclass(frozen=True)
class ChatState:
    """``composing`` False: paused. ``media`` is ``MEDIA_AUDIO`` while a voice message is recorded."""

    peer: Jid
    composing: bool
    media: str | None = None

    def to_stanza(self, direction: Direction) -> Stanza:
        inside = Stanza("composing", attributes(media=self.media)) if self.composing else Stanza("paused")
        return Stanza("chatstate", {direction: self.peer}, (inside,))


def parse(stanza: Stanza, direction: Direction) -> ChatState:
    """Read a ``<chatstate>`` received in ``direction``."""
    reading = Reading(stanza, "chatstate")
    peer = reading.jid(direction)
    reading.done()
    composing = stanza.child("composing")
    if composing is not None:
        inner = Reading(composing, "composing")
        media = inner.optional_text("media")
        inner.done()
        return ChatState(peer, True, media)
    if stanza.child("paused") is None:
        raise RemoteProtocolError("<chatstate>: an unknown state")
    return ChatState(peer, False)
