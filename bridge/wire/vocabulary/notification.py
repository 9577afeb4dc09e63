"""``<notification id from type [t offline]>``: a notification from the server, which the client acknowledges.

type=encrypt  <count value/>                 few one-time prekeys are left
type=encrypt  <identity/>                    this person has a new identity
type=xmlns of the profile  <reachable/> or <unreachable/>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.ids import Jid
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.people import PeopleNames
from bridge.wire.vocabulary.reading import Direction, Reading, attributes

ENCRYPT: Final = "encrypt"


@dataclass(frozen=True)
class KeysLow:
    """``left`` one-time prekeys are left in the directory; ``peer`` is the server."""

    id: str
    peer: Jid
    left: int
    t: int | None = None
    offline: bool = False

    def to_stanza(self) -> Stanza:
        return _stanza(self, ENCRYPT, Stanza("count", attributes(value=self.left)))


@dataclass(frozen=True)
class IdentityChanged:
    """``peer`` has a new identity key: existing sessions with it are useless."""

    id: str
    peer: Jid
    t: int | None = None
    offline: bool = False

    def to_stanza(self) -> Stanza:
        return _stanza(self, ENCRYPT, Stanza("identity"))


@dataclass(frozen=True)
class Reachability:
    """``peer`` became reachable or unreachable."""

    id: str
    peer: Jid
    reachable: bool
    t: int | None = None
    offline: bool = False

    def to_stanza(self, names: PeopleNames) -> Stanza:
        return _stanza(self, names.xmlns, Stanza("reachable" if self.reachable else "unreachable"))


@dataclass(frozen=True)
class OtherNotification:
    """A notification that we do not use; it is acknowledged too."""

    id: str
    peer: Jid
    type: str
    t: int | None = None
    offline: bool = False


Notification = KeysLow | IdentityChanged | Reachability | OtherNotification


def type_of(notification: Notification, names: PeopleNames) -> str:
    """The ``type`` attribute, which the acknowledgement repeats."""
    if isinstance(notification, OtherNotification):
        return notification.type
    return names.xmlns if isinstance(notification, Reachability) else ENCRYPT


def parse(stanza: Stanza, direction: Direction, names: PeopleNames) -> Notification:
    """Read a ``<notification>``; the direction is always ``from``."""
    reading = Reading(stanza, "notification")
    identifier, peer, type_ = reading.text("id"), reading.jid(direction), reading.text("type")
    t, offline = reading.optional_number("t"), reading.optional_text("offline") is not None
    reading.done()
    count = stanza.child("count")
    if type_ == ENCRYPT and count is not None:
        inner = Reading(count, "count")
        left = inner.number("value")
        inner.done()
        return KeysLow(identifier, peer, left, t, offline)
    if type_ == ENCRYPT and stanza.child("identity") is not None:
        return IdentityChanged(identifier, peer, t, offline)
    if type_ == names.xmlns:
        for tag, reachable in (("reachable", True), ("unreachable", False)):
            if stanza.child(tag) is not None:
                return Reachability(identifier, peer, reachable, t, offline)
    return OtherNotification(identifier, peer, type_, t, offline)


def _stanza(news: KeysLow | IdentityChanged | Reachability, type_: str, inside: Stanza) -> Stanza:
    outer = attributes(
        id=news.id, from_=news.peer, type=type_, t=news.t, offline="1" if news.offline else None
    )
    return Stanza("notification", outer, (inside,))
