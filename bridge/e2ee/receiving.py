"""A receiving chain: what one ratchet key of the peer has sent and may still send.

Double Ratchet section 2.6. A chain is looked along without being changed; it is
moved only when the message proved to be right.
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
    """``ratchet_key`` (32 bytes) is the peer's, ``chain`` the next key, ``skipped`` what it left behind."""

    ratchet_key: bytes
    chain: ChainKey
    skipped: SkippedKeys = NOTHING_SKIPPED

    def reach(self, counter: int) -> Work[Reach]:
        """Look for the message with this number.

        KeyGone when its seed was used or dropped; BadMessage when it is more than MAX_JUMP ahead.
        """
        if counter < self.chain.index:
            seed = self.skipped.find(counter)
            if seed is None:
                raise KeyGone("the key of this message is no longer available")
            return Reach(self, counter, seed)
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
        return Reach(self, counter, chain.seed(), chain.next(), tuple(passed))

    def tidy(self, now: float, limit: int = MAX_SKIPPED_KEYS_PER_CHAIN) -> ReceivingChain:
        """Without skipped keys that are too old, and with at most ``limit``, the newest; often itself."""
        skipped = self.skipped.younger(now).last(limit)
        return self if skipped is self.skipped else replace(self, skipped=skipped)

    def write(self, out: Writer) -> None:
        """Ratchet key, chain, skipped."""
        out.raw(self.ratchet_key)
        self.chain.write(out)
        self.skipped.write(out)

    @staticmethod
    def read(data: Reader) -> ReceivingChain:
        """The reverse of ``write``."""
        return ReceivingChain(data.key(), ChainKey.read(data), SkippedKeys.read(data))


@dataclass(frozen=True)
class Reach:
    """Where a message lies on its chain: its ``seed``, and what moving there would mean.

    ``after`` is None for a message that had been skipped; ``passed`` are the last
    keys jumped over, without their seeds yet: a forger shall not make us compute those.
    """

    chain: ReceivingChain
    counter: int
    seed: bytes = field(repr=False)
    after: ChainKey | None = None
    passed: tuple[ChainKey, ...] = ()

    def move(self, now: float) -> ReceivingChain:
        """The chain after this message, which has proved to be right."""
        if self.after is None:
            return replace(self.chain, skipped=self.chain.skipped.without(self.counter))
        skipped = self.chain.skipped.added(self.passed, now) if self.passed else self.chain.skipped
        return ReceivingChain(self.chain.ratchet_key, self.after, skipped)
