"""The two messages on the wire: what is read, what is refused, and the exact bytes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.e2ee.errors import BadMessage
from bridge.e2ee.fields import MAX_UINT32, bytes_field, number_field
from bridge.e2ee.keys import MAX_PREKEY_ID
from bridge.e2ee.message import (
    MAX_CIPHERTEXT_BYTES,
    MAX_COUNTER,
    SignalMessage,
    covered_part,
    prekey_message,
    read_message,
    read_prekey_message,
)

KEY, BASE, IDENTITY = b"k" * 32, b"b" * 32, b"i" * 32
MAC = b"8 bytes."
QUICK = settings(max_examples=100, derandomize=True, deadline=None)
IDS = st.integers(0, MAX_PREKEY_ID)


def plain(counter: int = 0, ciphertext: bytes = bytes(16)) -> bytes:
    """A plain message with a wrong MAC."""
    return covered_part(KEY, counter, 0, ciphertext) + MAC


def first(prekey_id: int | None = 7, message: bytes | None = None, signed_prekey_id: int = 1) -> bytes:
    """A prekey message around a plain one."""
    return prekey_message(
        registration_id=9,
        prekey_id=prekey_id,
        signed_prekey_id=signed_prekey_id,
        base_key=BASE,
        identity=IDENTITY,
        message=plain() if message is None else message,
    )


@QUICK
@given(st.integers(0, MAX_COUNTER), st.integers(0, MAX_UINT32), st.integers(1, 9))
def test_plain_message_round_trips(counter: int, previous: int, blocks: int) -> None:
    ciphertext = bytes(range(16)) * blocks
    covered = covered_part(KEY, counter, previous, ciphertext)
    message = read_message(covered + MAC)
    assert (message.ratchet_key, message.counter, message.previous_counter) == (KEY, counter, previous)
    assert (message.ciphertext, message.covered, message.mac) == (ciphertext, covered, MAC)


@QUICK
@given(st.none() | IDS, IDS, st.integers(0, MAX_UINT32))
def test_prekey_message_round_trips(one: int | None, signed: int, registration: int) -> None:
    data = prekey_message(
        registration_id=registration,
        prekey_id=one,
        signed_prekey_id=signed,
        base_key=BASE,
        identity=IDENTITY,
        message=plain(3),
    )
    message = read_prekey_message(data)
    assert (message.prekey_id, message.signed_prekey_id) == (one, signed)
    assert (message.base_key, message.identity, message.registration_id) == (BASE, IDENTITY, registration)
    assert message.message == read_message(plain(3))


def test_plain_message_has_known_bytes() -> None:
    assert plain() == b"3\x0a\x21\x05" + KEY + b"\x10\x00\x18\x00\x22\x10" + bytes(16) + MAC


def test_prekey_message_has_known_bytes() -> None:
    inner = plain()
    body = b"\x12\x21\x05" + BASE + b"\x1a\x21\x05" + IDENTITY + b"\x22" + bytes([len(inner)]) + inner
    assert first() == b"3\x08\x07" + body + b"\x28\x09\x30\x01"
    assert first(prekey_id=None) == b"3" + body + b"\x28\x09\x30\x01"


@pytest.mark.parametrize("low", range(16))
def test_any_low_half_of_first_byte_is_accepted(low: int) -> None:
    byte = bytes([0x30 | low])
    assert read_message(byte + plain()[1:]).covered[:1] == byte
    assert read_prekey_message(byte + first(message=byte + plain()[1:])[1:]).message.covered[:1] == byte


@pytest.mark.parametrize("high", [high for high in range(16) if high != 3])
def test_other_version_is_rejected_outside_and_inside(high: int) -> None:
    byte = bytes([high << 4 | 3])
    for read, data in (
        (read_message, byte + plain()[1:]),
        (read_prekey_message, byte + first()[1:]),
        (read_prekey_message, first(message=byte + plain()[1:])),
    ):
        with pytest.raises(BadMessage, match="version"):
            read(data)


@QUICK
@given(st.binary(max_size=200))
def test_arbitrary_bytes_parse_or_raise_bad_message(data: bytes) -> None:
    for read in (read_message, read_prekey_message):
        for start in (b"", b"\x33"):
            with suppress(BadMessage):
                message = read(start + data)
                if isinstance(message, SignalMessage):
                    assert message.covered + message.mac == start + data
                    assert 0 <= message.counter <= MAX_UINT32
                else:
                    assert message.message.covered + message.message.mac in start + data
                    assert 0 <= message.signed_prekey_id <= MAX_PREKEY_ID


@pytest.mark.parametrize("make", [plain, first])
def test_every_truncation_is_rejected(make: object) -> None:
    data, read = (plain(), read_message) if make is plain else (first(), read_prekey_message)
    for size in range(len(data)):
        # A plain message cut by less than its MAC still has eight last bytes; the session refuses it.
        if read is read_message and size >= len(data) - 8:
            continue
        with pytest.raises(BadMessage):
            read(data[:size])


@pytest.mark.parametrize("missing", [1, 2, 4])
def test_plain_message_without_required_field_is_rejected(missing: int) -> None:
    fields = {1: bytes_field(1, b"\x05" + KEY), 2: number_field(2, 0), 4: bytes_field(4, bytes(16))}
    assert read_message(b"3" + b"".join(fields.values()) + MAC).previous_counter == 0
    del fields[missing]
    with pytest.raises(BadMessage, match="missing"):
        read_message(b"3" + b"".join(fields.values()) + MAC)


@pytest.mark.parametrize("missing", [2, 3, 4, 6])
def test_prekey_message_without_required_field_is_rejected(missing: int) -> None:
    fields = {
        2: bytes_field(2, b"\x05" + BASE),
        3: bytes_field(3, b"\x05" + IDENTITY),
        4: bytes_field(4, plain()),
        6: number_field(6, 1),
    }
    whole = read_prekey_message(b"3" + b"".join(fields.values()))
    assert (whole.prekey_id, whole.registration_id) == (None, 0)
    del fields[missing]
    with pytest.raises(BadMessage, match="missing"):
        read_prekey_message(b"3" + b"".join(fields.values()))


def test_unknown_fields_of_newer_writers_are_skipped() -> None:
    newer = plain()[:-8] + bytes_field(5, b"pq ratchet") + bytes_field(6, b"addresses") + MAC
    assert read_message(newer).ciphertext == bytes(16)
    assert read_prekey_message(first() + number_field(7, 1) + bytes_field(8, b"kyber")).prekey_id == 7


def test_long_key_is_cut_and_short_or_foreign_key_rejected() -> None:
    def with_key(key: bytes) -> bytes:
        return b"3" + bytes_field(1, key) + number_field(2, 0) + bytes_field(4, bytes(16)) + MAC

    assert read_message(with_key(b"\x05" + KEY + b"more")).ratchet_key == KEY
    for key in (b"", b"\x05" + KEY[1:], b"\x06" + KEY, KEY):
        with pytest.raises(BadMessage, match="malformed"):
            read_message(with_key(key))


@pytest.mark.parametrize("size", [0, 1, 15, 17, 31])
def test_ciphertext_of_partial_blocks_is_rejected(size: int) -> None:
    with pytest.raises(BadMessage, match="blocks"):
        read_message(plain(ciphertext=bytes(size)))


def test_message_size_limit_is_exact() -> None:
    inner = plain(ciphertext=bytes(MAX_CIPHERTEXT_BYTES - 512))
    data = first(message=inner)
    filled = data + bytes_field(9, bytes(MAX_CIPHERTEXT_BYTES - len(data) - 3))
    assert len(filled) == MAX_CIPHERTEXT_BYTES
    assert read_prekey_message(filled).message == read_message(inner)
    with pytest.raises(BadMessage, match="too large"):
        read_prekey_message(data + bytes_field(9, bytes(MAX_CIPHERTEXT_BYTES - len(data) - 2)))
    with pytest.raises(BadMessage, match="too large"):
        read_message(plain(ciphertext=bytes(MAX_CIPHERTEXT_BYTES)))


def test_counter_limit_is_exact() -> None:
    assert read_message(plain(MAX_COUNTER)).counter == MAX_COUNTER
    with pytest.raises(BadMessage, match="counter"):
        read_message(plain(MAX_COUNTER + 1))


def test_prekey_id_limit_is_exact() -> None:
    largest = read_prekey_message(first(MAX_PREKEY_ID, signed_prekey_id=MAX_PREKEY_ID))
    assert largest.prekey_id == largest.signed_prekey_id == MAX_PREKEY_ID
    for data in (first(MAX_PREKEY_ID + 1), first(signed_prekey_id=MAX_PREKEY_ID + 1)):
        with pytest.raises(BadMessage, match="prekey id"):
            read_prekey_message(data)
