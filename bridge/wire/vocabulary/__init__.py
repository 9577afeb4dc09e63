"""Types for all stanzas in use: one file per family, each with both directions.

``parse`` reads any stanza of a connection. Import the families by name
(``from bridge.wire.vocabulary import message, receipt``).
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import ack, chatstate, info, iq, login, message, notification, receipt
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.chatstate import ChatState
from bridge.wire.vocabulary.info import Info
from bridge.wire.vocabulary.iq import Iq
from bridge.wire.vocabulary.login import LoginWord
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.notification import Notification
from bridge.wire.vocabulary.people import PeopleNames
from bridge.wire.vocabulary.reading import Direction
from bridge.wire.vocabulary.receipt import Receipt, RetryReceipt

__all__ = ["Direction", "PeopleNames", "UnknownStanza", "Word", "parse"]


@dataclass(frozen=True)
class UnknownStanza:
    """A stanza of no known family."""

    tag: str


Word = (
    Message | Receipt | RetryReceipt | Ack | Iq | Info | Notification | ChatState | LoginWord | UnknownStanza
)


def parse(stanza: Stanza, direction: Direction, names: PeopleNames) -> Word:
    """Read any stanza received in ``direction`` (clients read ``from``, the server ``to``).

    RemoteProtocolError when it breaks the rules of its family.
    """
    match stanza.tag:
        case "message":
            return message.parse(stanza, direction)
        case "receipt":
            return receipt.parse(stanza, direction)
        case "ack":
            return ack.parse(stanza, direction)
        case "iq":
            return iq.parse(stanza)
        case "ib":
            return info.parse(stanza)
        case "notification":
            return notification.parse(stanza, direction, names)
        case "chatstate":
            return chatstate.parse(stanza, direction)
        case "success" | "failure" | "stream:error":
            return login.parse(stanza)
        case tag:
            return UnknownStanza(tag)
