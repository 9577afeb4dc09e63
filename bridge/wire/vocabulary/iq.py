"""``<iq>``: a query and its answer, matched by id.

<iq id type=get|set xmlns>...</iq>
<iq id type=result>...</iq>
<iq id type=error><error code [text]/></iq>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from bridge.errors import RemoteProtocolError
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.reading import Reading, attributes

Action = Literal["get", "set"]
PING_XMLNS: Final = "w:p"


@dataclass(frozen=True)
class IqError:
    """Why a query was refused, or its part about one person."""

    code: int
    text: str | None = None

    def to_stanza(self) -> Stanza:
        return Stanza("error", attributes(code=self.code, text=self.text))


@dataclass(frozen=True)
class Request:
    """A query; ``xmlns`` names its family."""

    id: str
    action: Action
    xmlns: str
    content: tuple[Stanza, ...] = ()

    def to_stanza(self) -> Stanza:
        return Stanza("iq", {"id": self.id, "type": self.action, "xmlns": self.xmlns}, self.content or None)


@dataclass(frozen=True)
class Result:
    """The answer to the query with the same id."""

    id: str
    content: tuple[Stanza, ...] = ()

    def to_stanza(self) -> Stanza:
        return Stanza("iq", {"id": self.id, "type": "result"}, self.content or None)

    def child(self, tag: str) -> Stanza:
        """The first node with ``tag``; RemoteProtocolError when the answer has none."""
        for node in self.content:
            if node.tag == tag:
                return node
        raise RemoteProtocolError(f"<iq>: the answer has no <{tag}>")


@dataclass(frozen=True)
class Failure:
    """The refusal of the query with the same id."""

    id: str
    error: IqError

    def to_stanza(self) -> Stanza:
        return Stanza("iq", {"id": self.id, "type": "error"}, (self.error.to_stanza(),))


Iq = Request | Result | Failure


def ping(id: str) -> Stanza:
    """The keep-alive; its answer is an empty ``Result``."""
    return Request(id, "get", PING_XMLNS).to_stanza()


def is_ping(request: Request) -> bool:
    """True for a ``ping``."""
    return request.action == "get" and request.xmlns == PING_XMLNS


def parse(stanza: Stanza) -> Iq:
    """Read an ``<iq>``."""
    reading = Reading(stanza, "iq")
    identifier, type_ = reading.text("id"), reading.text("type")
    xmlns = reading.text("xmlns") if type_ in ("get", "set") else ""
    if type_ not in ("get", "set", "result", "error"):
        reading.fault("type is unknown")
    reading.done()
    if type_ == "get":
        return Request(identifier, "get", xmlns, stanza.children())
    if type_ == "set":
        return Request(identifier, "set", xmlns, stanza.children())
    if type_ == "result":
        return Result(identifier, stanza.children())
    error = stanza.child("error")
    if error is None:
        raise RemoteProtocolError("<iq>: an error without <error>")
    return Failure(identifier, parse_error(error))


def parse_error(stanza: Stanza) -> IqError:
    """Read an ``<error>``, of a whole answer or of one person in it."""
    reading = Reading(stanza, "error")
    error = IqError(reading.number("code"), reading.optional_text("text"))
    reading.done()
    return error
