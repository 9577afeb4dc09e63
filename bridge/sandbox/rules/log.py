"""The network's logs, which a checker reads (reliability.md section 1).

N_in: messages for accounts, with every transmission and the acknowledgement.
N_out: encrypted messages from accounts, with ratchet key and counter.
``order`` numbers all entries, so that the logs can be merged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from bridge.e2ee.message import PreKeyMessage, SignalMessage, read_message, read_prekey_message
from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.vocabulary.message import Message


@dataclass
class Transmission:
    """One transmission of a message to its account."""

    order: int
    at: float
    connection: int
    offline: bool


@dataclass
class Delivery:
    """A message for an account. ``acked_order`` is None until it is acknowledged."""

    number: int
    order: int
    at: float
    account: str
    id: str
    sender: str
    kind: str
    count: int
    ciphertext: str = field(repr=False)
    sent: list[Transmission] = field(default_factory=list)
    acked_order: int | None = None
    acked_at: float | None = None
    acked_error: int | None = None
    expired: bool = False


@dataclass
class Submission:
    """A message from an account. Keys in hexadecimal; None where the message is unreadable.

    ``base_key`` is set only for a ``pkmsg``; ``error`` is the code of a refusal.
    """

    order: int
    at: float
    account: str
    connection: int | None
    id: str
    to: str
    kind: str
    count: int
    ciphertext: str = field(repr=False)
    base_key: str | None = None
    ratchet_key: str | None = None
    counter: int | None = None
    error: int | None = None
    acked: bool = True


@dataclass
class Log:
    """Both logs; receipts, logins, enlistments and wake-ups; counters of irregular events."""

    order: int = 0
    n_in: list[Delivery] = field(default_factory=list)
    n_out: list[Submission] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    logins: list[dict[str, Any]] = field(default_factory=list)
    enlistments: list[dict[str, Any]] = field(default_factory=list)
    pushes: list[dict[str, Any]] = field(default_factory=list)
    counters: Counter[str] = field(default_factory=Counter)

    def next(self) -> int:
        """The next order number."""
        self.order += 1
        return self.order

    def delivery(self, account: Jid, message: Message, now: float) -> Delivery:
        """Log a message put into an account's mailbox."""
        made = Delivery(
            number=len(self.n_in),
            order=self.next(),
            at=now,
            account=str(account),
            id=message.id,
            sender=str(message.peer),
            kind=message.kind,
            count=message.count,
            ciphertext=message.ciphertext.hex(),
        )
        self.n_in.append(made)
        return made

    def submission(self, account: Jid, connection: int | None, message: Message, now: float) -> Submission:
        """Log a message from an account."""
        made = Submission(
            order=self.next(),
            at=now,
            account=str(account),
            connection=connection,
            id=message.id,
            to=str(message.peer),
            kind=message.kind,
            count=message.count,
            ciphertext=message.ciphertext.hex(),
        )
        _note_keys(made, message)
        self.n_out.append(made)
        return made

    def to_json(self, after: int = 0) -> dict[str, Any]:
        """Entries whose order is above ``after``; deliveries are always included."""
        return {
            "order": self.order,
            "n_in": [asdict(entry) for entry in self.n_in],
            "n_out": [asdict(entry) for entry in self.n_out if entry.order > after],
            "receipts": [entry for entry in self.receipts if entry["order"] > after],
            "logins": [entry for entry in self.logins if entry["order"] > after],
            "enlistments": [entry for entry in self.enlistments if entry["order"] > after],
            "pushes": [entry for entry in self.pushes if entry["order"] > after],
            "counters": dict(self.counters),
        }


def _note_keys(submission: Submission, message: Message) -> None:
    inner: SignalMessage | PreKeyMessage
    try:
        inner = (
            read_prekey_message(message.ciphertext)
            if message.kind == "pkmsg"
            else read_message(message.ciphertext)
        )
    except RemoteProtocolError:
        return
    if isinstance(inner, PreKeyMessage):
        submission.base_key = inner.base_key.hex()
        inner = inner.message
    submission.ratchet_key, submission.counter = inner.ratchet_key.hex(), inner.counter
