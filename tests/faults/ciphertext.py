"""The public fields of a version-3 message, read by code of the tests' own, so that no mistake is shared.

signal.md, "Wire formats": a version byte, a protobuf, and in an ordinary message an 8-byte MAC.
"""

from __future__ import annotations

MAC_BYTES = 8
RATCHET_KEY, COUNTER = 1, 2
INNER_MESSAGE = 4
"""Field numbers; the last is of a first message (``pkmsg``), which carries an ordinary one."""


def message_key(kind: str, ciphertext: bytes) -> tuple[tuple[bytes, int], bytes]:
    """What names the message key (ratchet key, counter), and the message without its envelope."""
    if kind == "pkmsg":
        inner = _fields(ciphertext[1:])[INNER_MESSAGE]
        assert isinstance(inner, bytes)
        ciphertext = inner
    fields = _fields(ciphertext[1:-MAC_BYTES])
    ratchet_key, counter = fields[RATCHET_KEY], fields.get(COUNTER, 0)
    assert isinstance(ratchet_key, bytes)
    assert isinstance(counter, int)
    return (ratchet_key, counter), ciphertext


def _fields(data: bytes) -> dict[int, int | bytes]:
    """A protobuf of varints and byte strings."""
    found: dict[int, int | bytes] = {}
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        value, position = _varint(data, position)
        if tag & 7 == 0:
            found[tag >> 3] = value
            continue
        assert tag & 7 == 2, "only varints and byte strings are in these messages"
        found[tag >> 3] = data[position : position + value]
        position += value
    return found


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
