"""What the homeserver's refusals mean."""

from __future__ import annotations

from bridge.errors import GiveUp
from bridge.sentences import say

ABOUT_OUR_REGISTRATION = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_EXCLUSIVE"})
"""Refusals that only the admin can end, by installing the registration that we made."""


class Rejected(GiveUp):
    """The homeserver will never do this. ``errcode`` is its Matrix error code, ``status`` the HTTP status.

    The homeserver's own words are not kept: they may quote what was sent.
    """

    def __init__(self, errcode: str, status: int) -> None:
        super().__init__(say("matrix.rejected"))
        self.errcode, self.status = errcode, status

    @property
    def concerns_registration(self) -> bool:
        """True when everything we ask will be refused until the admin repairs the registration."""
        return self.errcode in ABOUT_OUR_REGISTRATION


class AliasTaken(Rejected):
    """A room with this alias exists: look it up and adopt it."""

    def __init__(self, status: int = 400) -> None:
        super().__init__("M_ROOM_IN_USE", status)
