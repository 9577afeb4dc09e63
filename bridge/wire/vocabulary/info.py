"""``<ib>``: mailbox notices from the server, and the client's flow control.

<ib><offline_preview count message receipt notification/></ib>   what waits
<ib><offline_batch count/></ib>                                  send that many (client)
<ib><offline count/></ib>                                        that was all
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import RemoteProtocolError
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.reading import Reading, attributes


@dataclass(frozen=True)
class OfflinePreview:
    """Number of waiting stanzas, in all and by kind."""

    count: int
    messages: int = 0
    receipts: int = 0
    notifications: int = 0

    def to_stanza(self) -> Stanza:
        preview = attributes(
            count=self.count, message=self.messages, receipt=self.receipts, notification=self.notifications
        )
        return Stanza("ib", {}, (Stanza("offline_preview", preview),))


@dataclass(frozen=True)
class OfflineBatch:
    """The client takes up to ``count`` more."""

    count: int

    def to_stanza(self) -> Stanza:
        return Stanza("ib", {}, (Stanza("offline_batch", attributes(count=self.count)),))


@dataclass(frozen=True)
class OfflineDone:
    """The mailbox is empty; ``count`` stanzas were sent from it."""

    count: int

    def to_stanza(self) -> Stanza:
        return Stanza("ib", {}, (Stanza("offline", attributes(count=self.count)),))


@dataclass(frozen=True)
class OtherInfo:
    """A notice that we do not use; it needs no answer."""

    tag: str


Info = OfflinePreview | OfflineBatch | OfflineDone | OtherInfo


def parse(stanza: Stanza) -> Info:
    """Read an ``<ib>``."""
    children = stanza.children()
    if stanza.tag != "ib" or not children:
        raise RemoteProtocolError("<ib>: there is nothing inside")
    node = children[0]
    reading = Reading(node, node.tag)
    info: Info
    if node.tag == "offline_preview":
        info = OfflinePreview(
            reading.number("count"),
            reading.optional_number("message") or 0,
            reading.optional_number("receipt") or 0,
            reading.optional_number("notification") or 0,
        )
    elif node.tag == "offline_batch":
        info = OfflineBatch(reading.number("count"))
    elif node.tag == "offline":
        info = OfflineDone(reading.number("count"))
    else:
        info = OtherInfo(node.tag)
    reading.done()
    return info
