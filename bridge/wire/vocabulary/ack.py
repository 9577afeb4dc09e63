"""``<ack class id to|from [type t error]>``: a stanza was taken, or refused.

Match by class, id and type together: the id alone collides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.ids import Jid
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.reading import Direction, Reading, attributes

MESSAGE: Final = "message"
RECEIPT: Final = "receipt"
NOTIFICATION: Final = "notification"


@dataclass(frozen=True)
class Ack:
    """``cls`` is the tag of what is acknowledged; ``t`` the server's time of a message we
    sent (unix seconds); ``error`` a number when it was refused."""

    cls: str
    id: str
    peer: Jid
    type: str | None = None
    t: int | None = None
    error: int | None = None

    def to_stanza(self, direction: Direction) -> Stanza:
        rest = attributes(type=self.type, t=self.t, error=self.error)
        return Stanza("ack", {"class": self.cls, "id": self.id, direction: self.peer, **rest})


def parse(stanza: Stanza, direction: Direction) -> Ack:
    """Read an ``<ack>`` that came in ``direction``."""
    reading = Reading(stanza, "ack")
    ack = Ack(
        cls=reading.text("class"),
        id=reading.text("id"),
        peer=reading.jid(direction),
        type=reading.optional_text("type"),
        t=reading.optional_number("t"),
        error=reading.optional_number("error"),
    )
    reading.done()
    return ack
