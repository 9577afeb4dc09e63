"""Every failpoint there is, and how their hits are shared out over runs of the conversation.

A failpoint is passed many times, and each time is another state of the bridge. Kills cover every hit over
``SHARES`` successive seeds: each seed takes every sixth hit of each failpoint. The seed is the number of the
day unless ``BRIDGE_TEST_SEED`` names another; the summary of the run prints it.
"""

from __future__ import annotations

import os
import random
import time
import zlib
from collections.abc import Mapping, Sequence

from bridge.ports import Step
from bridge.store import kinds
from tests.faults.ports import Fault, Passed, Side

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
    "homeserver.invite": "a new room invites its members; only who left is invited again, and nobody leaves",
}
"""Failpoints that the conversation cannot pass, each with the reason. Short, and none of it may be passed."""

ONLY_AT_START = {"store.install", "store.take-over", "homeserver.ask", "homeserver.ping"}
"""Where a failure ends the start, as it has to: who started it starts it again."""

ALSO_AT_START = {"homeserver.register-ghost", "homeserver.profile"}
"""Where the first call is at the start: another one fails."""

SIDES: Sequence[Side] = ("before", "after")
SEED = "BRIDGE_TEST_SEED"
"""Name in the environment."""
SHARES = 6
"""A sixth of all hits fits the time of ``make deep`` on both engines, also on a busy machine."""
KILL_RUNS = 14
"""So that about a dozen kills fall into a run: a restart costs more than a second and a conversation eight,
and with many more kills in a run the later ones would all fall on its end."""
FAILURES_A_RUN = 27
"""Nothing starts anew after a failure."""
DAY_S = 86_400


def seed() -> int:
    """What decides about this run's share."""
    return int(os.environ.get(SEED) or time.time() // DAY_S)


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


FAILURES = groups(to_fail(), FAILURES_A_RUN)


def kills(passed: Mapping[Passed, int], seed: int) -> list[Fault]:
    """A kill at each hit of this seed's share.

    ``passed``: how often an unharmed conversation passes each failpoint.
    """
    return [
        Fault(where, side, hit=hit)
        for (where, side), times in passed.items()
        for hit in range(1, times + 1)
        if (zlib.crc32(f"{side} {where}".encode()) + hit) % SHARES == seed % SHARES
    ]


def dealt(passed: Mapping[Passed, int], seed: int) -> list[list[Fault]]:
    """The kills of this seed's share in any order, dealt out over the runs."""
    share = sorted(kills(passed, seed), key=str)
    random.Random(seed).shuffle(share)
    return [share[first::KILL_RUNS] for first in range(KILL_RUNS)]


def is_certain(fault: Fault, passed: Mapping[Passed, int]) -> bool:
    """Whether every conversation comes to this hit.

    What was killed may take another way, and pass a failpoint less often than an unharmed run.
    """
    return fault.hit <= max(1, passed[fault.where, fault.side] // 2)


def failures(group: Sequence[Passed], passed: Mapping[Passed, int], run: int, seed: int) -> list[Fault]:
    """A failure at each failpoint of a group, at a hit that differs from run to run and seed to seed."""
    return [
        Fault(where, side, "fail", hit=_hit(where, passed.get((where, side), 1), run, seed))
        for where, side in group
    ]


def _hit(where: str, passed: int, run: int, seed: int) -> int:
    first = 2 if where in ALSO_AT_START else 1
    return max(first, 1 + (run * 7 + seed) % max(1, passed // 2))
