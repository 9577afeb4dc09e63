"""What the homeserver's refusals mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mautrix.errors import MatrixError, MatrixRequestError, MRoomInUse

from bridge.errors import GiveUp, TryAgain
from bridge.ports import Step
from bridge.sentences import say

ABOUT_OUR_REGISTRATION = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_EXCLUSIVE"})
"""Refusals that only the admin can end, by installing the registration that we made."""
ABOUT_THE_EVENT = frozenset({"M_TOO_LARGE", "M_BAD_JSON", "M_NOT_JSON", "M_INVALID_PARAM"})
"""Refusals of what is said, whatever the room; a plain M_FORBIDDEN may be about either."""
TOO_LARGE = 413
"""HTTP status: also proxies before a homeserver say it, in words that are no Matrix error."""
PERMANENT_WITHOUT_CODE: Mapping[int, str] = {
    400: "M_UNKNOWN",
    TOO_LARGE: "M_TOO_LARGE",
    414: "M_TOO_LARGE",
    431: "M_TOO_LARGE",
}
"""Refusals of a proxy that concern the request. Its others (a 404 while the homeserver is being
replaced) say nothing about the request, and a message must not be given up for them."""


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


def meaning(step: Step, error: MatrixError, retry_after: float | None) -> TryAgain | Rejected:
    """What an error of mautrix means for the call: ``TryAgain`` for what may pass, else ``Rejected``."""
    if not isinstance(error, MatrixRequestError):
        return TryAgain(f"{step.value}: {error}")
    status, errcode = error.http_status, error.errcode
    if status >= 500 or status in (408, 429):
        named = f" {errcode}" if errcode and status != 429 else ""
        return TryAgain(f"{step.value}: HTTP {status}{named}", after=retry_after)
    if isinstance(error, MRoomInUse):
        return AliasTaken(status)
    errcode = errcode or PERMANENT_WITHOUT_CODE.get(status, "")
    if not errcode:
        return TryAgain(f"{step.value}: HTTP {status} without a Matrix error code")
    return Rejected(errcode, status)


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
