"""Frames: a 3-byte big-endian length, then that many bytes.

The transport may split frames and may deliver several at once.
"""

from __future__ import annotations

from bridge.errors import LocalProtocolError, RemoteProtocolError

LENGTH_BYTES = 3

MAX_ENCODED_FRAME_BYTES = 2**24 - 1
"""What three bytes can say. Our own bounds below are lower."""

MAX_FRAME_BYTES_BEFORE_AUTHENTICATION = 64 * 1024
"""Until the handshake is over anybody may be at the other end. The largest message of
it is the client's last: a token (at most 4 kB) and a few numbers; the server's
certificates are under 1 kB. 64 KiB leaves room for newer fields, and bounds what a
stranger makes us hold (reliability S18)."""

MAX_FRAME_BYTES = 1024 * 1024
"""Media travels outside the chat connection, so the largest stanza is a message of
some 512 KiB (``payload``) or a list of keys of about 100 kB. Twice the first, for
encryption, attributes and the rest (reliability S18)."""


def encode(payload: bytes) -> bytes:
    """Prefix ``payload`` with its length (at most 2^24 - 1 bytes)."""
    if len(payload) > MAX_ENCODED_FRAME_BYTES:
        raise LocalProtocolError("a frame holds at most 2^24 - 1 bytes")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


class FrameReader:
    """Collects bytes and returns whole frames.

    ``limit`` (bytes of one frame's payload) may be changed between two frames: a
    length is checked when the frame is taken, not when its bytes arrive.
    """

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self.limit = limit
        self._buffer = bytearray()

    @property
    def holds_part_of_a_frame(self) -> bool:
        """True when the input must not end here."""
        return bool(self._buffer)

    def append(self, data: bytes) -> None:
        """Keep ``data`` for ``take``."""
        self._buffer += data

    def take(self) -> bytes | None:
        """The next whole frame's payload, or None when more bytes are needed.

        RemoteProtocolError as soon as a length exceeds the limit, before its
        bytes have arrived.
        """
        if len(self._buffer) < LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
        if length > self.limit:
            raise RemoteProtocolError(f"a frame of {length} bytes is over the limit of {self.limit}")
        end = LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        payload = bytes(self._buffer[LENGTH_BYTES:end])
        del self._buffer[:end]
        return payload

    def feed(self, data: bytes) -> list[bytes]:
        """Append ``data`` and take all whole frames."""
        self.append(data)
        frames = []
        while (frame := self.take()) is not None:
            frames.append(frame)
        return frames
