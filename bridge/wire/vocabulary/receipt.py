"""``<receipt>``: delivery and read receipts, and retry receipts.

    <receipt id to|from [type t offline]>[<list><item id/>...</list>]</receipt>

The first id is in ``id``, the others in the list. No ``type`` means delivered.

    <receipt id to|from type=retry>
      <retry count id t v=1/> <registration>4 bytes</registration>
      [<keys> type, identity, [key,] skey </keys>]
    </receipt>
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import keys
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.reading import Direction, Reading, attributes

DELIVERED: Final = None
READ: Final = "read"
PLAYED: Final = "played"
INACTIVE: Final = "inactive"
"""Delivered while the app was not in the foreground."""
RETRY: Final = "retry"

_RETRY_VERSION: Final = "1"


@dataclass(frozen=True)
class Receipt:
    """``type`` is None for delivered, else ``READ``, ``PLAYED``, ``INACTIVE`` or another word.

    ``t`` is unix seconds. Direction ``to``: ``peer`` wrote the messages; ``from``:
    ``peer`` received them.
    """

    ids: tuple[str, ...]
    peer: Jid
    type: str | None = DELIVERED
    t: int | None = None
    offline: bool = False

    def to_stanza(self, direction: Direction) -> Stanza:
        if not self.ids or self.type == RETRY:
            raise LocalProtocolError("a receipt names messages, and retries have a form of their own")
        first, *others = self.ids
        items = tuple(Stanza("item", {"id": other}) for other in others)
        content = (Stanza("list", {}, items),) if items else None
        rest = attributes(type=self.type, t=self.t, offline="1" if self.offline else None)
        return Stanza("receipt", {"id": first, direction: self.peer, **rest}, content)


@dataclass(frozen=True)
class RetryReceipt:
    """The receiver could not read the message: seal it again. ``count`` starts at 1.

    ``t`` is the message's own time, ``registration_id`` the asking client's, and
    ``keys`` (with the same registration id) a bundle for a new session.
    """

    id: str
    peer: Jid
    count: int
    registration_id: int
    keys: PublicBundle | None = None
    t: int | None = None
    offline: bool = False

    def to_stanza(self, direction: Direction) -> Stanza:
        retry = attributes(count=self.count, id=self.id, t=self.t, v=_RETRY_VERSION)
        content = [Stanza("retry", retry), keys.registration(self.registration_id)]
        if self.keys is not None:
            content.append(Stanza("keys", {}, keys.bundle(self.keys)))
        rest = attributes(type=RETRY, offline="1" if self.offline else None)
        return Stanza("receipt", {"id": self.id, direction: self.peer, **rest}, tuple(content))


def parse(stanza: Stanza, direction: Direction) -> Receipt | RetryReceipt:
    """Read a ``<receipt>`` received in ``direction``."""
    reading = Reading(stanza, "receipt")
    first, peer = reading.text("id"), reading.jid(direction)
    type_, t = reading.optional_text("type"), reading.optional_number("t")
    offline = reading.optional_text("offline") is not None
    reading.done()
    if type_ == RETRY:
        return _parse_retry(stanza, first, peer, offline)
    others: tuple[str, ...] = ()
    if stanza.child("list") is not None:
        others = tuple(_item_id(item) for item in keys.read_list(stanza, "item"))
    return Receipt((first, *others), peer, type_, t, offline)


def _item_id(item: Stanza) -> str:
    reading = Reading(item, "item")
    identifier = reading.text("id")
    reading.done()
    return identifier


def _parse_retry(stanza: Stanza, identifier: str, peer: Jid, offline: bool) -> RetryReceipt:
    retry = stanza.child("retry")
    if retry is None:
        raise RemoteProtocolError("<receipt>: a retry without <retry>")
    reading = Reading(retry, "retry")
    count, t = reading.number("count"), reading.optional_number("t")
    if reading.text("id") != identifier:
        reading.fault("id is another message's")
    if count < 1:
        reading.fault("count is below 1")
    reading.done()
    registration_id = keys.read_registration(stanza)
    found = stanza.child("keys")
    bundle = None if found is None else keys.read_bundle(found, registration_id)
    return RetryReceipt(identifier, peer, count, registration_id, bundle, t, offline)
