"""A simulated person's history: messages received and sent, as data for tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from bridge.ids import Jid


@dataclass
class Received:
    """A received message. ``state``: ``read`` (opened), ``awaiting`` (a retry) or ``failed``.

    ``text`` is None until opened, and for other kinds than text. ``ciphertexts`` has everything received
    under this id, in hexadecimal; ``repeats`` counts duplicates.
    """

    sender: Jid
    id: str
    t: int | None
    name: str | None
    state: str = "awaiting"
    kind: str | None = None
    text: str | None = None
    reply_to: str | None = None
    asked: int = 0
    repeats: int = 0
    read_receipt_sent: bool = False
    ciphertexts: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For the control API."""
        return {**asdict(self), "sender": str(self.sender)}


@dataclass
class Sent:
    """A sent message. ``state``: ``waiting`` for keys, ``sent``, ``accepted`` or ``refused``."""

    to: Jid
    id: str
    text: str
    payload: bytes = field(repr=False)
    state: str = "waiting"
    t: int | None = None
    error: int | None = None
    delivered: int = 0
    read: int = 0
    answered_retries: int = 0

    def to_json(self) -> dict[str, Any]:
        """For the control API."""
        data = asdict(self)
        del data["payload"]
        return {**data, "to": str(self.to)}


@dataclass
class History:
    """One person's messages, in order."""

    received: list[Received] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    typing: dict[Jid, bool] = field(default_factory=dict)
    typing_seen: int = 0
    identity_changes: list[Jid] = field(default_factory=list)
    dropped: int = 0
    """Messages that the session had opened before, under another id."""
    _received: dict[tuple[Jid, str], Received] = field(default_factory=dict)
    _sent: dict[tuple[Jid, str], Sent] = field(default_factory=dict)

    def keep_received(self, message: Received) -> None:
        """Add a received message."""
        self.received.append(message)
        self._received[message.sender, message.id] = message

    def keep_sent(self, message: Sent) -> None:
        """Add a sent message."""
        self.sent.append(message)
        self._sent[message.to, message.id] = message

    def find_received(self, sender: Jid, id: str) -> Received | None:
        """The message with that sender and id."""
        return self._received.get((sender, id))

    def find_sent(self, to: Jid, id: str) -> Sent | None:
        """The message with that recipient and id."""
        return self._sent.get((to, id))

    def to_json(self) -> dict[str, Any]:
        """For the control API."""
        return {
            "received": [each.to_json() for each in self.received],
            "sent": [each.to_json() for each in self.sent],
            "typing": {str(jid): typing for jid, typing in self.typing.items()},
            "typing_seen": self.typing_seen,
            "identity_changes": [str(jid) for jid in self.identity_changes],
            "dropped": self.dropped,
        }
