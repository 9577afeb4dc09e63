"""What the homeserver's refusals mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.errors import GiveUp
from bridge.sentences import say

ABOUT_OUR_REGISTRATION = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_EXCLUSIVE"})
"""Refusals that only the admin can end, by installing the registration that we made."""
ABOUT_THE_EVENT = frozenset({"M_TOO_LARGE", "M_BAD_JSON", "M_NOT_JSON", "M_INVALID_PARAM"})
"""Refusals of what is said, whatever the room; a plain M_FORBIDDEN may be about either."""
TOO_LARGE = 413
"""HTTP status: also proxies before a homeserver say it, in words that are no Matrix error."""


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

    @property
    def concerns_event(self) -> bool:
        """True when it is this event that is refused: in no room and at no time would it be taken."""
        return self.errcode in ABOUT_THE_EVENT or self.status == TOO_LARGE


class AliasTaken(Rejected):
    """A room with this alias exists: look it up and adopt it."""

    def __init__(self, status: int = 400) -> None:
        super().__init__("M_ROOM_IN_USE", status)


@contextmanager
def tolerated() -> Iterator[None]:
    """A block that may be refused for good: then it ends there, and nothing else follows from that.

    Where the registration is at fault everything is refused, and everything is done once the admin has
    repaired it: that refusal is raised, and the pump waits.
    """
    try:
        yield
    except GiveUp as refusal:
        if isinstance(refusal, Rejected) and refusal.concerns_registration:
            raise
