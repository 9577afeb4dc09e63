"""The safety number: sixty digits that two people compare to know that nobody sits between them.

As libsignal's numeric fingerprint, version 0. A number is meaningful only between
ends that agree on the bytes that stand for each of them.
"""

from __future__ import annotations

import hashlib

from bridge.e2ee.keys import typed

# Makes finding a key with a chosen number 5,200 times dearer. Both halves together take some
# hundredths of a second: keep the halves, and compute them off the event loop.
ITERATIONS = 5_200
_VERSION = b"\x00\x00"
_GROUPS, _GROUP_BYTES, _GROUP_MODULUS = 6, 5, 100_000


def half(identity: bytes, id: bytes) -> str:
    """Thirty digits for an identity key (32 bytes) and what its owner is called."""
    key = typed(identity)
    digest = hashlib.sha512(_VERSION + key + id + key).digest()
    for _ in range(ITERATIONS - 1):
        digest = hashlib.sha512(digest + key).digest()
    groups = (
        digest[start : start + _GROUP_BYTES] for start in range(0, _GROUPS * _GROUP_BYTES, _GROUP_BYTES)
    )
    return "".join(f"{int.from_bytes(group, 'big') % _GROUP_MODULUS:05d}" for group in groups)


def safety_number(half_a: str, half_b: str) -> str:
    """Sixty digits, the same at both ends."""
    return "".join(sorted((half_a, half_b)))
