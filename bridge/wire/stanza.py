"""Stanzas and their binary form: a flag byte, then tokens.

``decode(encode(x)) == x``; all other bytes give a stanza that ``encode`` accepts, or UnreadableStanza.
The limits and their reasons are in ``codec.node`` and ``codec.compression``.
"""

from __future__ import annotations

from bridge.errors import RemoteProtocolError
from bridge.wire.codec.compression import PLAIN, deflate, open_flagged
from bridge.wire.codec.decoder import decode_tokens
from bridge.wire.codec.encoder import encode_tokens
from bridge.wire.codec.node import AttributeValue, Stanza, UnreadableStanza

__all__ = ["AttributeValue", "Stanza", "UnreadableStanza", "decode", "encode"]


def encode(stanza: Stanza, *, compress: bool = False) -> bytes:
    """The bytes of ``stanza``; LocalProtocolError when it exceeds a limit.

    Compression is off by default: most of a message is ciphertext.
    """
    tokens = encode_tokens(stanza)
    return deflate(tokens) if compress else bytes([PLAIN]) + tokens


def decode(data: bytes) -> Stanza:
    """Read the single stanza in ``data``; UnreadableStanza otherwise."""
    try:
        tokens = open_flagged(data)
    except RemoteProtocolError as error:
        raise UnreadableStanza(str(error), None) from error
    return decode_tokens(tokens)
