"""The life of an account, from the agreement until its keys are destroyed.

The states stand in ``bridge.states``, because policy decides by them as well.
"""

from __future__ import annotations

from enum import Enum

from bridge.lifecycle.machine import IGNORED, Machine, to
from bridge.states import AccountState as State


class AccountEvent(Enum):
    """What can happen to an account."""

    KEYS_MADE = "keys made"
    """Identity and prekeys are committed, before the network hears of them."""
    ENLISTED = "enlisted"
    """The network took the account."""
    REFUSED = "refused"
    """Policy or the network refused the enlistment."""
    SUSPENDED = "suspended"
    """The network refuses the account until something changes."""
    FORGOTTEN = "forgotten by the network"
    """The network ended the enlistment: too long without a connection, or its own decision."""
    ENLIST_AGAIN = "enlist again"
    """The user asked for it, or a suspension is over."""
    LEAVE = "leave"
    """The user withdraws the agreement."""
    DELETED = "deleted"
    """The network no longer has the account, or it cannot be asked."""


class AccountEffect(Enum):
    """What is owed because of it."""

    OWE_UPLOAD = "upload prekeys"
    """The network gets our public prekeys; then people can reach the user."""
    OWE_ENLISTMENT = "enlist"
    """The same keys are enlisted once more."""
    OWE_DELETION = "delete at the network"
    """The network is asked to forget the account."""
    TELL_OWNER = "tell the owner"
    """The user reads what happened and what to do."""
    TELL_EVERY_ROOM = "tell every chat"
    """Each portal says that nothing written there is sent any more."""
    DESTROY_KEYS = "destroy keys"
    """The account's keys go, and with them everything they sealed."""


_E, _F = AccountEvent, AccountEffect

ACCOUNT: Machine[State, AccountEvent, AccountEffect] = Machine(
    "an account",
    State.AGREED,
    AccountEvent,
    {
        State.AGREED: {
            _E.KEYS_MADE: to(State.ENLISTING),
            _E.REFUSED: to(State.EXPIRED, _F.TELL_OWNER),
            _E.LEAVE: to(State.LEAVING, _F.OWE_DELETION),
        },
        State.ENLISTING: {
            _E.ENLISTED: to(State.ENLISTED, _F.OWE_UPLOAD),
            _E.REFUSED: to(State.EXPIRED, _F.TELL_OWNER),
            _E.SUSPENDED: to(State.SUSPENDED, _F.TELL_OWNER),
            _E.FORGOTTEN: IGNORED,
            _E.ENLIST_AGAIN: IGNORED,
            _E.LEAVE: to(State.LEAVING, _F.OWE_DELETION),
        },
        State.ENLISTED: {
            _E.FORGOTTEN: to(State.EXPIRED, _F.TELL_OWNER),
            _E.SUSPENDED: to(State.SUSPENDED, _F.TELL_OWNER),
            _E.ENLIST_AGAIN: IGNORED,
            _E.LEAVE: to(State.LEAVING, _F.OWE_DELETION),
        },
        State.EXPIRED: {
            _E.ENLIST_AGAIN: to(State.ENLISTING, _F.OWE_ENLISTMENT),
            _E.FORGOTTEN: IGNORED,
            _E.SUSPENDED: IGNORED,
            _E.LEAVE: to(State.LEAVING, _F.OWE_DELETION),
        },
        State.SUSPENDED: {
            _E.ENLIST_AGAIN: to(State.ENLISTING, _F.OWE_ENLISTMENT),
            _E.FORGOTTEN: IGNORED,
            _E.SUSPENDED: IGNORED,
            _E.LEAVE: to(State.LEAVING, _F.OWE_DELETION),
        },
        State.LEAVING: {
            _E.DELETED: to(State.LEFT, _F.DESTROY_KEYS, _F.TELL_OWNER, _F.TELL_EVERY_ROOM),
            _E.LEAVE: to(State.LEAVING, _F.OWE_DELETION),  # said again: the deletion is owed anew
            _E.ENLISTED: IGNORED,
            _E.REFUSED: IGNORED,
            _E.FORGOTTEN: IGNORED,
            _E.SUSPENDED: IGNORED,
            _E.ENLIST_AGAIN: IGNORED,
        },
        State.LEFT: {
            _E.FORGOTTEN: IGNORED,
            _E.SUSPENDED: IGNORED,
            _E.ENLIST_AGAIN: IGNORED,
            _E.LEAVE: IGNORED,
            _E.DELETED: IGNORED,
        },
    },
)
"""A refusal, a suspension or an expiry that comes after the state has moved on changes nothing: each login
or enlistment under way is answered once more in the state that it meets."""
