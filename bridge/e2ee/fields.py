"""The parts of protobuf that Signal messages use, parsed strictly.

https://protobuf.dev/programming-guides/encoding/. Written by hand: generated
proto3 code drops zero counters, which other implementations require, and general
parsers accept more than we want to accept from a stranger.
"""

from __future__ import annotations

from collections.abc import Collection

from bridge.e2ee.errors import BadMessage

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
MAX_UINT32 = 2**32 - 1
# Seven bits a byte: ten bytes carry 64 bits. Longer ones are not protobuf.
MAX_VARINT_BYTES = 10
MAX_FIELD_NUMBER = 2**29 - 1
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


def number_field(number: int, value: int) -> bytes:
    """Encode an unsigned number, zero too (proto2 presence: a missing counter is not a counter of zero)."""
    return _varint(number << 3 | VARINT) + _varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """Encode a byte string."""
    return _varint(number << 3 | LENGTH_DELIMITED) + _varint(len(value)) + value


class Fields:
    """The fields of one message, by number; unknown ones are skipped.

    ``numbers`` and ``strings`` say which fields are known as unsigned 32-bit
    numbers and as bytes. BadMessage for anything that no encoder writes:
    truncation, over-long or too large varints, groups, a known field twice or of
    another wire type.
    """

    def __init__(self, data: bytes, *, numbers: Collection[int], strings: Collection[int]) -> None:
        self._numbers: dict[int, int] = {}
        self._strings: dict[int, bytes] = {}
        position = 0
        while position < len(data):
            key, position = _read_varint(data, position)
            number, wire_type = key >> 3, key & 7
            if not 1 <= number <= MAX_FIELD_NUMBER:
                raise BadMessage("a field has an impossible number")
            if number in self._numbers or number in self._strings:
                raise BadMessage("a field is there twice")
            if number in numbers:
                self._numbers[number], position = _read_uint32(data, position, wire_type)
            elif number in strings:
                if wire_type != LENGTH_DELIMITED:
                    raise BadMessage("a field has the wrong type")
                self._strings[number], position = _read_string(data, position)
            else:
                position = _skip(data, position, wire_type)

    def number(self, number: int, default: int | None = None) -> int:
        """A number; BadMessage when it is missing and has no default."""
        value = self._numbers.get(number, default)
        if value is None:
            raise BadMessage("a required field is missing")
        return value

    def optional_number(self, number: int) -> int | None:
        """A number, or None when it is missing."""
        return self._numbers.get(number)

    def string(self, number: int) -> bytes:
        """A byte string; BadMessage when it is missing."""
        value = self._strings.get(number)
        if value is None:
            raise BadMessage("a required field is missing")
        return value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for step in range(MAX_VARINT_BYTES):
        if position >= len(data):
            raise BadMessage("the message is truncated")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            if (byte == 0 and step > 0) or value >= 2**64:
                raise BadMessage("a number is over-long")
            return value, position
    raise BadMessage("a number is over-long")


def _read_uint32(data: bytes, position: int, wire_type: int) -> tuple[int, int]:
    if wire_type != VARINT:
        raise BadMessage("a field has the wrong type")
    value, position = _read_varint(data, position)
    if value > MAX_UINT32:
        raise BadMessage("a number is too large")
    return value, position


def _read_string(data: bytes, position: int) -> tuple[bytes, int]:
    size, position = _read_varint(data, position)
    if size > len(data) - position:
        raise BadMessage("the message is truncated")
    return data[position : position + size], position + size


def _skip(data: bytes, position: int, wire_type: int) -> int:
    if wire_type == VARINT:
        return _read_varint(data, position)[1]
    if wire_type == LENGTH_DELIMITED:
        return _read_string(data, position)[1]
    size = _FIXED_BYTES.get(wire_type)
    if size is None:
        raise BadMessage("a field has an unknown type")
    if size > len(data) - position:
        raise BadMessage("the message is truncated")
    return position + size
