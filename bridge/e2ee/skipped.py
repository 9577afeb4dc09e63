"""The seeds of messages that were passed over and may still arrive.

Double Ratchet section 2.6 (https://signal.org/docs/specifications/doubleratchet/#out-of-order-messages);
section 8.4 asks for a bound in number and in time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.e2ee.chain import ChainKey
from bridge.e2ee.storage import Reader, Writer

# As in libsignal. With 40 bytes each a full chain takes 80 kB.
MAX_SKIPPED_KEYS_PER_CHAIN = 2_000
# The network's mailbox keeps a message for 30 days; one more day for slow clocks.
MAX_SKIPPED_KEY_AGE_SECONDS = 31 * 24 * 3600
_COUNTER_BYTES, _TIME_BYTES, _SEED_BYTES = 4, 4, 32
ENTRY_BYTES = _COUNTER_BYTES + _TIME_BYTES + _SEED_BYTES
_MAX_TIME = 2**32 - 1


@dataclass(frozen=True)
class SkippedKeys:
    """Packed entries of 40 bytes in ascending order: counter, time in seconds, seed.

    A session is stored for every message, and a full chain of objects would cost more than
    the message.
    """

    packed: bytes = field(default=b"", repr=False)

    def __len__(self) -> int:
        return len(self.packed) // ENTRY_BYTES

    def find(self, counter: int) -> bytes | None:
        """The seed for a counter, or None."""
        position = bisect_left(range(len(self)), counter, key=self._counter)
        if position == len(self) or self._counter(position) != counter:
            return None
        start = position * ENTRY_BYTES
        return self.packed[start + _COUNTER_BYTES + _TIME_BYTES : start + ENTRY_BYTES]

    def without(self, counter: int) -> SkippedKeys:
        """Without the entry of ``counter``, which exists."""
        start = bisect_left(range(len(self)), counter, key=self._counter) * ENTRY_BYTES
        return SkippedKeys(self.packed[:start] + self.packed[start + ENTRY_BYTES :])

    def added(self, keys: Iterable[ChainKey], now: float) -> SkippedKeys:
        """With the seeds of ``keys``, whose indexes are the highest, up to the limit of a chain."""
        second = min(max(int(now), 0), _MAX_TIME).to_bytes(_TIME_BYTES, "big")
        new = b"".join(key.index.to_bytes(_COUNTER_BYTES, "big") + second + key.seed() for key in keys)
        return SkippedKeys(self.packed + new).last(MAX_SKIPPED_KEYS_PER_CHAIN)

    def last(self, count: int) -> SkippedKeys:
        """The ``count`` entries with the highest counters."""
        return self if len(self) <= count else SkippedKeys(self.packed[(len(self) - count) * ENTRY_BYTES :])

    def younger(self, now: float) -> SkippedKeys:
        """Without entries older than MAX_SKIPPED_KEY_AGE_SECONDS."""
        old = bisect_left(range(len(self)), now - MAX_SKIPPED_KEY_AGE_SECONDS, key=self._second)
        return self.last(len(self) - old)

    def write(self, out: Writer) -> None:
        """Their number and the entries."""
        out.number(len(self), 2)
        out.raw(self.packed)

    @staticmethod
    def read(data: Reader) -> SkippedKeys:
        """Read what ``write`` wrote."""
        return SkippedKeys(data.raw(data.number(2) * ENTRY_BYTES))

    def _counter(self, position: int) -> int:
        start = position * ENTRY_BYTES
        return int.from_bytes(self.packed[start : start + _COUNTER_BYTES], "big")

    def _second(self, position: int) -> int:
        start = position * ENTRY_BYTES + _COUNTER_BYTES
        return int.from_bytes(self.packed[start : start + _TIME_BYTES], "big")


NOTHING_SKIPPED = SkippedKeys()
