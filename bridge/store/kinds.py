"""Every kind of unit, as a table: its name (which is its failpoint) and its statements, in order.

Whatever a unit does to the journal comes with what it does elsewhere: settling an entry, what is
owed because of it, and the state it moved are one commit or none.

A unit that changes rows of an account is guarded by the account's epoch: ``fence`` is the first
statement of such a kind, and ``unit`` refuses rows without it. So an owner that was replaced, and does
not know it yet, changes nothing, and the owner may keep the account's rows in memory. Statements need
the guard unless they stand in ``UNFENCED``.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.ports import Kind, Row, Statement, Unit
from bridge.store.tables import accounts, contacts, entries, installation, messages

UNFENCED = frozenset(
    {
        *(entries.ADD, entries.REMEMBER, entries.ADVANCE, entries.POSTPONE, entries.SETTLE),
        *(messages.MANAGE, messages.UNMANAGE, messages.DIALOGUE),
        *(accounts.ALONE, accounts.OPEN, accounts.AGREE),
        *(accounts.TAKE_OVER, messages.FORGET_BODIES),
        installation.KEEP,
    }
)
"""What changes no row of an account: the journal, whose entries guard themselves by their state, rooms of
the bot, and the installation. What makes an account cannot be guarded by it; what changes all accounts of
an owner names the owner."""

_SETTLE = {"settle": entries.SETTLE}
_OWE = {"owe": entries.ADD, "remember": entries.REMEMBER}


def _kind(name: str, *groups: dict[str, Statement], **statements: Statement) -> Kind:
    """A kind; its guard stands first where one of its statements needs it."""
    together: dict[str, Statement] = {}
    for group in (*groups, statements):
        together.update(group)
    fence = {} if UNFENCED.issuperset(together.values()) else {"fence": accounts.FENCE}
    return Kind(name, {**fence, **together})


INSTALL = _kind("install", install=installation.KEEP)
TAKE_OVER = _kind("take-over", take_over=accounts.TAKE_OVER)

INTAKE = _kind("intake", add=entries.ADD, remember=entries.REMEMBER)
"""Parts of a transaction of the homeserver."""
ARRIVE = _kind("arrive", {"fence": accounts.FENCE}, add=entries.ADD, remember=entries.REMEMBER)
"""A stanza, as it came: only the owner of the account may acknowledge it."""
SETTLE = _kind("settle", _SETTLE, _OWE)
"""An entry is done with; what it leaves owed is added."""
OWE = _kind("owe", _OWE)
POSTPONE = _kind("postpone", postpone=entries.POSTPONE)

SEAL = _kind(
    "seal",
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

MEET = _kind("meet", meet=contacts.MEET)
KNOW = _kind("know", _OWE, know=contacts.KNOW)
"""A contact goes by another name; where they have a room, it is owed to it."""
OPEN = _kind(
    "open",
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
AWAIT = _kind("await", _SETTLE, _OWE, message=messages.ADD, count=messages.COUNT_RETRY)
"""A message in that cannot be opened: a retry receipt is owed."""
SHOWN = _kind("shown", _SETTLE, _OWE, show=messages.SHOW)
"""A message in stands in Matrix."""
CHANGED = _kind("changed", _SETTLE, _OWE, change=messages.CHANGE)
"""The state of messages changed, and an entry is done with."""

PORTAL = _kind("portal", room=contacts.ROOM, owe=entries.ADD, remember=entries.REMEMBER)
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
    state=accounts.CHANGE_STATE,
    keys=accounts.KEEP_KEYS,
    count=accounts.COUNT_PREKEYS,
    prekey=accounts.ADD_PREKEY,
)
"""Keys made, before the network hears of them."""
PREKEYS = _kind("prekeys", count=accounts.COUNT_PREKEYS, prekey=accounts.ADD_PREKEY)
UPLOADED = _kind(
    "uploaded",
    _SETTLE,
    _OWE,
    uploaded=accounts.UPLOADED_PREKEYS,
    retire=accounts.RETIRE_PREKEY,
)
"""The network has our prekeys; signed ones that nobody can use any more go."""
ENLISTED = _kind("enlisted", _SETTLE, _OWE, state=accounts.CHANGE_STATE, login=accounts.LOGIN)
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

MANAGE = _kind("manage", _SETTLE, _OWE, manage=messages.MANAGE)
UNMANAGE = _kind("unmanage", unmanage=messages.UNMANAGE)
"""A user left the room in which they talked to the bot."""
TALKED = _kind("talked", _SETTLE, _OWE, dialogue=messages.DIALOGUE)
"""The bot understood what a user said: where the talk stands, and the answers owed."""
EXPIRE = _kind("expire", forget=messages.FORGET_BODIES)

ALL: Sequence[Kind] = [value for value in list(globals().values()) if isinstance(value, Kind)]
WAKES = frozenset(kind.name for kind in ALL if entries.ADD in kind.statements.values())
"""Kinds that can add entries: their commit wakes the pump."""


def _guarded(kind: Kind) -> frozenset[str]:
    """The statements of a kind that may not run without its fence; all, where none needs it by itself."""
    names = kind.statements.keys() - {"fence"}
    if len(names) == len(kind.statements):
        return frozenset()
    return frozenset(name for name in names if kind.statements[name] not in UNFENCED) or frozenset(names)


_GUARDED = {kind.name: _guarded(kind) for kind in ALL}


def unit(kind: Kind, **rows: Sequence[Row]) -> Unit:
    """A unit of ``kind``; each argument is the rows of the statement of that name.

    ``fence`` is ``[account.fence]`` of the account whose rows are changed. ``ValueError`` for a statement
    that the kind does not have, and for a change of an account's rows without a fence.
    """
    unknown = rows.keys() - kind.statements.keys()
    if unknown:
        raise ValueError(f"a unit of kind {kind.name} has no statement {sorted(unknown)}")
    if not rows.get("fence"):
        unguarded = sorted(name for name in _GUARDED[kind.name] if rows.get(name))
        if unguarded:
            raise ValueError(f"a unit of kind {kind.name} changes {unguarded} without its fence")
    return Unit(kind, rows)
