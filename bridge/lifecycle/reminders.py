"""When to warn that an enlistment ends.

The network ends an enlistment by itself when an account has not connected for a time its profile
names (30 days in the published framework, section 2.11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DAY_S = 86_400.0

REMINDER_LEAD_DAYS = (10, 5, 2)
"""Days before the network ends an enlistment on which the user is reminded (20, 25 and 28 of 30)."""


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
