"""Every bound of the codec, at it and beyond it; bombs."""

from __future__ import annotations

import hashlib
import tracemalloc
import zlib

import pytest

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire.codec import compression
from bridge.wire.codec.node import MAX_ATTRIBUTES, MAX_ATTRIBUTES_PER_NODE, MAX_DEPTH, MAX_NODES
from bridge.wire.stanza import Stanza, decode, encode
from tests.wire.support import rings

RING = b"\xf8\x02\x13\xf8\x01"
"""A node around one node: a list of two (message, a list of one)."""
LEAF = b"\xf8\x01\x13"


def rings_in_tokens(depth: int) -> bytes:
    return b"\x00" + RING * (depth - 1) + LEAF


def nodes_in_tokens(count: int) -> bytes:
    """A list of ``count`` nodes in all."""
    return b"\x00\xf8\x02\x13\xf9" + (count - 1).to_bytes(2, "big") + LEAF * (count - 1)


def attributes_in_tokens(count: int) -> bytes:
    """A node's list with ``count`` attributes, all named differently."""
    pairs = b"".join(b"\xfc\x04n%03x\x04" % number for number in range(count))
    return b"\xf9" + (1 + 2 * count).to_bytes(2, "big") + b"\x13" + pairs


@pytest.mark.threat("S19")
def test_depth_limit_is_exact() -> None:
    assert decode(rings_in_tokens(MAX_DEPTH)) == rings(MAX_DEPTH, "message")
    assert encode(rings(MAX_DEPTH, "message")) == rings_in_tokens(MAX_DEPTH)
    with pytest.raises(RemoteProtocolError):
        decode(rings_in_tokens(MAX_DEPTH + 1))
    with pytest.raises(LocalProtocolError):
        encode(rings(MAX_DEPTH + 1))


@pytest.mark.threat("S19")
def test_very_deep_stanza_is_rejected_cheaply() -> None:
    with pytest.raises(RemoteProtocolError):
        decode(rings_in_tokens(200_000))


@pytest.mark.threat("S19")
def test_nested_identifiers_are_rejected_cheaply() -> None:
    for token in (b"\xfa", b"\xf5", b"\xf6", b"\xf7\x00\x00"):
        with pytest.raises(RemoteProtocolError):
            decode(b"\x00\xf8\x03\x13\x08" + token * 200_000)


@pytest.mark.threat("S19")
def test_node_limit_is_exact() -> None:
    stanza = decode(nodes_in_tokens(MAX_NODES))
    assert len(stanza.children()) == MAX_NODES - 1
    assert encode(stanza) == nodes_in_tokens(MAX_NODES)
    with pytest.raises(RemoteProtocolError):
        decode(nodes_in_tokens(MAX_NODES + 1))
    with pytest.raises(LocalProtocolError):
        encode(Stanza("message", {}, tuple(Stanza("x") for _ in range(MAX_NODES))))


@pytest.mark.threat("S19")
def test_node_limit_counts_the_whole_tree() -> None:
    branch = b"\xf8\x02\x13\xf9" + (4999).to_bytes(2, "big") + LEAF * 4999
    fits = b"\x00\xf8\x02\x13\xf8\x01" + branch
    beyond = b"\x00\xf8\x02\x13\xf8\x03" + branch * 3
    assert decode(fits).tag == "message"
    with pytest.raises(RemoteProtocolError):
        decode(beyond)


@pytest.mark.threat("S19")
def test_list_of_empty_nodes_is_rejected() -> None:
    for nodes in (b"", b"\x00" * 0xFFFF):
        with pytest.raises(RemoteProtocolError, match="too many nodes"):
            decode(b"\x00\xf8\x02\x13\xf9\xff\xff" + nodes)


@pytest.mark.threat("S19")
def test_attribute_limit_of_a_node_is_exact() -> None:
    stanza = decode(b"\x00" + attributes_in_tokens(MAX_ATTRIBUTES_PER_NODE))
    assert len(stanza.attributes) == MAX_ATTRIBUTES_PER_NODE
    assert decode(encode(stanza)) == stanza
    with pytest.raises(RemoteProtocolError):
        decode(b"\x00" + attributes_in_tokens(MAX_ATTRIBUTES_PER_NODE + 1))
    beyond = {f"n{number}": "" for number in range(MAX_ATTRIBUTES_PER_NODE + 1)}
    with pytest.raises(LocalProtocolError):
        encode(Stanza("x", beyond))


@pytest.mark.threat("S19")
def test_attribute_limit_of_a_stanza_is_exact() -> None:
    full = attributes_in_tokens(MAX_ATTRIBUTES_PER_NODE)
    count = MAX_ATTRIBUTES // MAX_ATTRIBUTES_PER_NODE
    fits = b"\x00\xf8\x02\x13\xf8" + bytes([count]) + full * count
    beyond = b"\x00\xf8\x02\x13\xf8" + bytes([count + 1]) + full * count + attributes_in_tokens(1)
    stanza = decode(fits)
    assert encode(stanza)
    with pytest.raises(RemoteProtocolError):
        decode(beyond)
    with pytest.raises(LocalProtocolError):
        encode(Stanza("message", {"one": "more"}, stanza.children()))


@pytest.mark.threat("S20")
def test_inflated_size_limit_is_exact() -> None:
    # Stored, not compressed: the ratio is not what stops it.
    at_limit = bytes(compression.MAX_INFLATED_BYTES)
    assert compression.open_flagged(b"\x02" + zlib.compress(at_limit, 0)) == at_limit
    with pytest.raises(RemoteProtocolError, match="over the limit of 8388608"):
        compression.open_flagged(b"\x02" + zlib.compress(at_limit + b"x", 0))


@pytest.mark.threat("S20")
def test_inflation_ratio_limit_is_exact() -> None:
    ratio = compression.MAX_INFLATE_RATIO
    fits = _of_ratio(ratio, 0)
    assert len(compression.open_flagged(b"\x02" + fits)) == len(fits) * ratio
    with pytest.raises(RemoteProtocolError, match="over the limit"):
        compression.open_flagged(b"\x02" + _of_ratio(ratio, 1))


def _of_ratio(ratio: int, extra: int) -> bytes:
    """A zlib stream that inflates to ``ratio`` times its size and ``extra`` bytes more.

    Noise keeps its size and zeros nearly vanish: the number of zeros that fits is found
    by asking again until it stays the same.
    """
    noise = hashlib.sha512(b"noise").digest()
    zeros = 0
    for _ in range(100):
        stream = zlib.compress(noise + bytes(zeros), 9)
        wanted = len(stream) * ratio + extra - len(noise)
        if wanted == zeros:
            return stream
        zeros = wanted
    raise AssertionError("no stream of that ratio was found")


def bomb(mebibytes: int) -> bytes:
    """About a thousandth of what it inflates to."""
    compressor = zlib.compressobj(9)
    mebibyte = bytes(1024 * 1024)
    return b"".join(compressor.compress(mebibyte) for _ in range(mebibytes)) + compressor.flush()


@pytest.mark.threat("S20")
def test_zip_bomb_memory_is_bounded() -> None:
    data = b"\x02" + bomb(512)
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="over the limit"):
            decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


@pytest.mark.threat("S20")
@pytest.mark.parametrize(
    "data",
    [
        b"\x02",
        b"\x02no zlib",
        b"\x02" + zlib.compress(b"\xf8\x01\x13") + b"x",
        b"\x02" + zlib.compress(b"\xf8\x01\x13")[:-1],
        b"\x02" + zlib.compress(b"\xf8\x01\x13")[:-4] + b"\0\0\0\0",
        b"\x02" + zlib.compress(b"\xf8\x01\x13") * 2,
        b"\x02" + zlib.compress(b""),
        b"\x02" + zlib.compress(zlib.compress(b"\xf8\x01\x13")),
    ],
)
def test_hostile_compressed_stanza_is_rejected(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(data)


def test_stream_inflating_to_whole_chunks_is_accepted() -> None:
    data = bytes(range(256)) * (2 * compression.PIECE_BYTES // 256)
    assert compression.open_flagged(b"\x02" + zlib.compress(data, 0)) == data
