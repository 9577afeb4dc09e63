"""The flag byte before every stanza, and a bounded inflate."""

from __future__ import annotations

import zlib
from typing import Final

from bridge.errors import RemoteProtocolError

PLAIN: Final = 0x00
COMPRESSED: Final = 0x02

MAX_INFLATED_BYTES = 8 * 1024 * 1024
"""The largest stanza in use is under 1 MiB; an inflated one is held twice for a moment
(reliability S20)."""

MAX_INFLATE_RATIO = 100
"""Stanzas of real use shrink to a third, a list of like nodes to a tenth or so; a bomb
reaches 1,030 (reliability S20)."""


def deflate(data: bytes) -> bytes:
    """The flag byte and zlib's form of ``data``."""
    return bytes([COMPRESSED]) + zlib.compress(data)


def open_flagged(data: bytes) -> bytes:
    """What follows the flag byte, inflated if it says so."""
    if not data:
        raise RemoteProtocolError("a stanza without a flag byte")
    flag, rest = data[0], data[1:]
    if flag == PLAIN:
        return rest
    if flag == COMPRESSED:
        return _inflate(rest)
    # Other bits have no public meaning, so what follows cannot be understood.
    raise RemoteProtocolError(f"unknown flag byte {flag}")


def _inflate(data: bytes) -> bytes:
    limit = min(MAX_INFLATED_BYTES, len(data) * MAX_INFLATE_RATIO)
    inflater = zlib.decompressobj()
    try:
        # One byte more than allowed tells "exactly at the limit" from "over it".
        inflated = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise RemoteProtocolError("a compressed stanza cannot be inflated") from error
    if len(inflated) > limit:
        raise RemoteProtocolError(f"a compressed stanza is over the limit of {limit} bytes")
    if not inflater.eof:
        raise RemoteProtocolError("a compressed stanza is cut off")
    if inflater.unused_data:
        raise RemoteProtocolError("something follows a compressed stanza")
    return inflated
