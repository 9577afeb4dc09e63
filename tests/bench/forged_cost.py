"""What a forged message costs in a record with 41 sessions: ``python -m tests.bench.forged_cost``.

An honest message is opened beside it, from a record with one session. Records are values in memory, and
time is the thread's CPU time, so that a busy machine does not count as work.
"""

from __future__ import annotations

import secrets
import sys
import time
from dataclasses import dataclass

from bridge.curve import key_pair
from bridge.e2ee.errors import BadMessage
from bridge.e2ee.message import covered_part
from bridge.e2ee.record import MAX_ARCHIVED_SESSIONS
from bridge.e2ee.session import Opening
from tests.e2ee.support import NOW, End, Keys, connected_pair

AHEAD = 600
"""As far as a turn is tried in all 41 sessions."""


@dataclass(frozen=True)
class ForgedCost:
    """Milliseconds of CPU: the honest message, the forged one in all, and its longest slice."""

    honest: float
    forged: float
    slice: float


def forged_cost(*, rounds: int = 100, repeats: int = 5) -> ForgedCost:
    """The least of ``repeats`` rounds of both, in turns."""
    crowded, bob = connected_pair()
    for _ in range(MAX_ARCHIVED_SESSIONS):
        crowded.start(bob.bundle())
    forged = covered_part(key_pair(secrets.token_bytes(32)).public, AHEAD, 0, bytes(16)) + bytes(8)
    honest_ms, slices_ms = [], []
    for _ in range(repeats):
        honest_ms.append(_honest(rounds))
        slices_ms.append(_slices(crowded, forged))
    return ForgedCost(min(honest_ms), min(map(sum, slices_ms)), min(map(max, slices_ms)))


def _honest(rounds: int) -> float:
    alice, bob = connected_pair()
    messages = [bob.seal(b"x" * 200) for _ in range(rounds)]
    record, keys = alice.record, Keys(alice)
    begin = time.thread_time()
    for sealed in messages:
        opened = Opening(record, alice.own, *sealed, keys, secrets.token_bytes, NOW).step()
        assert opened is not None
        record = opened.record
    return (time.thread_time() - begin) * 1e3 / rounds


def _slices(crowded: End, forged: bytes) -> list[float]:
    opening = Opening(crowded.record, crowded.own, "msg", forged, Keys(crowded), secrets.token_bytes, NOW)
    taken: list[float] = []
    while True:
        begin = time.thread_time()
        try:
            opening.step()
        except BadMessage:
            return [*taken, (time.thread_time() - begin) * 1e3]
        taken.append((time.thread_time() - begin) * 1e3)


def main() -> int:
    """Print the figures."""
    cost = forged_cost()
    sys.stdout.write(f"honest message   {cost.honest:8.3f} ms\n")
    for what, taken in (("forged, a slice", cost.slice), ("forged, in all", cost.forged)):
        sys.stdout.write(f"{what:16} {taken:8.3f} ms {taken / cost.honest:8.1f} honest ones\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
