"""The stored form of state: fixed sizes, big-endian, parsed strictly."""

from __future__ import annotations

import struct

from bridge.curve import KEY_BYTES, KeyPair
from bridge.errors import LocalProtocolError


class Writer:
    """Collects the bytes of a value."""

    def __init__(self) -> None:
        self._out = bytearray()

    def number(self, value: int, size: int) -> None:
        """An unsigned number of ``size`` bytes."""
        self._out += value.to_bytes(size, "big")

    def time(self, value: float) -> None:
        """Seconds since the epoch, exactly."""
        self._out += struct.pack(">d", value)

    def raw(self, value: bytes) -> None:
        """Bytes whose size the reader knows."""
        self._out += value

    def pair(self, value: KeyPair) -> None:
        """A key pair; the public half is stored because deriving it costs a scalar multiplication."""
        self._out += value.private + value.public

    def finish(self) -> bytes:
        """Everything written."""
        return bytes(self._out)


class Reader:
    """Parses what a Writer wrote; LocalProtocolError for anything else."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 0

    def number(self, size: int) -> int:
        """An unsigned number of ``size`` bytes."""
        return int.from_bytes(self.raw(size), "big")

    def flag(self) -> bool:
        """A number of one byte, 0 or 1."""
        value = self.number(1)
        if value > 1:
            raise LocalProtocolError("a stored session is damaged")
        return value == 1

    def time(self) -> float:
        """Seconds since the epoch."""
        value: float = struct.unpack(">d", self.raw(8))[0]
        return value

    def raw(self, size: int) -> bytes:
        """``size`` bytes."""
        end = self._position + size
        if end > len(self._data):
            raise LocalProtocolError("a stored session is truncated")
        value = self._data[self._position : end]
        self._position = end
        return value

    def key(self) -> bytes:
        """32 bytes."""
        return self.raw(KEY_BYTES)

    def pair(self) -> KeyPair:
        """A key pair."""
        return KeyPair(self.key(), self.key())

    def finish(self) -> None:
        """LocalProtocolError when bytes are left over."""
        if self._position != len(self._data):
            raise LocalProtocolError("a stored session has bytes left over")
