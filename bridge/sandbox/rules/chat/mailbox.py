"""An account's mailbox: entries in order, kept until they are acknowledged or expire.

An id that was seen before is no reason to drop an entry: a retry answer has the same id with new bytes,
and the recipient dedupes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bridge.ids import Jid
from bridge.wire.stanza import Stanza

OFFLINE = {"offline": "1"}


@dataclass(frozen=True)
class Key:
    """What an acknowledgement names. The id alone is not unique."""

    cls: str
    id: str
    type: str | None
    peer: Jid


@dataclass
class Entry:
    """A queued stanza; ``delivery`` is its number in the log when it is a message."""

    key: Key
    stanza: Stanza
    queued_at: float
    delivery: int | None = None
    sent: bool = False
    """On the present connection."""

    def offline(self) -> Stanza:
        """The stanza marked as offline."""
        return replace(self.stanza, attributes={**self.stanza.attributes, **OFFLINE})


@dataclass
class Mailbox:
    """One account's mailbox. While ``draining``, new stanzas queue behind the old ones."""

    entries: deque[Entry] = field(default_factory=deque)
    draining: bool = False
    drained: int = 0

    def begin(self) -> None:
        """Start on a new connection: everything unacknowledged is sent again."""
        for entry in self.entries:
            entry.sent = False
        self.draining, self.drained = True, 0

    def unsent(self) -> Iterator[Entry]:
        """Unsent entries, in order."""
        return (entry for entry in self.entries if not entry.sent)

    def under_way(self) -> bool:
        """Whether something sent on this connection was not acknowledged."""
        return any(entry.sent for entry in self.entries)

    def batch(self, size: int) -> list[Entry]:
        """The next ``size`` unsent entries, marked as sent."""
        found: list[Entry] = []
        for entry in self.unsent():
            if len(found) == size:
                break
            entry.sent = True
            found.append(entry)
        self.drained += len(found)
        return found

    def acknowledge(self, key: Key) -> Entry | None:
        """Remove the oldest sent entry with this key; None when there is none."""
        for entry in self.entries:
            if entry.sent and _matches(entry.key, key):
                self.entries.remove(entry)
                return entry
        return None

    def expire(self, before: float) -> list[Entry]:
        """Remove what was queued before that time."""
        expired = [entry for entry in self.entries if entry.queued_at < before]
        if expired:
            self.entries = deque(entry for entry in self.entries if entry.queued_at >= before)
        return expired


def _matches(kept: Key, given: Key) -> bool:
    # A message's acknowledgement may leave out the type: id and sender name one message.
    types_fit = kept.type == given.type or (kept.cls == "message" and given.type is None)
    return types_fit and (kept.cls, kept.id, kept.peer) == (given.cls, given.id, given.peer)
