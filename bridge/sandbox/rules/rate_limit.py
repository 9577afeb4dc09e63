"""Token buckets on the shared clock."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from math import ceil


@dataclass
class Buckets:
    """One bucket per key: ``burst`` at once, then one every ``refill_s`` seconds."""

    burst: int
    refill_s: float
    _spent: dict[Hashable, tuple[float, float]] = field(default_factory=dict)

    def take(self, key: Hashable, now: float) -> int:
        """0 when allowed, else whole seconds until the next is."""
        spent, since = self._spent.get(key, (0.0, now))
        spent = max(0.0, spent - max(0.0, now - since) / self.refill_s)
        if spent + 1 > self.burst:
            self._spent[key] = (spent, now)
            return max(1, ceil((spent + 1 - self.burst) * self.refill_s))
        self._spent[key] = (spent + 1, now)
        return 0
