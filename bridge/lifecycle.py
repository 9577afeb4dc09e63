"""The life of an account, as a table: state -> what happens -> next state. A missing cell is refused.

The network ends an enlistment by itself when an account has not connected for a time its profile
names (30 days in the published framework, section 2.11); ``due_reminders`` says when to warn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from bridge.errors import LocalProtocolError
from bridge.states import AccountState

DAY_S = 86_400.0

REMINDER_LEAD_DAYS = (10, 5, 2)
"""Days before the network ends an enlistment on which the user is reminded (20, 25 and 28 of 30)."""


class Happening(Enum):
    """What can happen to an account."""

    KEYS_MADE = "keys made"
    ENLISTED = "enlisted"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    FORGOTTEN = "forgotten by the network"
    ENLIST_AGAIN = "enlist again"
    LEAVE = "leave"
    DELETED = "deleted"


TRANSITIONS: Mapping[AccountState, Mapping[Happening, AccountState]] = {
    AccountState.AGREED: {
        Happening.KEYS_MADE: AccountState.ENLISTING,
        Happening.LEAVE: AccountState.LEAVING,
    },
    AccountState.ENLISTING: {
        Happening.ENLISTED: AccountState.ENLISTED,
        Happening.REFUSED: AccountState.EXPIRED,
        Happening.SUSPENDED: AccountState.SUSPENDED,
        Happening.LEAVE: AccountState.LEAVING,
    },
    AccountState.ENLISTED: {
        Happening.FORGOTTEN: AccountState.EXPIRED,
        Happening.SUSPENDED: AccountState.SUSPENDED,
        Happening.LEAVE: AccountState.LEAVING,
    },
    AccountState.EXPIRED: {
        Happening.ENLIST_AGAIN: AccountState.ENLISTING,
        Happening.LEAVE: AccountState.LEAVING,
    },
    AccountState.SUSPENDED: {
        Happening.ENLIST_AGAIN: AccountState.ENLISTING,
        Happening.LEAVE: AccountState.LEAVING,
    },
    AccountState.LEAVING: {Happening.DELETED: AccountState.LEFT},
    AccountState.LEFT: {},
}


def after(state: AccountState, happening: Happening) -> AccountState:
    """The state that follows; ``LocalProtocolError`` when the table has no such cell."""
    following = TRANSITIONS[state].get(happening)
    if following is None:
        raise LocalProtocolError(f"an account that is {state.value} cannot be {happening.value}")
    return following


@dataclass(frozen=True)
class Reminder:
    """One warning that an enlistment will end. ``day`` since the last connection is the one it was due on,
    and tells it from others; ``days_left`` counts from now, since it may be given late."""

    day: int
    days_left: int


def due_reminders(last_connected_at: float, now: float, unenlisted_after_days: int) -> Sequence[Reminder]:
    """The warnings whose day has come since the last connection, earliest first.

    The caller keeps which of them were given; a reminder belongs to one ``last_connected_at``.
    """
    days = int((now - last_connected_at) // DAY_S)
    return [
        Reminder(unenlisted_after_days - lead, unenlisted_after_days - days)
        for lead in REMINDER_LEAD_DAYS
        if 0 < unenlisted_after_days - lead <= days < unenlisted_after_days
    ]


def has_expired(last_connected_at: float, now: float, unenlisted_after_days: int) -> bool:
    """Whether the network has ended the enlistment by now."""
    return now - last_connected_at >= unenlisted_after_days * DAY_S
