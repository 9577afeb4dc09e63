"""``<ack class id to|from [type t error]>``: a stanza was accepted or refused.

Match by class, id and type together; ids alone collide.
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

PARSING_ERROR: Final = 487
UNRECOGNISED_STANZA: Final = 488
"""Negative acknowledgements of a client (interop.md 4.5)."""

WITHOUT: Final = frozenset({"ack", "chatstate", "failure", "ib", "iq", "presence", "stream:error", "success"})
"""Tags of stanzas that nobody waits to see acknowledged."""


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


def refusal(stanza: Stanza, error: int) -> Stanza | None:
    """The negative acknowledgement of a stanza from the server; None where it waits for none, or does not
    say whose and which it is."""
    identifier, peer = stanza.attributes.get("id"), stanza.attributes.get("from")
    if stanza.tag in WITHOUT or not isinstance(identifier, str) or not isinstance(peer, Jid):
        return None
    return Ack(cls=stanza.tag, id=identifier, peer=peer, error=error).to_stanza("to")


def parse(stanza: Stanza, direction: Direction) -> Ack:
    """Read an ``<ack>`` received in ``direction``."""
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
