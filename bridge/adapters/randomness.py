"""The operating system's randomness (S42: no other source)."""

from __future__ import annotations

import os


class OperatingSystemRandom:
    """The real form of the ``Random`` port."""

    def bytes(self, count: int, /) -> bytes:
        """``count`` unpredictable bytes."""
        return os.urandom(count)
