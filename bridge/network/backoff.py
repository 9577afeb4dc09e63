"""Why a connection ended, and when to connect again. Pure; chance is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from bridge.lifecycle.connection import ConnectionEvent

CONFLICT_SECONDS = 300.0
"""Two programs with the keys of one account would otherwise disconnect each other for ever (F41)."""
MAX_CONFLICTS = 3
"""After this many in a row a person has to decide which of the two may run."""


class Why(Enum):
    """Why a connection ended."""

    CLOSED = "closed"
    """We closed it."""
    LOST = "lost"
    """The other end, or the network between, ended it."""
    SILENT = "silent"
    """A keep-alive was not answered in time."""
    REPLACED = "replaced"
    """Another connection of the same account took over."""
    DISMISSED = "dismissed"
    """The server ended it for another reason (a restart, a deleted account); a login tells
    which."""
    BROKEN = "broken"
    """The other end broke the protocol."""
    NOT_STORED = "not stored"
    """What arrived could not be stored here; it was not acknowledged and comes again."""
    FAULT = "fault"
    """An unexpected error of ours; what was not acknowledged comes again."""


@dataclass(frozen=True)
class End:
    """The end of a connection; ``code`` is the network's own word for it, for the log."""

    why: Why
    code: str | None = None


EVENTS: Mapping[Why, ConnectionEvent] = {
    Why.CLOSED: ConnectionEvent.CLOSED,
    Why.LOST: ConnectionEvent.LOST,
    Why.SILENT: ConnectionEvent.SILENT,
    Why.REPLACED: ConnectionEvent.REPLACED,
    Why.DISMISSED: ConnectionEvent.LOST,
    Why.BROKEN: ConnectionEvent.LOST,
    Why.NOT_STORED: ConnectionEvent.LOST,
    Why.FAULT: ConnectionEvent.LOST,
}
"""What an end is in the life of the account's connection."""


def after_conflict(conflicts: int, chance: float) -> float | None:
    """Seconds to wait after ``conflicts`` in a row (from 1); None: not before a person asks for it."""
    if conflicts < 1 or not 0 <= chance < 1:
        raise ValueError("conflicts count from 1, chance is a fraction")
    if conflicts > MAX_CONFLICTS:
        return None
    return CONFLICT_SECONDS * 2.0 ** (conflicts - 1) * (1 + chance)
