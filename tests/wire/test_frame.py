"""Frames."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire import frame
from bridge.wire.frame import FrameReader
from tests.wire.support import QUICK


def test_frame_length_is_three_bytes_big_endian() -> None:
    assert frame.encode(b"x" * 0x010203)[:4] == b"\x01\x02\x03x"


@QUICK
@given(st.lists(st.binary(max_size=50), max_size=5), st.lists(st.integers(0, 200), max_size=8))
def test_frames_are_the_same_for_any_split(frames: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(frame.encode, frames))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader()
    found = [
        payload for start, end in itertools.pairwise(edges) for payload in reader.feed(stream[start:end])
    ]
    assert found == frames
    assert not reader.holds_part_of_a_frame


@pytest.mark.threat("S18")
def test_frame_limit_is_exact_and_checked_by_length() -> None:
    reader = FrameReader(limit=10)
    assert reader.feed(frame.encode(b"x" * 10)) == [b"x" * 10]
    with pytest.raises(RemoteProtocolError):
        reader.feed(b"\x00\x00\x0b")


def test_raised_limit_applies_to_next_frame() -> None:
    reader = FrameReader(limit=1)
    reader.append(frame.encode(b"a") + frame.encode(b"four"))
    assert reader.take() == b"a"
    reader.limit = 4
    assert reader.take() == b"four"


def test_frame_over_24_bit_length_cannot_be_sent() -> None:
    assert len(frame.encode(bytes(frame.MAX_ENCODED_FRAME_BYTES))) == 2**24 + 2
    with pytest.raises(LocalProtocolError):
        frame.encode(bytes(frame.MAX_ENCODED_FRAME_BYTES + 1))


def test_partial_frame_is_kept() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x00") == []
    assert reader.holds_part_of_a_frame
