"""What the bridge owes to people, as entries: notices, receipts, statuses. Each is sent once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.ids import AccountId, EventId, RoomId, StanzaId, UserId
from bridge.sentences import Sentence, from_json, to_json
from bridge.store.journal import New
from bridge.store.tables.accounts import Account

NOTICE = "notice"
STATUS = "status"
RECEIPT_OUT = "receipt-out"
ASK_RETRY = "ask-retry"
GIVE_UP_WAITING = "give-up-waiting"
ENLIST = "enlist"
UPLOAD = "upload"
TOP_UP = "top-up"
RENEW_SIGNED = "renew-signed"
COME_BACK = "come-back"
RENAME = "rename"
DELETE = "delete"
START_CHAT = "start-chat"
READ_BACK = "read-back"
OPEN_ROOM = "open-room"


@dataclass(frozen=True)
class Notice:
    """A sentence of the bot in a room; as a reply to an event, it mentions only that event's sender.

    Without a room it goes to where the user talks to the bot, or to a room made for it.
    """

    room_id: RoomId
    sentence: Sentence = field(repr=False)
    event_id: EventId | None = None
    user_id: UserId | None = None

    def owed(self, key: str | bytes, *, to: UserId | None = None) -> New:
        """The entry; one notice for each ``key``.

        Notices of a room keep their order, and so do those that answer a user with those that wait for
        them wherever they talk to the bot: ``to`` names whom a notice in a room answers.
        """
        body = {
            "room_id": self.room_id,
            "sentence": to_json(self.sentence),
            "event_id": self.event_id,
            "user_id": self.user_id,
        }
        lane = f"notice:{to or self.room_id or self.user_id}"
        return New(NOTICE, lane, key, json.dumps(body).encode())

    @staticmethod
    def from_bytes(body: bytes) -> Notice:
        """What ``owed`` stored."""
        values = json.loads(body)
        return Notice(
            RoomId(values["room_id"]),
            from_json(values["sentence"]),
            values["event_id"] and EventId(values["event_id"]),
            values["user_id"] and UserId(values["user_id"]),
        )


def to_owner(account: Account, sentence: Sentence) -> Notice:
    """A notice for the user of an account, wherever they talk to the bot."""
    return Notice(RoomId(""), sentence, user_id=account.user_id)


@dataclass(frozen=True)
class Status:
    """What became of a Matrix event, for clients that show it (com.beeper.message_send_status)."""

    room_id: RoomId
    event_id: EventId
    status: str
    reason: str | None = None
    sentence: Sentence | None = field(default=None, repr=False)
    delivered_to: tuple[UserId, ...] | None = None

    def owed(self) -> New:
        """The entry; one for each event and status."""
        body = {
            "room_id": self.room_id,
            "event_id": self.event_id,
            "status": self.status,
            "reason": self.reason,
            "sentence": to_json(self.sentence) if self.sentence else None,
            "delivered_to": self.delivered_to,
        }
        key = f"{self.event_id}/{self.status}/{bool(self.delivered_to)}"
        return New(STATUS, f"notice:{self.room_id}", key, json.dumps(body).encode())

    @staticmethod
    def from_bytes(body: bytes) -> Status:
        """What ``owed`` stored."""
        values = json.loads(body)
        delivered_to = values["delivered_to"]
        return Status(
            RoomId(values["room_id"]),
            EventId(values["event_id"]),
            values["status"],
            values["reason"],
            from_json(values["sentence"]) if values["sentence"] else None,
            None if delivered_to is None else tuple(UserId(user) for user in delivered_to),
        )


@dataclass(frozen=True)
class ReceiptOut:
    """A receipt for messages of a contact: delivered (``kind`` None) or read."""

    account_id: AccountId
    jid: str = field(repr=False)
    stanza_ids: tuple[StanzaId, ...]
    kind: str | None
    at: float

    def owed(self, contact_id: bytes) -> New:
        """The entry; one for each kind and set of messages."""
        body = {"jid": self.jid, "ids": list(self.stanza_ids), "kind": self.kind, "at": self.at}
        key = f"{contact_id.hex()}/{self.kind}/{','.join(self.stanza_ids)}"
        lane = f"receipts:{contact_id.hex()}"
        return New(RECEIPT_OUT, lane, key, json.dumps(body).encode(), self.account_id)

    @staticmethod
    def from_bytes(account_id: AccountId, body: bytes) -> ReceiptOut:
        """What ``owed`` stored."""
        values = json.loads(body)
        ids = tuple(StanzaId(each) for each in values["ids"])
        return ReceiptOut(account_id, values["jid"], ids, values["kind"], values["at"])


def task(kind: str, account_id: AccountId, key: str | bytes, *, lane: str = "", **values: Any) -> New:
    """Something the bridge owes itself for an account, in the account's lane unless another is named."""
    body = json.dumps(values).encode()
    return New(kind, lane or f"account:{account_id.hex()}", key, body, account_id)


def come_back(account_id: AccountId, key: str, at: float) -> New:
    """A suspension ends at a time; in a lane of its own, so that it holds up nothing else until then."""
    return New(COME_BACK, f"come-back:{account_id.hex()}", key, b"{}", account_id, at)


Values = Mapping[str, Any]


def values_of(body: bytes) -> Values:
    """What ``task`` stored."""
    values: Values = json.loads(body)
    return values
