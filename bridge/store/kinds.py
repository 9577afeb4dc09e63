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
        *(entries.ADD, entries.ADD_SEEN, entries.ADVANCE, entries.POSTPONE, entries.SETTLE),
        *(messages.ADD_ROOM, messages.DELETE_ROOM, messages.SET_DIALOGUE),
        *(accounts.NO_OTHER_USER, accounts.ADD, accounts.ADD_AGREEMENT),
        *(accounts.TAKE_OVER, messages.CLEAR_BODIES),
        installation.ADD,
    }
)
"""What changes no row of an account: the journal, whose entries guard themselves by their state, rooms of
the bot, and the installation. What makes an account cannot be guarded by it; what changes all accounts of
an owner names the owner."""

_SETTLE = {"settle": entries.SETTLE}
_OWE = {"owe": entries.ADD, "remember": entries.ADD_SEEN}


def _kind(name: str, *groups: dict[str, Statement], **statements: Statement) -> Kind:
    """Make a kind, with the guard as first statement where one of its statements needs it."""
    together: dict[str, Statement] = {}
    for group in (*groups, statements):
        together.update(group)
    fence = {} if UNFENCED.issuperset(together.values()) else {"fence": accounts.FENCE}
    return Kind(name, {**fence, **together})


INSTALL = _kind("install", install=installation.ADD)
TAKE_OVER = _kind("take-over", take_over=accounts.TAKE_OVER)

INTAKE = _kind("intake", add=entries.ADD, remember=entries.ADD_SEEN)
"""Parts of a homeserver transaction."""
ARRIVE = _kind("arrive", {"fence": accounts.FENCE}, add=entries.ADD, remember=entries.ADD_SEEN)
"""A stanza, as it came: only the owner of the account may acknowledge it."""
SETTLE = _kind("settle", _SETTLE, _OWE)
"""Remove an entry; add what it leaves owed."""
OWE = _kind("owe", _OWE)
POSTPONE = _kind("postpone", postpone=entries.POSTPONE)

SEAL = _kind(
    "seal",
    advance=entries.ADVANCE,
    begin=contacts.ADD_SESSION,
    move=contacts.UPDATE_SESSION,
    identity=contacts.SET_IDENTITY,
    message=messages.ADD,
    owe=entries.ADD,
    remember=entries.ADD_SEEN,
)
"""Outgoing message: advance the session and store the ciphertext."""
ACCEPTED = _kind("accepted", _SETTLE, _OWE, change=messages.SET_STATE)
"""Outgoing message: the network acknowledged it."""
RENEW = _kind(
    "renew",
    advance=entries.ADVANCE,
    begin=contacts.ADD_SESSION,
    move=contacts.UPDATE_SESSION,
    count=messages.COUNT_RETRY,
    identity=contacts.SET_IDENTITY,
    owe=entries.ADD,
    remember=entries.ADD_SEEN,
)
"""Outgoing message: sealed again under a new key at the contact's request."""
IDENTITY = _kind("identity", _SETTLE, _OWE, begin=contacts.ADD_SESSION, move=contacts.UPDATE_SESSION)
"""A contact's identity changed: the current session is archived."""

MEET = _kind("meet", meet=contacts.ADD)
KNOW = _kind("know", _OWE, know=contacts.SET_FACTS)
"""A contact has a new name; a contact with a room is also renamed there."""
OPEN = _kind(
    "open",
    advance=entries.ADVANCE,
    begin=contacts.ADD_SESSION,
    move=contacts.UPDATE_SESSION,
    spend=accounts.DELETE_ONE_TIME_PREKEY,
    identity=contacts.SET_IDENTITY,
    message=messages.ADD,
    change=messages.SET_STATE,
    owe=entries.ADD,
    remember=entries.ADD_SEEN,
)
"""Incoming message: advance the session, seal the plaintext at rest, delete the prekey."""
AWAIT = _kind("await", _SETTLE, _OWE, message=messages.ADD, count=messages.COUNT_RETRY)
"""Incoming message that cannot be decrypted: a retry receipt is owed."""
SHOWN = _kind("shown", _SETTLE, _OWE, show=messages.SET_SHOWN)
"""Incoming message: it stands in Matrix."""
CHANGED = _kind("changed", _SETTLE, _OWE, change=messages.SET_STATE)
"""Change the state of messages and remove an entry."""

PORTAL = _kind("portal", room=contacts.SET_ROOM, owe=entries.ADD, remember=entries.ADD_SEEN)
WAITING = _kind("waiting", waiting=contacts.SET_WAITING_EVENT)

AGREE = _kind(
    "agree",
    _SETTLE,
    alone=accounts.NO_OTHER_USER,
    open=accounts.ADD,
    agree=accounts.ADD_AGREEMENT,
    dialogue=messages.SET_DIALOGUE,
    owe=entries.ADD,
    remember=entries.ADD_SEEN,
)
"""The user agreed: the record, the account, and the enlistment that is owed."""
KEYS = _kind(
    "keys",
    state=accounts.SET_STATE,
    keys=accounts.SET_KEYS,
    count=accounts.ADVANCE_PREKEY_ID,
    prekey=accounts.ADD_PREKEY,
)
"""Store new keys before the network hears of them."""
PREKEYS = _kind("prekeys", count=accounts.ADVANCE_PREKEY_ID, prekey=accounts.ADD_PREKEY)
UPLOADED = _kind(
    "uploaded",
    _SETTLE,
    _OWE,
    uploaded=accounts.MARK_PREKEYS_UPLOADED,
    retire=accounts.DELETE_SIGNED_PREKEY,
)
"""The network has our prekeys; delete signed ones that nobody can use any more."""
ENLISTED = _kind("enlisted", _SETTLE, _OWE, state=accounts.SET_STATE, login=accounts.SET_LOGIN)
ACCOUNT_STATE = _kind("account-state", _SETTLE, _OWE, state=accounts.SET_STATE)
CONNECTED = _kind("connected", connected=accounts.SET_CONNECTED_AT)
LEAVE = _kind(
    "leave",
    _SETTLE,
    state=accounts.SET_STATE,
    withdraw=accounts.WITHDRAW_AGREEMENT,
    dialogue=messages.SET_DIALOGUE,
    owe=entries.ADD,
    remember=entries.ADD_SEEN,
)
LEFT = _kind(
    "left",
    _SETTLE,
    state=accounts.SET_STATE,
    destroy=accounts.DESTROY_KEYS,
    prekeys=accounts.DELETE_PREKEYS,
    sessions=contacts.DELETE_SESSIONS,
    contacts=contacts.DELETE_OF_ACCOUNT,
    messages=messages.DELETE_OF_ACCOUNT,
    entries=entries.DELETE_OF_ACCOUNT,
    owe=entries.ADD,
    remember=entries.ADD_SEEN,
)
"""Destroy the keys, and with them everything they sealed."""

MANAGE = _kind("manage", _SETTLE, _OWE, manage=messages.ADD_ROOM)
UNMANAGE = _kind("unmanage", unmanage=messages.DELETE_ROOM)
"""A user left the room in which they talked to the bot."""
TALKED = _kind("talked", _SETTLE, _OWE, dialogue=messages.SET_DIALOGUE)
"""The bot handled what a user said: the dialogue's position and the answers owed."""
EXPIRE = _kind("expire", forget=messages.CLEAR_BODIES)

ALL: Sequence[Kind] = [value for value in list(globals().values()) if isinstance(value, Kind)]
WAKES = frozenset(kind.name for kind in ALL if entries.ADD in kind.statements.values())
"""Kinds that can add entries; their commit wakes the pump."""


def _guarded(kind: Kind) -> frozenset[str]:
    """Statements of a kind that need its fence; all, where the fence is there for another reason."""
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
