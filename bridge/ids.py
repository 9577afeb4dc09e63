"""Identifiers: one type each, with its scope, and how ours are derived.

None of these is logged as it is; logs carry ``log_id`` of it.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from typing import NewType

UserId = NewType("UserId", str)
"""A Matrix user, ``@localpart:server``."""
RoomId = NewType("RoomId", str)
"""A Matrix room; opaque, never parsed (newer room versions carry no server)."""
EventId = NewType("EventId", str)
"""A Matrix event; unique for ever."""
NetworkId = NewType("NetworkId", str)
"""A network, the ``id`` of its profile."""
ServiceId = NewType("ServiceId", str)
"""A service within a network, such as ``whatsapp``."""
StanzaId = NewType("StanzaId", str)
"""A message on the network; unique per sender and chat, chosen by the sender."""
AccountId = NewType("AccountId", bytes)
"""(Matrix user, network): 16 bytes, random, made at agreement."""
ContactId = NewType("ContactId", bytes)
"""A person as one account knows them: 16 bytes, private to that account."""
EntryId = NewType("EntryId", bytes)
"""An entry of the journal: 16 bytes, derived from what it stands for."""

DERIVED_BYTES = 16
INTEROP_SERVER = "interop"

_SERVER = re.compile(r"[a-z.]{1,32}")
_JID = re.compile(
    r"(?:(?P<integrator>[0-9]{1,5})-)?(?P<user>[^\s@:]{1,128})(?::(?P<device>[0-9]{1,5}))?"
    rf"@(?P<server>{_SERVER.pattern})"
)
MAX_UINT16 = 0xFFFF


@dataclass(frozen=True, order=True)
class Jid:
    """An internal identifier of the network: ``user@server`` or ``integrator-user@interop``.

    On the wire integrator and device have 16 bits (binary stanzas, INTEROP_JID).
    ``user`` is empty only for the server itself.
    """

    user: str
    server: str
    integrator: int = 0
    device: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.integrator <= MAX_UINT16 and 0 <= self.device <= MAX_UINT16):
            raise ValueError("integrator and device have 16 bits")
        if self.server != INTEROP_SERVER and self.integrator:
            raise ValueError("only interop identifiers name an integrator")

    def __str__(self) -> str:
        if not self.user:
            return self.server
        integrator = f"{self.integrator}-" if self.server == INTEROP_SERVER else ""
        device = f":{self.device}" if self.device else ""
        return f"{integrator}{self.user}{device}@{self.server}"

    @staticmethod
    def parse(text: str) -> Jid:
        """Read the printed form; ValueError when it is none."""
        if _SERVER.fullmatch(text):
            return Jid("", text)
        match = _JID.fullmatch(text)
        if match is None:
            raise ValueError("not an internal identifier")
        server, user = match["server"], match["user"]
        integrator = match["integrator"]
        if server == INTEROP_SERVER:
            if integrator is None:
                raise ValueError("an interop identifier names its integrator")
        elif integrator is not None:
            user, integrator = f"{integrator}-{user}", None
        return Jid(user, server, int(integrator or 0), int(match["device"] or 0))


def derive(key: bytes, *parts: str | bytes, size: int = DERIVED_BYTES) -> bytes:
    """A keyed hash over ``parts``, each with its length, so that no two lists collide."""
    framed = bytearray()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        framed += len(data).to_bytes(8, "big") + data
    return hmac.digest(key, framed, "sha256")[:size]


GHOST_PREFIX = "ib_"
"""What localparts of ghosts and aliases begin with, unless the config says otherwise."""


OPAQUE_CHARACTERS = 26
"""128 bits in base32."""


def opaque_localpart(key: bytes, *parts: str | bytes, prefix: str = GHOST_PREFIX) -> str:
    """The localpart of a ghost or alias: ``prefix`` and 26 base32 characters (128 bits)."""
    return prefix + base64.b32encode(derive(key, *parts)).decode().rstrip("=").lower()


def stanza_id(account_key: bytes, event: EventId) -> StanzaId:
    """Our stanza id: ``3EB0`` and 18 hex digits, the same for the same event for ever."""
    return StanzaId("3EB0" + derive(account_key, "stanza", event, size=9).hex().upper())


def transaction_id(key: bytes, *parts: str | bytes) -> str:
    """A Matrix transaction id made of content keys.

    Never of a database row id: SQLite re-uses purged row ids, and a homeserver answers
    a repeated transaction id with the old event, so the new text would be lost.
    """
    return "ib" + derive(key, "transaction", *parts).hex()


def log_id(key: bytes, identifier: str | bytes) -> str:
    """Eight hex digits that stand for an identifier in this installation's log only."""
    return derive(key, "log", identifier, size=4).hex()
