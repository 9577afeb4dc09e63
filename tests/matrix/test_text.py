"""Long texts in as few events as fit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.content import Text
from bridge.matrix.events import text_content
from bridge.matrix.text import MAX_PIECE_BYTES, json_bytes, pieces

MAX_EVENT_BYTES = 65_536
ENVELOPE_BYTES = 4096
"""Ids, hashes and a signature of an event, generously."""


@pytest.mark.parametrize(
    "text",
    [
        Text("hallo"),
        Text("hallo", "<b>hallo</b>", emote=True),
        Text("x" * (MAX_PIECE_BYTES - 2)),
        Text(""),
    ],
)
def test_what_fits_stays_as_it_is(text: Text) -> None:
    assert pieces(text) == (text,)


def test_html_that_does_not_fit_is_left_out_and_no_word_is() -> None:
    text = Text("x" * (MAX_PIECE_BYTES // 2), "y" * (MAX_PIECE_BYTES // 2))
    assert pieces(text) == (Text(text.plain),)


@pytest.mark.parametrize("unit", ["x", "wort ", "zeile\n", '"', "\\", "\n", "\x01", "\u00e9", "\u20ac", "😀"])
def test_every_piece_fits_into_an_event_and_together_they_are_the_text(unit: str) -> None:
    text = Text(unit * 65_536)
    found = pieces(text)
    assert "".join(piece.plain for piece in found) == text.plain
    assert len(found) > 1
    for piece in found:
        content = text_content(piece, marker="m" * 64)
        assert len(json.dumps(content, ensure_ascii=False).encode()) + ENVELOPE_BYTES <= MAX_EVENT_BYTES


def test_one_byte_more_than_fits_makes_two_pieces() -> None:
    assert len(pieces(Text("x" * (MAX_PIECE_BYTES - 2)))) == 1
    assert len(pieces(Text("x" * (MAX_PIECE_BYTES - 1)))) == 2


def test_pieces_end_at_a_line_or_at_least_at_a_word() -> None:
    lines = pieces(Text(("a word " * 20 + "\n") * 1000))
    assert all(piece.plain.endswith("\n") for piece in lines)
    words = pieces(Text("a word " * 10_000))
    assert all(piece.plain.endswith(" ") for piece in words)


@settings(derandomize=True, max_examples=30)
@given(st.text(min_size=1, max_size=20), st.integers(1, 20_000))
def test_nothing_is_lost_or_doubled_whatever_the_text(unit: str, times: int) -> None:
    found = pieces(Text(unit * times))
    assert "".join(piece.plain for piece in found) == unit * times
    assert all(json_bytes(piece.plain) <= MAX_PIECE_BYTES for piece in found)
