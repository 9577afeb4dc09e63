"""Stanzas exchanged with an independent implementation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.codec import tokens as t
from bridge.wire.stanza import Stanza, decode, encode
from tests.wire.peer.baileys import Program, running, to_json
from tests.wire.support import jids, names, texts

EXCHANGE = settings(max_examples=150, derandomize=True, deadline=None)


@pytest.fixture(scope="module")
def peer() -> Iterator[Program]:
    with running() as program:
        yield program


# What every JavaScript object inherits: Baileys looks words up in plain objects and finds these.
INHERITED = {
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
}


def _plain(text: str) -> bool:
    # Baileys reads an @ as an identifier.
    return "@" not in text and not text.startswith("__") and text not in INHERITED


# A number as an attribute's name moves to the front in JavaScript.
plain_names = names.filter(lambda name: _plain(name) and not name.isdecimal())
plain_texts = texts.filter(_plain)
# What Baileys writes the same way as we do: no devices, no fourth kind of identifier.
# (What follows an underscore in a user is an "agent" to them, and is left out.)
common_jids = jids.filter(
    lambda jid: (
        not jid.device
        and jid.server not in ("interop", "msgr")
        and "_" not in jid.user
        and jid.user not in INHERITED
    )
)


def trees(values: st.SearchStrategy[str | Jid]) -> st.SearchStrategy[Stanza]:
    """Stanzas whose attributes are ``values``."""
    named = st.dictionaries(plain_names, values, max_size=5)
    leaves = st.builds(Stanza, plain_names, named, st.one_of(st.none(), st.just(()), st.binary(max_size=300)))
    return st.recursive(
        leaves,
        lambda inner: st.builds(Stanza, plain_names, named, st.lists(inner, max_size=4).map(tuple)),
        max_leaves=12,
    )


@EXCHANGE
@given(stanza=trees(st.one_of(plain_texts, jids)))
def test_peer_reads_our_stanzas(peer: Program, stanza: Stanza) -> None:
    assert peer.decode(encode(stanza)) == to_json(stanza)


@EXCHANGE
@given(stanza=trees(plain_texts))
def test_peer_reads_our_compressed_stanzas(peer: Program, stanza: Stanza) -> None:
    assert peer.decode(encode(stanza, compress=True)) == to_json(stanza)


@EXCHANGE
@given(stanza=trees(plain_texts))
def test_encoding_equals_peer(peer: Program, stanza: Stanza) -> None:
    assert peer.encode(stanza) == encode(stanza)


@EXCHANGE
@given(stanza=trees(st.one_of(plain_texts, common_jids)))
def test_we_read_stanzas_of_peer(peer: Program, stanza: Stanza) -> None:
    # A server alone has no @ in our print but has one in theirs, so the forms are compared.
    assert to_json(decode(peer.encode(stanza))) == to_json(stanza)


@EXCHANGE
@given(jid=jids)
def test_peer_reads_our_identifiers(peer: Program, jid: Jid) -> None:
    stanza = Stanza("message", {"to": jid})
    assert peer.decode(encode(stanza)) == to_json(stanza)


@pytest.mark.parametrize(
    "jid",
    [
        Jid("4915112345678", "s.whatsapp.net"),
        Jid("4915112345678", "s.whatsapp.net", device=3),
        Jid("123", "lid", device=3),
        Jid("10853634039893", "interop", 7),
    ],
)
def test_we_read_identifiers_of_peer(peer: Program, jid: Jid) -> None:
    written = Stanza("message", {"to": str(jid)})
    assert decode(peer.encode(written)) == Stanza("message", {"to": jid})


def test_dictionary_equals_peer(peer: Program) -> None:
    words = [word for word in t.DICTIONARY.codes if "@" not in word]
    for start in range(0, len(words), 100):
        stanza = Stanza("list", {}, tuple(Stanza(word) for word in words[start : start + 100]))
        data = encode(stanza)
        assert peer.encode(stanza) == data
        assert peer.decode(data) == to_json(stanza)


def test_long_lists_and_bytes_equal_peer(peer: Program) -> None:
    for stanza in (
        Stanza("list", {}, tuple(Stanza("item", {"id": f"x{number}"}) for number in range(300))),
        Stanza("body", {}, bytes(range(256)) * 10),
        Stanza("body", {}, bytes(2**20)),
        Stanza("body", {"id": "x" * 300}),
    ):
        data = encode(stanza)
        assert peer.encode(stanza) == data
        assert peer.decode(data) == to_json(stanza)


def test_text_content_is_read_as_bytes(peer: Program) -> None:
    assert peer.decode(bytes.fromhex("00 f802 ed75 38")) == {
        "tag": "body",
        "attrs": {},
        "content": {"text": "text"},
    }
    assert decode(bytes.fromhex("00 f802 ed75 38")).content == b"text"


@EXCHANGE
@given(stanza=trees(plain_texts), at=st.integers(0), damage=st.binary(min_size=1, max_size=3))
def test_damaged_stanza_is_read_as_by_peer(peer: Program, stanza: Stanza, at: int, damage: bytes) -> None:
    data = bytearray(encode(stanza))
    at = 1 + at % (len(data) - 1)
    data[at : at + len(damage)] = damage
    try:
        ours = decode(bytes(data))
    except RemoteProtocolError:
        return
    assert as_bytes(peer.decode(bytes(data))) == as_bytes(to_json(ours))


def as_bytes(stanza: Any) -> Any:
    """Text inside as its bytes, as we read it."""
    content = stanza["content"]
    if isinstance(content, list):
        content = [as_bytes(node) for node in content]
    elif content is not None and "text" in content:
        content = {"bytes": content["text"].encode().hex()}
    return {**stanza, "content": content}
