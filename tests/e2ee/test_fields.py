"""The strict protobuf reader, against its own encoder and against Google's."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.e2ee.errors import BadMessage
from bridge.e2ee.fields import MAX_UINT32, Fields, bytes_field, number_field

QUICK = settings(max_examples=100, derandomize=True, deadline=None)


def read(data: bytes) -> Fields:
    """Field 1 is a number, field 2 a string, all else unknown."""
    return Fields(data, numbers=(1,), strings=(2,))


def google() -> Any:
    """The same message as a class of Google's library, proto2."""
    file = FileDescriptorProto(name="t.proto", package="t", syntax="proto2")
    message = file.message_type.add(name="M")
    types = ((1, FieldDescriptorProto.TYPE_UINT32), (2, FieldDescriptorProto.TYPE_BYTES))
    optional = FieldDescriptorProto.LABEL_OPTIONAL
    for number, kind in types:
        message.field.add(name=f"f{number}", number=number, type=kind, label=optional)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("t.M"))


@QUICK
@given(st.integers(0, MAX_UINT32), st.binary(max_size=300))
def test_fields_round_trip(number: int, string: bytes) -> None:
    fields = read(number_field(1, number) + bytes_field(2, string))
    assert (fields.number(1), fields.string(2)) == (number, string)


@QUICK
@given(st.integers(0, MAX_UINT32), st.binary(max_size=300))
def test_encoding_equals_reference_library(number: int, string: bytes) -> None:
    theirs = google()(f1=number, f2=string).SerializeToString()
    assert theirs == number_field(1, number) + bytes_field(2, string)


@QUICK
@given(st.binary(max_size=60))
def test_arbitrary_bytes_parse_or_raise_bad_message(data: bytes) -> None:
    try:
        fields = read(data)
    except BadMessage:
        return
    theirs = google().FromString(data)
    assert fields.optional_number(1) == (theirs.f1 if theirs.HasField("f1") else None)
    if theirs.HasField("f2"):
        assert fields.string(2) == theirs.f2


@pytest.mark.parametrize(
    "unknown",
    [number_field(9, 2**63), bytes_field(9, b"x"), b"\x4d" + bytes(4), b"\x49" + bytes(8)],
    ids=["number", "string", "fixed32", "fixed64"],
)
def test_unknown_fields_are_skipped(unknown: bytes) -> None:
    fields = read(unknown + number_field(1, 5) + unknown + bytes_field(2, b"s"))
    assert (fields.number(1), fields.string(2)) == (5, b"s")


def test_missing_field_needs_a_default() -> None:
    fields = read(b"")
    assert fields.number(1, default=0) == 0
    assert fields.optional_number(1) is None
    for take in (fields.number, fields.string):
        with pytest.raises(BadMessage):
            take(2)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # no value
        b"\x08\x80",  # a varint that does not end
        b"\x08\x80\x00",  # zero in two bytes
        b"\x08" + b"\xff" * 10 + b"\x01",  # eleven bytes
        b"\x48" + b"\xff" * 9 + b"\x02",  # 65 bits
        b"\x08\x80\x80\x80\x80\x10",  # 2^32 in a field of 32 bits
        b"\x12\x02a",  # a string shorter than it says
        b"\x12\xff\xff\xff\xff\x0f",  # a string of 4 GiB
        b"\x4d" + bytes(3),
        b"\x49" + bytes(7),
        b"\x00\x00",  # field number 0
        b"\x0b\x0c",  # a group
        b"\x4f",  # wire type 7
        b"\x0a\x00",  # the number as a string
        b"\x10\x00",  # the string as a number
        b"\x08\x01\x08\x01",  # twice
        b"\x12\x00\x12\x00",
        b"\x80\x80\x80\x80\x10\x00",  # field number 2^29
    ],
    ids=bytes.hex,
)
def test_non_canonical_encoding_is_rejected(data: bytes) -> None:
    with pytest.raises(BadMessage):
        read(data)


def test_largest_number_is_read() -> None:
    assert read(b"\x08\xff\xff\xff\xff\x0f").number(1) == MAX_UINT32
    read(b"\x48" + b"\xff" * 9 + b"\x01")
