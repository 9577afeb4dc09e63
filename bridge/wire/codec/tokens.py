"""The token dictionary, version 3: words that are sent as one or two bytes.

The version is the last byte of the connection header. The data is in
``bridge/wire/tokens-v3.tsv``, one token per line.
"""

from __future__ import annotations

import importlib.resources
from typing import Final, NamedTuple

DICTIONARY_COUNT: Final = 4
DICTIONARY_SIZE: Final = 256
SINGLE_COUNT: Final = 236
"""Bytes 0 to 235; those from 236 say what follows."""

LIST_EMPTY: Final = 0
DICTIONARY_0: Final = 236
"""236 to 239: the dictionary's number; an index byte follows."""
INTEROP_JID: Final = 245
FB_JID: Final = 246
AD_JID: Final = 247
LIST_8: Final = 248
LIST_16: Final = 249
JID_PAIR: Final = 250
HEX_8: Final = 251
BINARY_8: Final = 252
BINARY_20: Final = 253
BINARY_32: Final = 254
NIBBLE_8: Final = 255


class Dictionary(NamedTuple):
    """``single[byte]`` and ``double[dictionary][index]`` are words; ``codes`` maps a word to its bytes."""

    single: tuple[str, ...]
    double: tuple[tuple[str, ...], ...]
    codes: dict[str, bytes]


def _load() -> Dictionary:
    text = importlib.resources.files("bridge.wire").joinpath("tokens-v3.tsv").read_text("utf-8")
    single = [""] * SINGLE_COUNT
    double = [[""] * DICTIONARY_SIZE for _ in range(DICTIONARY_COUNT)]
    codes: dict[str, bytes] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        dictionary, index, token = line.split("\t")
        if dictionary == "-":
            single[int(index)] = token
            code = bytes([int(index)])
        else:
            double[int(dictionary)][int(index)] = token
            code = bytes([DICTIONARY_0 + int(dictionary), int(index)])
        # For a word that is listed twice we write the shorter or earlier code.
        # The empty word (index 0) is never written as a token: byte 0 is the empty list.
        if token:
            codes.setdefault(token, code)
    return Dictionary(tuple(single), tuple(map(tuple, double)), codes)


DICTIONARY: Final = _load()
