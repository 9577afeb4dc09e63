"""Words that rules share: where an account stands, who may do how much, who holds the keys."""

from __future__ import annotations

from enum import Enum, IntEnum


class AccountState(Enum):
    """Where an account stands."""

    AGREED = "agreed"
    """The agreement is stored; nothing has left the homeserver."""
    ENLISTING = "enlisting"
    """Keys are made and committed; the network may or may not know them."""
    ENLISTED = "enlisted"
    """The network knows the account."""
    EXPIRED = "expired"
    """The network no longer knows the account; one command enlists it again."""
    SUSPENDED = "suspended"
    """The network refuses the account; nothing is sent."""
    LEAVING = "leaving"
    """The user left; the deletion is not yet confirmed."""
    LEFT = "left"
    """Keys are destroyed. The end."""


class Level(IntEnum):
    """The ecosystem's permission levels, each including the ones before it."""

    BLOCK = 0
    RELAY = 5
    COMMANDS = 10
    USER = 50
    ADMIN = 100


class Custody(Enum):
    """Where keys are held: on one person's own box, or by an operator for several."""

    PERSONAL = "personal"
    OPERATOR = "operator"
