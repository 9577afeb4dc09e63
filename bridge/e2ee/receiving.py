"""A receiving chain: the message keys that belong to one ratchet key of the peer.

Double Ratchet section 2.6. A search does not change a chain; the caller advances it
after the MAC was checked.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from bridge.e2ee.chain import ChainKey
from bridge.e2ee.errors import BadMessage, KeyGone
from bridge.e2ee.skipped import MAX_SKIPPED_KEYS_PER_CHAIN, NOTHING_SKIPPED, SkippedKeys
from bridge.e2ee.storage import Reader, Writer
from bridge.e2ee.work import WALK_UNITS, Work

# As in libsignal, so that our users can read what its users can.
MAX_JUMP = 25_000


@dataclass(frozen=True)
class ReceivingChain:
    """``ratchet_key`` (32 bytes) is the peer's, ``chain`` the next key, ``skipped`` the seeds passed over."""

    ratchet_key: bytes
    chain: ChainKey
    skipped: SkippedKeys = NOTHING_SKIPPED

    def find(self, counter: int) -> Work[Position]:
        """Find the message with this counter.

        KeyGone when its seed was used or dropped; BadMessage when it is more than MAX_JUMP ahead.
        """
        if counter < self.chain.index:
            seed = self.skipped.find(counter)
            if seed is None:
                raise KeyGone("the key of this message is no longer available")
            return Position(self, counter, seed)
        if counter - self.chain.index > MAX_JUMP:
            raise BadMessage("the message is too far ahead")
        passed: deque[ChainKey] = deque(maxlen=MAX_SKIPPED_KEYS_PER_CHAIN)
        chain = self.chain
        while chain.index < counter:
            steps = min(counter - chain.index, WALK_UNITS)
            yield steps
            for _ in range(steps):
                passed.append(chain)
                chain = chain.next()
        return Position(self, counter, chain.seed(), chain.next(), tuple(passed))

    def pruned(self, now: float, limit: int = MAX_SKIPPED_KEYS_PER_CHAIN) -> ReceivingChain:
        """Without expired skipped keys and with at most ``limit``, the newest; itself if nothing changes."""
        skipped = self.skipped.younger(now).last(limit)
        return self if skipped is self.skipped else replace(self, skipped=skipped)

    def write(self, out: Writer) -> None:
        """Ratchet key, chain, skipped."""
        out.raw(self.ratchet_key)
        self.chain.write(out)
        self.skipped.write(out)

    @staticmethod
    def read(data: Reader) -> ReceivingChain:
        """Read what ``write`` wrote."""
        return ReceivingChain(data.key(), ChainKey.read(data), SkippedKeys.read(data))


@dataclass(frozen=True)
class Position:
    """The position of a message on its chain, and its ``seed``.

    ``after`` is the next chain key, None for a message that was skipped before. ``passed`` are
    the last chain keys before the message; their seeds are derived after the MAC was checked.
    """

    chain: ReceivingChain
    counter: int
    seed: bytes = field(repr=False)
    after: ChainKey | None = None
    passed: tuple[ChainKey, ...] = ()

    def advanced(self, now: float) -> ReceivingChain:
        """The chain after this message, whose MAC was checked."""
        if self.after is None:
            return replace(self.chain, skipped=self.chain.skipped.without(self.counter))
        skipped = self.chain.skipped.added(self.passed, now) if self.passed else self.chain.skipped
        return ReceivingChain(self.chain.ratchet_key, self.after, skipped)
