"""The flag byte before every stanza, and a bounded inflate."""

from __future__ import annotations

import zlib
from typing import Final

from bridge.errors import RemoteProtocolError

PLAIN: Final = 0x00
COMPRESSED: Final = 0x02

MAX_INFLATED_BYTES = 8 * 1024 * 1024
"""The largest stanza in use is under 1 MiB, and a frame holds no more (reliability S20)."""

MAX_INFLATE_RATIO = 100
"""Stanzas of real use shrink to a third, a list of like nodes to a tenth or so; a bomb
reaches 1,030 (reliability S20)."""

PIECE_BYTES = 1024 * 1024
"""Each piece copies the input that is left (at most 1 MiB): large pieces, few copies."""


def deflate(data: bytes) -> bytes:
    """The flag byte and the deflated ``data``."""
    return bytes([COMPRESSED]) + zlib.compress(data)


def open_flagged(data: bytes) -> bytes:
    """The bytes after the flag byte, inflated if the flag says so."""
    if not data:
        raise RemoteProtocolError("a stanza without a flag byte")
    flag, rest = data[0], data[1:]
    if flag == PLAIN:
        return rest
    if flag == COMPRESSED:
        return _inflate(rest)
    # Other bits have no public meaning, so the rest cannot be read.
    raise RemoteProtocolError(f"unknown flag byte {flag}")


def _inflate(data: bytes) -> bytes:
    limit = min(MAX_INFLATED_BYTES, len(data) * MAX_INFLATE_RATIO)
    inflater = zlib.decompressobj()
    pieces: list[bytes] = []
    size, rest = 0, data
    try:
        # In pieces, so that a bomb takes the limit in memory and not twice that.
        while not inflater.eof and (piece := inflater.decompress(rest, PIECE_BYTES)):
            size, rest = size + len(piece), inflater.unconsumed_tail
            if size > limit:
                raise RemoteProtocolError(f"a compressed stanza is over the limit of {limit} bytes")
            pieces.append(piece)
    except zlib.error as error:
        raise RemoteProtocolError("a compressed stanza cannot be inflated") from error
    if not inflater.eof:
        raise RemoteProtocolError("a compressed stanza is cut off")
    if inflater.unused_data:
        raise RemoteProtocolError("something follows a compressed stanza")
    return b"".join(pieces)
