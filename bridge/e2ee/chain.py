"""The symmetric-key ratchet: one seed for each message; earlier keys cannot be derived from later ones.

Double Ratchet sections 2.2 and 7.2
(https://signal.org/docs/specifications/doubleratchet/#symmetric-key-ratchet).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from bridge.e2ee.storage import Reader, Writer

_SEED, _NEXT = b"\x01", b"\x02"


@dataclass(frozen=True)
class ChainKey:
    """The key (32 bytes) of the message with counter ``index`` (from 0); later keys are derived from it."""

    key: bytes = field(repr=False)
    index: int = 0

    def seed(self) -> bytes:
        """The 32 bytes from which this message's keys are made."""
        return hmac.digest(self.key, _SEED, "sha256")

    def next(self) -> ChainKey:
        """The key for the message after this one."""
        return ChainKey(hmac.digest(self.key, _NEXT, "sha256"), self.index + 1)

    def write(self, out: Writer) -> None:
        """Key and index, 36 bytes."""
        out.raw(self.key)
        out.number(self.index, 4)

    @staticmethod
    def read(data: Reader) -> ChainKey:
        """Read what ``write`` wrote."""
        return ChainKey(data.key(), data.number(4))
