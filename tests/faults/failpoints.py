"""Every failpoint there is, and how they are shared out over runs of the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.ports import Step
from bridge.store import kinds
from tests.faults.ports import Action, Fault, Passed, Side

STEPS: Mapping[str, Sequence[Step]] = {
    "dialer": (Step.DIAL,),
    "stream": (
        Step.HANDSHAKE,
        Step.SEND,
        Step.ACKNOWLEDGE,
        Step.RECEIPT,
        Step.ASK,
        Step.FETCH_KEYS,
        Step.KEEP_ALIVE,
        Step.FINISH,
    ),
    "web": (Step.ENLIST, Step.LOOK_UP),
    "homeserver": (
        Step.ASK,
        Step.PING,
        Step.REGISTER_GHOST,
        Step.PROFILE,
        Step.CREATE_ROOM,
        Step.ROOM_STATE,
        Step.LOOK_UP,
        Step.INVITE,
        Step.JOIN,
        Step.LEAVE,
        Step.SHOW,
        Step.NOTICE,
        Step.REDACT,
        Step.MARK_READ,
        Step.ACCOUNT_DATA,
    ),
}
"""The steps that each port is called with."""

NOT_PASSED: Mapping[str, str] = {
    "store.postpone": "only a room that refuses its ghost twice postpones, and the fake homeserver has none",
}
"""Failpoints that the conversation cannot pass, each with the reason. Short, and none of it may be passed."""

ONLY_AT_START = {"store.install", "store.take-over", "homeserver.ask", "homeserver.ping"}
"""Where a failure ends the start, as it has to: who started it starts it again."""

ALSO_AT_START = {"homeserver.register-ghost", "homeserver.profile"}
"""Where the first call is at the start: another one fails."""

SIDES: Sequence[Side] = ("before", "after")
KILLS_A_RUN = 9
"""A restart costs two seconds; with more kills in a run the later ones all fall on its end."""
FAILURES_A_RUN = 27
"""Nothing starts anew after a failure."""


def every_failpoint() -> list[Passed]:
    """Both sides of every step on its port and of every kind of unit."""
    named = [f"store.{kind.name}" for kind in kinds.ALL]
    named += [f"{port}.{step.value}" for port, steps in STEPS.items() for step in steps]
    return [(where, side) for side in SIDES for where in named]


def to_pass() -> list[Passed]:
    """Those that the conversation has to pass."""
    return [each for each in every_failpoint() if each[0] not in NOT_PASSED]


def to_fail() -> list[Passed]:
    """Those at which a failure is no end."""
    return [each for each in to_pass() if each[0] not in ONLY_AT_START]


def groups(points: Sequence[Passed], size: int) -> list[list[Passed]]:
    """The failpoints dealt out over runs like cards, so that neighbours do not fall into the same run."""
    runs = -(-len(points) // size)
    return [list(points[first::runs]) for first in range(runs)]


KILLS = groups(to_pass(), KILLS_A_RUN)
FAILURES = groups(to_fail(), FAILURES_A_RUN)


def faults(action: Action, group: Sequence[Passed], passed: Mapping[Passed, int], run: int) -> list[Fault]:
    """A fault at each failpoint of a group. ``passed``: how often an unharmed run passes each.

    Which hit it is differs from run to run; the second half of what an unharmed run passes is left
    out, since what has been killed may take another way.
    """
    return [
        Fault(where, side, action, hit=_hit(where, action, passed.get((where, side), 1), run))
        for where, side in group
    ]


def _hit(where: str, action: Action, passed: int, run: int) -> int:
    first = 2 if action == "fail" and where in ALSO_AT_START else 1
    return max(first, 1 + run * 7 % max(1, passed // 2))
