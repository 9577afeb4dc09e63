"""Stanzas and their binary form: a flag byte, then tokens.

``decode(encode(x)) == x``; any other bytes give a stanza or RemoteProtocolError.
The bounds and their reasons are in ``codec.node`` and ``codec.compression``.
"""

from __future__ import annotations

from bridge.wire.codec.compression import PLAIN, deflate, open_flagged
from bridge.wire.codec.decoder import decode_tokens
from bridge.wire.codec.encoder import encode_tokens
from bridge.wire.codec.node import AttributeValue, Stanza

__all__ = ["AttributeValue", "Stanza", "decode", "encode"]


def encode(stanza: Stanza, *, compress: bool = False) -> bytes:
    """The bytes of ``stanza``; LocalProtocolError when it is beyond the bounds.

    Compression is left out by default: most of a message is ciphertext.
    """
    tokens = encode_tokens(stanza)
    return deflate(tokens) if compress else bytes([PLAIN]) + tokens


def decode(data: bytes) -> Stanza:
    """The stanza in ``data``; RemoteProtocolError when there is none, or more than one."""
    return decode_tokens(open_flagged(data))
