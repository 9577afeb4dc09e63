"""The Diffie-Hellman ratchet: a new key pair at every change of direction.

Double Ratchet sections 2.3, 2.4 and 3
(https://signal.org/docs/specifications/doubleratchet/#diffie-hellman-ratchet).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from bridge.curve import KEY_BYTES, KeyPair, agree, key_pair
from bridge.e2ee.chain import ChainKey
from bridge.e2ee.kdf import hkdf
from bridge.e2ee.keys import Rng
from bridge.e2ee.receiving import Position, ReceivingChain
from bridge.e2ee.storage import Reader, Writer

INFO = b"WhisperRatchet"
# As in libsignal. A message that arrives more than five turns late cannot be read.
MAX_RECEIVING_CHAINS = 5


@dataclass(frozen=True)
class Ratchet:
    """Root key (32 bytes), our pair and its sending chain, and the peer's chains, newest last.

    ``previous_counter`` goes out with each message: the last *index* (not the number
    of messages) of the sending chain before this one, 0 when there was none.
    """

    root: bytes = field(repr=False)
    own: KeyPair
    sending: ChainKey
    previous_counter: int
    receiving: tuple[ReceivingChain, ...]

    @staticmethod
    def initiator(root: bytes, chain: bytes, signed_prekey: bytes, own: KeyPair) -> Ratchet:
        """Section 3.3, RatchetInitAlice: the responder's first ratchet key is its signed prekey.

        ValueError for a key of low order.
        """
        root, sending = kdf_root(root, agree(own.private, signed_prekey))
        return Ratchet(root, own, ChainKey(sending), 0, (ReceivingChain(signed_prekey, ChainKey(chain)),))

    @staticmethod
    def responder(root: bytes, chain: bytes, signed_prekey: KeyPair) -> Ratchet:
        """Section 3.3, RatchetInitBob."""
        return Ratchet(root, signed_prekey, ChainKey(chain), 0, ())

    def chain(self, ratchet_key: bytes) -> ReceivingChain | None:
        """The peer's chain with this key, or None."""
        return next((chain for chain in self.receiving if chain.ratchet_key == ratchet_key), None)

    def turn_begun(self, ratchet_key: bytes) -> tuple[bytes, ReceivingChain]:
        """The first half of a turn (section 3.5, DHRatchet): the next root key and the peer's new chain.

        ValueError for a key of low order.
        """
        root, chain = kdf_root(self.root, agree(self.own.private, ratchet_key))
        return root, ReceivingChain(ratchet_key, ChainKey(chain))

    def turn_completed(self, root: bytes, position: Position, rng: Rng, now: float) -> Ratchet:
        """The second half, after the MAC was checked: a fresh key pair of ours and its sending chain."""
        own = key_pair(rng(KEY_BYTES))
        root, sending = kdf_root(root, agree(own.private, position.chain.ratchet_key))
        receiving = (*self.receiving, position.advanced(now))[-MAX_RECEIVING_CHAINS:]
        return Ratchet(root, own, ChainKey(sending), max(self.sending.index - 1, 0), receiving)

    def advanced(self, position: Position, now: float) -> Ratchet:
        """After a message on a known chain, whose MAC was checked."""
        receiving = tuple(
            position.advanced(now) if chain is position.chain else chain for chain in self.receiving
        )
        return replace(self, receiving=receiving)

    @cached_property
    def skipped_count(self) -> int:
        """Number of skipped keys in all chains."""
        return sum(len(chain.skipped) for chain in self.receiving)

    def pruned(self, now: float, limit: int) -> Ratchet:
        """Without expired skipped keys and with at most ``limit``, the newest; itself if nothing changes."""
        if not self.skipped_count:
            return self
        chains: list[ReceivingChain] = []
        for chain in reversed(self.receiving):
            chains.insert(0, chain.pruned(now, limit))
            limit -= len(chains[0].skipped)
        if all(pruned is chain for pruned, chain in zip(chains, self.receiving, strict=True)):
            return self
        return replace(self, receiving=tuple(chains))

    def write(self, out: Writer) -> None:
        """All fields in their order."""
        out.raw(self.root)
        out.pair(self.own)
        self.sending.write(out)
        out.number(self.previous_counter, 4)
        out.number(len(self.receiving), 1)
        for chain in self.receiving:
            chain.write(out)

    @staticmethod
    def read(data: Reader) -> Ratchet:
        """Read what ``write`` wrote."""
        root, own, sending, previous_counter = data.key(), data.pair(), ChainKey.read(data), data.number(4)
        receiving = tuple(ReceivingChain.read(data) for _ in range(data.number(1)))
        return Ratchet(root, own, sending, previous_counter, receiving)


def kdf_root(root: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """KDF_RK of section 7.2: (next root key, chain key)."""
    keys = hkdf(secret, salt=root, info=INFO, size=64)
    return keys[:32], keys[32:]
