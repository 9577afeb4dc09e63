"""Packed strings: two characters a byte (tokens NIBBLE_8 and HEX_8).

One length byte follows the token: bytes that follow, with bit 7 set when the last
half-byte is a filler because the text has an odd length.
"""

from __future__ import annotations

from typing import Final

from bridge.errors import RemoteProtocolError

MAX_PACKED_CHARACTERS: Final = 127
"""What the public clients pack; longer strings travel as they are."""

NIBBLE_ALPHABET: Final = "0123456789-."
HEX_ALPHABET: Final = "0123456789ABCDEF"
FILLER: Final = 15
ODD: Final = 0x80

_NIBBLES = frozenset(NIBBLE_ALPHABET)
_HEX = frozenset(HEX_ALPHABET)


def alphabet_for(text: str) -> str | None:
    """The alphabet that can pack ``text``, or None; digits go as nibbles."""
    if not 0 < len(text) <= MAX_PACKED_CHARACTERS:
        return None
    characters = set(text)
    if characters <= _NIBBLES:
        return NIBBLE_ALPHABET
    return HEX_ALPHABET if characters <= _HEX else None


def pack(text: str, alphabet: str) -> bytes:
    """The length byte and the packed characters."""
    values = [alphabet.index(character) for character in text]
    odd = len(values) % 2
    if odd:
        values.append(FILLER)
    pairs = zip(values[::2], values[1::2], strict=True)
    packed = bytes(high << 4 | low for high, low in pairs)
    return bytes([len(packed) | (ODD if odd else 0)]) + packed


def unpack(length: int, packed: bytes, alphabet: str) -> str:
    """Read ``packed``, which the length byte ``length`` announced."""
    values = [half for byte in packed for half in (byte >> 4, byte & 15)]
    if length & ODD and (not values or values.pop() != FILLER):
        raise RemoteProtocolError("an odd packed string does not end with the filler")
    if any(value >= len(alphabet) for value in values):
        raise RemoteProtocolError("a packed string holds a half-byte without a meaning")
    return "".join(alphabet[value] for value in values)
