"""Every kind of unit, as a table: its name (which is its failpoint) and its statements, in order.

Whatever a unit does to the journal comes with what it does elsewhere: settling an entry, what is
owed because of it, and the state it moved are one commit or none.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.ports import Kind, Row, Statement, Unit
from bridge.store.tables import accounts, contacts, entries, installation, messages

_FENCE = {"fence": accounts.FENCE}
_SETTLE = {"settle": entries.SETTLE}
_OWE = {"owe": entries.ADD, "remember": entries.REMEMBER}


def _kind(name: str, *groups: dict[str, Statement], **statements: Statement) -> Kind:
    merged: dict[str, Statement] = {}
    for group in groups:
        merged.update(group)
    merged.update(statements)
    return Kind(name, merged)


INSTALL = _kind("install", install=installation.KEEP)
TAKE_OVER = _kind("take-over", take_over=accounts.TAKE_OVER)

INTAKE = _kind("intake", add=entries.ADD, remember=entries.REMEMBER)
"""Parts of a transaction of the homeserver."""
ARRIVE = _kind("arrive", _FENCE, add=entries.ADD, remember=entries.REMEMBER)
"""A stanza, as it came."""
SETTLE = _kind("settle", _SETTLE, _OWE)
"""An entry is done with; what it leaves owed is added."""
OWE = _kind("owe", _OWE)
POSTPONE = _kind("postpone", postpone=entries.POSTPONE)

SEAL = _kind(
    "seal",
    _FENCE,
    advance=entries.ADVANCE,
    begin=contacts.BEGIN_SESSION,
    move=contacts.MOVE_SESSION,
    identity=contacts.NOTE_IDENTITY,
    message=messages.ADD,
    owe=entries.ADD,
    remember=entries.REMEMBER,
)
"""A message out: the session moved on and the ciphertext stored."""
ACCEPTED = _kind("accepted", _SETTLE, _OWE, change=messages.CHANGE)
"""The network has the message."""
RENEW = _kind(
    "renew",
    _FENCE,
    advance=entries.ADVANCE,
    begin=contacts.BEGIN_SESSION,
    move=contacts.MOVE_SESSION,
    count=messages.COUNT_RETRY,
    identity=contacts.NOTE_IDENTITY,
    owe=entries.ADD,
    remember=entries.REMEMBER,
)
"""A message out, sealed again under a new key because the contact asked."""
IDENTITY = _kind("identity", _SETTLE, _OWE, begin=contacts.BEGIN_SESSION, move=contacts.MOVE_SESSION)
"""A contact's identity changed: the current session is archived."""

MEET = _kind("meet", _FENCE, meet=contacts.MEET)
KNOW = _kind("know", _OWE, know=contacts.KNOW)
"""A contact goes by another name; where they have a room, it is owed to it."""
OPEN = _kind(
    "open",
    _FENCE,
    advance=entries.ADVANCE,
    begin=contacts.BEGIN_SESSION,
    move=contacts.MOVE_SESSION,
    spend=accounts.SPEND_PREKEY,
    identity=contacts.NOTE_IDENTITY,
    message=messages.ADD,
    change=messages.CHANGE,
    owe=entries.ADD,
    remember=entries.REMEMBER,
)
"""A message in: the session moved on, the plaintext sealed at rest, the prekey spent."""
AWAIT = _kind("await", _FENCE, _SETTLE, _OWE, message=messages.ADD, count=messages.COUNT_RETRY)
"""A message in that cannot be opened: a retry receipt is owed."""
SHOWN = _kind("shown", _SETTLE, _OWE, show=messages.SHOW)
"""A message in stands in Matrix."""
CHANGED = _kind("changed", _SETTLE, _OWE, change=messages.CHANGE)
"""The state of messages changed, and an entry is done with."""

PORTAL = _kind("portal", _FENCE, room=contacts.ROOM, owe=entries.ADD, remember=entries.REMEMBER)
WAITING = _kind("waiting", waiting=contacts.WAITING)

AGREE = _kind(
    "agree",
    _SETTLE,
    alone=accounts.ALONE,
    open=accounts.OPEN,
    agree=accounts.AGREE,
    dialogue=messages.DIALOGUE,
    owe=entries.ADD,
    remember=entries.REMEMBER,
)
"""The user agreed: the record, the account, and the enlistment that is owed."""
KEYS = _kind(
    "keys",
    _FENCE,
    state=accounts.CHANGE_STATE,
    keys=accounts.KEEP_KEYS,
    count=accounts.COUNT_PREKEYS,
    prekey=accounts.ADD_PREKEY,
)
"""Keys made, before the network hears of them."""
PREKEYS = _kind("prekeys", _FENCE, count=accounts.COUNT_PREKEYS, prekey=accounts.ADD_PREKEY)
UPLOADED = _kind(
    "uploaded",
    _FENCE,
    _SETTLE,
    _OWE,
    uploaded=accounts.UPLOADED_PREKEYS,
    retire=accounts.RETIRE_PREKEY,
)
"""The network has our prekeys; signed ones that nobody can use any more go."""
ENLISTED = _kind("enlisted", _FENCE, _SETTLE, _OWE, state=accounts.CHANGE_STATE, login=accounts.LOGIN)
ACCOUNT_STATE = _kind("account-state", _SETTLE, _OWE, state=accounts.CHANGE_STATE)
CONNECTED = _kind("connected", connected=accounts.CONNECTED)
LEAVE = _kind(
    "leave",
    _SETTLE,
    state=accounts.CHANGE_STATE,
    withdraw=accounts.WITHDRAW,
    dialogue=messages.DIALOGUE,
    owe=entries.ADD,
    remember=entries.REMEMBER,
)
LEFT = _kind(
    "left",
    _FENCE,
    _SETTLE,
    state=accounts.CHANGE_STATE,
    destroy=accounts.DESTROY_KEYS,
    prekeys=accounts.DELETE_PREKEYS,
    sessions=contacts.DELETE_SESSIONS,
    contacts=contacts.DELETE_OF_ACCOUNT,
    messages=messages.DELETE_OF_ACCOUNT,
    entries=entries.DELETE_OF_ACCOUNT,
    owe=entries.ADD,
    remember=entries.REMEMBER,
)
"""Keys destroyed, and with them everything they sealed."""

MANAGE = _kind("manage", _SETTLE, _OWE, manage=messages.MANAGE, room=accounts.TALKED_IN)
UNMANAGE = _kind("unmanage", unmanage=messages.UNMANAGE, room=accounts.TALKED_IN)
"""A user left the room in which they talked to the bot."""
TALKED = _kind("talked", _SETTLE, _OWE, dialogue=messages.DIALOGUE, room=accounts.TALKED_IN)
"""The bot understood what a user said: where the talk stands, and the answers owed."""
EXPIRE = _kind("expire", forget=messages.FORGET_BODIES)

ALL: Sequence[Kind] = [value for value in list(globals().values()) if isinstance(value, Kind)]
WAKES = frozenset(kind.name for kind in ALL if entries.ADD in kind.statements.values())
"""Kinds that can add entries: their commit wakes the pump."""


def unit(kind: Kind, **rows: Sequence[Row]) -> Unit:
    """A unit of ``kind``; each argument is the rows of the statement of that name."""
    unknown = rows.keys() - kind.statements.keys()
    if unknown:
        raise ValueError(f"a unit of kind {kind.name} has no statement {sorted(unknown)}")
    return Unit(kind, rows)
