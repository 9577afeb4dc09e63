"""Packed strings: two characters per byte (tokens NIBBLE_8 and HEX_8).

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
FILLER: Final = "F"
ODD: Final = 0x80

_NIBBLES: Final = frozenset(NIBBLE_ALPHABET)
_HEX: Final = frozenset(HEX_ALPHABET)
_MEANINGS: Final = {NIBBLE_ALPHABET: _NIBBLES, HEX_ALPHABET: _HEX}
_TO_HEX: Final = {NIBBLE_ALPHABET: str.maketrans("-.", "AB"), HEX_ALPHABET: {}}
_FROM_HEX: Final = {NIBBLE_ALPHABET: str.maketrans("AB", "-."), HEX_ALPHABET: {}}
"""A half-byte is a hexadecimal digit: the alphabets as translations from and to these."""


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
    odd = len(text) % 2
    digits = text.translate(_TO_HEX[alphabet]) + FILLER * odd
    packed = bytes.fromhex(digits)
    return bytes([len(packed) | (ODD if odd else 0)]) + packed


def unpack(length: int, packed: bytes, alphabet: str) -> str:
    """Unpack ``packed``, whose length byte is ``length``."""
    digits = packed.hex().upper()
    if length & ODD:
        if not digits.endswith(FILLER):
            raise RemoteProtocolError("an odd packed string does not end with the filler")
        digits = digits[:-1]
    text = digits.translate(_FROM_HEX[alphabet])
    if not _MEANINGS[alphabet].issuperset(text):
        raise RemoteProtocolError("a packed string holds a half-byte without a meaning")
    return text
