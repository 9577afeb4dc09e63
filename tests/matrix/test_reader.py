"""Transactions are read piece by piece: what is large is refused before it is built."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matrix.reader import (
    MAX_ELEMENT_CHARACTERS,
    MAX_VALUE_CHARACTERS,
    BadJson,
    NotJson,
    Reader,
    TooMuch,
)
from bridge.matrix.transactions import MAX_PARTS, read_object, split

MIB = 1024 * 1024
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 1]))
@settings(derandomize=True, max_examples=50, deadline=None)
def test_any_object_is_read_as_it_was_written(value: dict[str, object], indent: int | None) -> None:
    assert read_object(json.dumps(value, indent=indent).encode()) == value


@given(st.lists(JSON))
@settings(derandomize=True, max_examples=50, deadline=None)
def test_a_list_is_read_element_by_element(elements: list[object]) -> None:
    reader = Reader(json.dumps({"events": elements}))
    assert [list(reader.elements()) for _ in reader.members()] == [elements]


@pytest.mark.parametrize(
    "text",
    ['{"a":1,}', '{"a":1', '{"a" 1}', "{1:1}", '{"a":1}x', '{"a":[1,]}', '{"a":[1 1]}', '{"a":[1', "{,}"],
)
def test_what_is_broken_anywhere_is_no_json(text: str) -> None:
    reader = Reader(text)
    with pytest.raises(NotJson):
        [list(reader.elements()) if "[" in text else reader.value() for _ in reader.members()]


@pytest.mark.parametrize("text", ["[]", "1", "null", '"x"'])
def test_json_that_is_no_object_is_of_another_shape(text: str) -> None:
    with pytest.raises(BadJson):
        list(Reader(text).members())


def _event(characters: int) -> bytes:
    """A transaction whose one event has so many characters, with more behind it than a limit."""
    event = '{"a":"' + "x" * (characters - 8) + '"}'
    return f'{{"events":[{event}],"other":"{"y" * (2 * MIB)}"}}'.encode()


def test_an_element_of_its_limit_is_read_and_one_beyond_it_is_too_much() -> None:
    assert len(split("1", _event(MAX_ELEMENT_CHARACTERS))) == 1
    with pytest.raises(TooMuch):
        split("1", _event(MAX_ELEMENT_CHARACTERS + 1))


def test_another_value_of_its_limit_is_read_and_one_beyond_it_is_too_much() -> None:
    behind = ',"other":"' + "y" * MAX_VALUE_CHARACTERS + '"}'
    for characters, is_read in ((MAX_VALUE_CHARACTERS - 9, True), (MAX_VALUE_CHARACTERS + 1, False)):
        body = ('{"lists":"' + "x" * (characters - 2) + '"' + (behind if not is_read else "}")).encode()
        if is_read:
            assert split("1", body) == []
        else:
            with pytest.raises(TooMuch):
                split("1", body)


def test_as_many_parts_as_the_limit_are_taken_and_one_more_is_too_much() -> None:
    def events(count: int) -> bytes:
        return json.dumps({"events": [{"event_id": f"${n}"} for n in range(count)]}).encode()

    half = MAX_PARTS // 2  # an element and what is made of it count
    assert len(split("1", events(half))) == half
    with pytest.raises(TooMuch):
        split("1", events(half + 1))


def test_parts_of_all_lists_and_the_readers_of_a_receipt_count_together() -> None:
    readers: dict[str, object] = {f"@u{n}:hs": {} for n in range(MAX_PARTS)}
    receipt = {"type": "m.receipt", "room_id": "!r:hs", "content": {"$e": {"m.read": readers}}}
    with pytest.raises(TooMuch):
        split("1", json.dumps({"ephemeral": [receipt]}).encode())
    third: list[object] = [{} for _ in range(MAX_PARTS // 3)]
    with pytest.raises(TooMuch):
        split("1", json.dumps({"events": third, "to_device": third}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"events":[[' + b"[]," * 1_500_000 + b"[]]]}",
        b'{"x":[' + b"{}," * 1_500_000 + b"{}]}",
        b'{"events":[' + (b"[" + b"{}," * 10_000 + b"{}],") * 100 + b"[]]}",
    ],
    ids=["one element of many", "an unknown member of many", "many elements of many"],
)
def test_no_body_costs_many_times_its_size(body: bytes) -> None:
    tracemalloc.start()
    with suppress(TooMuch):
        split("1", body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(body) + 40 * MAX_VALUE_CHARACTERS
