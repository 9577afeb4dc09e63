"""The cost of opening a message, and computations that can be paused.

Cost is counted in units. One unit is one step of a chain key, 1 to 3 microseconds on a server's core.
The other prices were measured against it and rounded up.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Work = Generator[int, None, T]
"""A computation that yields the units of its next piece before it does that piece, and returns T."""

# One X25519 agreement and one HKDF.
AGREEMENT_UNITS = 40
# Message keys and a MAC over a short message; the MAC of a long one costs more.
CHECK_UNITS = 10
MAC_BYTES_PER_UNIT = 512
# The largest piece of a walk along a chain, so that a slice is not much longer than asked for.
WALK_UNITS = 500
# A slice ends after the piece that reaches this, and the largest pieces (the MAC of a megabyte, the seeds of
# 2,000 skipped keys) are as large again: 2 to 12 ms. A slice may take 20 ms of an event loop.
UNITS_PER_SLICE = 2_000
# All sessions that are tried for one message share this. It covers the dearest message that the current
# session must open: 25,000 ahead, of a megabyte, with a turn or as the first one of a new session. With that
# a turn is tried in all 41 sessions for a message that is up to 600 ahead, and in the newest ones for others.
UNITS_PER_MESSAGE = 30_000


def check_units(size: int) -> int:
    """The price of checking the MAC of ``size`` bytes."""
    return CHECK_UNITS + size // MAC_BYTES_PER_UNIT
