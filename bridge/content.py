"""What a message is, whichever side it comes from.

Both edges translate to and from ``Content`` and know nothing of each other; policy and
degradation see only it. Its shape follows MIMI content (draft-ietf-mimi-content).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Provenance(Enum):
    """Where a message came from, when that is worth telling."""

    ORIGINAL = "original"
    SENT_EARLIER = "sent earlier"
    """Typed or sent before it could be bridged."""


@dataclass(frozen=True)
class Text:
    """Plain text and, where there is one, the same text as Matrix HTML."""

    plain: str
    html: str | None = None
    emote: bool = False


@dataclass(frozen=True)
class Unknown:
    """A kind of message this bridge cannot carry; ``kind`` is named to the people concerned."""

    kind: str


Part = Text | Unknown


@dataclass(frozen=True)
class Reply:
    """What a message answers: its id in the same namespace as ``Content.id``, and the quoted text."""

    id: str
    quoted: str = ""
    own: bool = False
    """Whether the answered message was written by this account's user."""


@dataclass(frozen=True)
class Content:
    """One message. ``sent_at`` is in milliseconds since 1970, by the clock of the sender's server."""

    id: str
    sender: str
    sent_at: int
    parts: tuple[Part, ...]
    in_reply_to: Reply | None = None
    provenance: Provenance = Provenance.ORIGINAL

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a message has at least one part")
        if not self.id or not self.sender:
            raise ValueError("a message has an id and a sender")
