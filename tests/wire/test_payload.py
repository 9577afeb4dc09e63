"""The plaintext inside a message."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire.payload import (
    MAX_PADDING_BYTES,
    MAX_PAYLOAD_BYTES,
    TextPayload,
    UnknownPayload,
    pad,
    parse,
    unpad,
)
from tests.wire.support import QUICK

some_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
given_text = some_text.filter(bool)


def length_delimited(field: int, data: bytes) -> bytes:
    """A protobuf field of bytes, written by hand."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def _always(value: int) -> Callable[[int], bytes]:
    return lambda count: bytes([value]) * count


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


@QUICK
@given(
    st.builds(
        TextPayload,
        some_text,
        st.none() | given_text,
        st.none() | given_text,
        st.none() | given_text,
        st.integers(0, 2**32 - 1),
    )
)
def test_text_round_trips(payload: TextPayload) -> None:
    assert parse(payload.to_bytes()) == payload


def test_plain_text_is_field_one() -> None:
    assert TextPayload("hello").to_bytes() == b"\x0a\x05hello"


def test_reply_has_the_published_field_numbers() -> None:
    payload = TextPayload("yes", "3EB0", "7-5@interop", "well?")
    quoted = length_delimited(1, b"well?")
    context = length_delimited(1, b"3EB0") + length_delimited(2, b"7-5@interop")
    context += length_delimited(3, quoted)
    extended = length_delimited(1, b"yes") + length_delimited(17, context)
    assert payload.to_bytes() == length_delimited(6, extended)


def test_timer_is_read() -> None:
    assert parse(TextPayload("soon gone", expires_after=86_400).to_bytes()) == TextPayload(
        "soon gone", expires_after=86_400
    )


@pytest.mark.threat("S21")
@pytest.mark.parametrize(
    ("field", "kind"),
    [
        (3, "image"),
        (4, "contact"),
        (5, "location"),
        (7, "document"),
        (8, "audio"),
        (9, "video"),
        (10, "call"),
        (12, "protocol"),
        (13, "contacts"),
        (18, "live_location"),
        (26, "sticker"),
        (28, "group_invite"),
        (31, "device_sent"),
        (37, "view_once"),
        (40, "ephemeral"),
        (46, "reaction"),
        (49, "poll"),
        (50, "poll_update"),
        (51, "keep_in_chat"),
        (53, "document_with_caption"),
        (55, "view_once"),
        (56, "encrypted_reaction"),
        (58, "edited"),
        (64, "poll"),
        (66, "round_video"),
        (80, "placeholder"),
        (83, "album"),
        (86, "sticker_pack"),
    ],
)
def test_non_text_kinds_are_named(field: int, kind: str) -> None:
    secret = length_delimited(35, b"whatever")
    for data in (b"", b"\x0a\x00", b"\xff\xff"):
        assert parse(length_delimited(field, data)) == UnknownPayload(kind)
        assert parse(length_delimited(field, data) + secret) == UnknownPayload(kind)


def test_extra_fields_do_not_hide_a_text() -> None:
    beside = length_delimited(35, b"a message secret") + length_delimited(2, b"a group's key")
    newer = length_delimited(999, b"something newer")
    assert parse(length_delimited(1, b"hello") + beside + newer) == TextPayload("hello")


def test_unnamed_kind_is_unknown_and_no_kind_is_empty() -> None:
    assert parse(length_delimited(999, b"")) == UnknownPayload("unknown")
    assert parse(b"\x18\x01") == UnknownPayload("unknown")  # an image that is a number
    assert parse(length_delimited(1, b"text") + length_delimited(3, b"")) == UnknownPayload("unknown")
    assert parse(b"") == UnknownPayload("empty")


def test_reply_to_non_text_is_readable() -> None:
    for quoted in (length_delimited(3, b"an image"), b"\xff", b""):
        context = length_delimited(1, b"3EB0") + length_delimited(3, quoted)
        data = length_delimited(6, length_delimited(1, b"yes") + length_delimited(17, context))
        assert parse(data) == TextPayload("yes", "3EB0")


def test_quoted_reply_gives_only_its_own_text() -> None:
    inner = TextPayload("inner", "1", "a", "innermost").to_bytes()
    context = length_delimited(1, b"3EB0") + length_delimited(3, inner)
    data = length_delimited(6, length_delimited(1, b"yes") + length_delimited(17, context))
    assert parse(data) == TextPayload("yes", "3EB0", None, "inner")


@pytest.mark.parametrize(
    "context",
    [
        b"\xff",
        b"\x0a\x05id",
        length_delimited(1, b"\xff"),
        length_delimited(2, b"\xff"),
        length_delimited(1, b"3EB0") + b"\x1a\x7fcut off",
    ],
)
def test_unreadable_reply_context_does_not_cost_the_text(context: bytes) -> None:
    data = length_delimited(6, length_delimited(1, b"yes") + length_delimited(17, context))
    assert parse(data) == TextPayload("yes")


def test_quote_that_is_not_text_is_dropped() -> None:
    for quoted in (length_delimited(1, b"\xff"), length_delimited(6, b"\xff"), b"\x0a\x7fcut off"):
        context = length_delimited(1, b"3EB0") + length_delimited(3, quoted)
        data = length_delimited(6, length_delimited(1, b"yes") + length_delimited(17, context))
        assert parse(data) == TextPayload("yes", "3EB0")


@pytest.mark.threat("S21")
def test_nested_quotes_of_any_depth_are_harmless() -> None:
    deep = length_delimited(1, b"the bottom")
    while len(deep) < MAX_PAYLOAD_BYTES - 20:
        context = length_delimited(1, b"id") + length_delimited(3, deep)
        deep = length_delimited(6, length_delimited(1, b"x") + length_delimited(17, context))
        if len(deep) > 20_000:
            break
    assert parse(deep) == TextPayload("x", "id", None, "x")
    groups = b"\xfb\x3e" * 10_000 + b"\xfc\x3e" * 10_000
    with pytest.raises(RemoteProtocolError):
        parse(groups)


@pytest.mark.threat("S21")
def test_payload_size_limit_is_exact() -> None:
    room = MAX_PAYLOAD_BYTES - 4
    at_limit = TextPayload("x" * room)
    assert len(at_limit.to_bytes()) == MAX_PAYLOAD_BYTES
    assert parse(at_limit.to_bytes()) == at_limit
    with pytest.raises(LocalProtocolError):
        TextPayload("x" * (room + 1)).to_bytes()
    with pytest.raises(RemoteProtocolError, match="over 524288 bytes"):
        parse(length_delimited(1, b"x" * (room + 1)))


@pytest.mark.parametrize(
    "payload",
    [TextPayload("\ud800"), TextPayload("x", "\ud800"), TextPayload("x", expires_after=-1)],
)
def test_unencodable_payload_is_a_local_error(payload: TextPayload) -> None:
    with pytest.raises(LocalProtocolError):
        payload.to_bytes()


@pytest.mark.threat("S21")
@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05hell", b"\x0a\x01\xff", b"\x32\x02\x0a\x05"])
def test_malformed_payload_is_rejected(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse(data)


@pytest.mark.threat("S21")
@QUICK
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x0a", b"\x32", b"\x32\x10\x8a\x01"]))
def test_arbitrary_bytes_are_rejected_or_round_trip(data: bytes, head: bytes) -> None:
    try:
        found = parse(head + data)
    except RemoteProtocolError:
        return
    assert not isinstance(found, TextPayload) or parse(found.to_bytes()) == found


@QUICK
@given(st.binary(max_size=40), st.binary(min_size=1, max_size=1))
def test_padding_round_trips(data: bytes, random: bytes) -> None:
    assert unpad(pad(data, lambda count: random)) == data


def test_padding_uses_every_length() -> None:
    lengths = {len(pad(b"", _always(value))) for value in range(256)}
    assert lengths == set(range(1, MAX_PADDING_BYTES + 1))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"text\x00", b"text\x10" + b"\x10" * 15, b"\x02", b"text\x01\x02", b"text\x03\x02\x03"],
)
def test_wrong_padding_is_rejected(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        unpad(data)


def test_repr_shows_no_text() -> None:
    assert "secret" not in repr(TextPayload("secret", quoted="secret"))
