"""How long to wait before a retry: full jitter under a bound that doubles. Pure; chance is an argument."""

from __future__ import annotations

from bridge.ports import Random

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0
"""Five minutes: after an outage of hours not everyone returns in the first second, and nobody waits longer
than a person would before trying by hand."""

FRACTION_BYTES = 7
"""How much randomness ``fraction`` takes: a float holds 53 bits, these are 56."""
MAX_DOUBLINGS = 30
"""Far beyond the bound; without it a long outage would overflow a float."""


def wait(failures: int, random: Random, *, asked: float | None = None) -> float:
    """``delay`` with a chance drawn from ``random``."""
    return delay(failures, fraction(random.bytes(FRACTION_BYTES)), asked=asked)


def delay(failures: int, chance: float, *, asked: float | None = None) -> float:
    """Seconds to wait after ``failures`` in a row (from 1).

    ``chance`` is from 0 to below 1. ``asked``: the time that the other side named. It is a lower bound, and
    the jitter comes on top, so that those who were told the same time do not return together.
    """
    if failures < 1 or not 0 <= chance < 1:
        raise ValueError("failures count from 1, chance is a fraction")
    bound = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, MAX_DOUBLINGS))
    return (asked or 0.0) + bound * chance


def fraction(randomness: bytes) -> float:
    """A number from 0 to below 1 out of ``FRACTION_BYTES`` random bytes."""
    if len(randomness) != FRACTION_BYTES:
        raise ValueError(f"a fraction takes {FRACTION_BYTES} random bytes")
    return (int.from_bytes(randomness, "big") >> 3) / 2**53
