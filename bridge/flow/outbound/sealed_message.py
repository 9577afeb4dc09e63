"""A message on its way out, as its entry keeps it: its bytes, and whom to tell what became of it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from bridge.flow import outbox
from bridge.ids import ContactId, EventId, RoomId, UserId
from bridge.sentences import Sentence, say
from bridge.store.journal import New


@dataclass(frozen=True)
class SealedOut:
    """What an entry in state ``sealed`` holds. ``stanza`` is encoded.

    The keeper seals it, not the account's own key: the sender can be told even when the account has left.
    """

    contact_id: ContactId
    event_id: EventId
    sender: UserId
    stanza: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """For the entry's body."""
        return json.dumps(
            [self.contact_id.hex(), self.event_id, self.sender, b64encode(self.stanza).decode()]
        ).encode()

    @staticmethod
    def from_bytes(data: bytes) -> SealedOut:
        """What ``to_bytes`` gave."""
        contact_id, event_id, sender, stanza = json.loads(data)
        return SealedOut(
            ContactId(bytes.fromhex(contact_id)), EventId(event_id), UserId(sender), b64decode(stanza)
        )

    def not_sent(self, room_id: RoomId, reason: Sentence) -> New:
        """The notice that it is not tried again; it may have arrived all the same."""
        sentence = say("outbound.not_sent", reason=say("outbound.unsure", reason=reason))
        return outbox.Notice(room_id, sentence, self.event_id, self.sender).owed(f"failed/{self.event_id}")
