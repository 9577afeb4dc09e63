"""The stanza codec: the published example, tokens, identifiers, packed strings."""

from __future__ import annotations

import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.codec import packed
from bridge.wire.codec import tokens as t
from bridge.wire.stanza import Stanza, UnreadableStanza, decode, encode
from tests.wire.support import QUICK, jids, stanzas, texts

WHATSAPP = "s.whatsapp.net"


def value_tokens(value: str | Jid) -> bytes:
    """How ``value`` travels as an attribute."""
    encoded = encode(Stanza("message", {"id": value}))
    assert encoded[:5] == b"\x00\xf8\x03\x13\x08"
    return encoded[5:]


def decode_value(tokens: bytes) -> str | Jid:
    """The attribute that ``tokens`` are."""
    return decode(b"\x00\xf8\x03\x13\x08" + tokens).attributes["id"]


@QUICK
@given(stanzas, st.booleans())
def test_stanza_round_trips(stanza: Stanza, compress: bool) -> None:
    assert decode(encode(stanza, compress=compress)) == stanza


def test_published_example_has_published_tokens() -> None:
    """The framework's example of a text message (a shape test: its lengths have slips).

    248 list, 12 items: message, to, a packed phone number, from, another, id, raw text,
    type text, notify "joe"; then a list of one: body with raw text.
    """
    stanza = Stanza(
        "message",
        {
            "to": Jid("14155551001", WHATSAPP),
            "from": Jid("14155551002", WHATSAPP),
            "id": "the id",
            "type": "text",
            "notify": "joe",
        },
        (Stanza("body", {}, b"hello, this is a text"),),
    )
    expected = bytes([248, 12, 19])
    expected += bytes([17, 250, 255, 134, 20, 21, 85, 81, 0, 31, 3])
    expected += bytes([6, 250, 255, 134, 20, 21, 85, 81, 0, 47, 3])
    expected += bytes([8, 252, 6]) + b"the id"
    expected += bytes([4, 56])
    expected += bytes([24, 252, 3]) + b"joe"
    expected += bytes([248, 1, 248, 2, 237, 117, 252, 21]) + b"hello, this is a text"
    assert encode(stanza) == b"\x00" + expected
    assert decode(b"\x00" + expected) == stanza


def test_dictionary_is_complete() -> None:
    single, double, codes = t.DICTIONARY
    assert len(single) == 236
    assert [len(dictionary) for dictionary in double] == [256] * 4
    assert single[0] == ""
    assert all(single[1:])
    assert all(all(dictionary) for dictionary in double)
    assert codes["message"] == b"\x13"
    assert codes["body"] == b"\xed\x75"


def test_every_token_reads_as_its_word() -> None:
    for index, word in enumerate(t.DICTIONARY.single):
        assert decode_value(bytes([index])) == word
    for number, dictionary in enumerate(t.DICTIONARY.double):
        for index, word in enumerate(dictionary):
            assert decode_value(bytes([236 + number, index])) == word


def test_every_word_round_trips_as_a_token() -> None:
    for word, code in t.DICTIONARY.codes.items():
        assert value_tokens(word) == code


@pytest.mark.parametrize(
    ("jid", "tokens"),
    [
        (Jid("123", WHATSAPP), "fa ff82123f 03"),
        (Jid("", WHATSAPP), "fa 00 03"),
        (Jid("123", WHATSAPP, device=5), "f7 00 05 ff82123f"),
        (Jid("123", "lid", device=255), "f7 01 ff ff82123f"),
        (Jid("123", "hosted", device=1), "f7 80 01 ff82123f"),
        (Jid("123", "hosted.lid", device=1), "f7 81 01 ff82123f"),
        (Jid("123", "msgr", device=0x0102), "f6 ff82123f 0102 cc"),
        (Jid("123", "interop", 7), "f5 ff82123f 0000 0007 fc07" + b"interop".hex()),
        (Jid("123", "interop", 0xFFFF, 0x0102), "f5 ff82123f 0102 ffff fc07" + b"interop".hex()),
    ],
)
def test_identifier_has_its_own_token(jid: Jid, tokens: str) -> None:
    assert value_tokens(jid) == bytes.fromhex(tokens)
    assert decode_value(bytes.fromhex(tokens)) == jid


def test_interop_jid_in_pair_token_is_read() -> None:
    # As encoders do that know nothing of the fourth kind.
    tokens = bytes.fromhex("fa fc05" + b"7-123".hex() + "fc07" + b"interop".hex())
    assert decode_value(tokens) == Jid("123", "interop", 7)


@pytest.mark.parametrize(
    "tokens",
    [
        "f7 02 00 ff82123f",  # a domain nobody knows
        "f7 00 00 00",  # no user
        "f6 ff82123f 0000 03",  # Messenger with another server
        "f5 ff82123f 0000 0000 03",  # interop with another server
        "f5 00 0000 0000 fc07" + b"interop".hex(),  # no user
        "fa ff82123f 00",  # no server
        "fa ff82123f fc07" + b"interop".hex(),  # no integrator
        "fa ff82123f fc03" + b"A B".hex(),  # a server that is none
        "fa fc03" + b"a@b".hex() + "03",  # a user that is none
        "fa fc05" + b"1:300".hex() + "03",  # a device that this server cannot have
        "fa fc03" + b"1:5".hex() + "fc04" + b"g.us".hex(),  # a device of a group
        "fa fa 00 03 03",  # an identifier inside an identifier
    ],
)
def test_meaningless_identifier_is_rejected(tokens: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_value(bytes.fromhex(tokens))


@pytest.mark.parametrize(
    "jid",
    [
        Jid("123", "g.us", device=1),
        Jid("123", WHATSAPP, device=256),
        Jid("1@2", WHATSAPP),
        Jid("1:2", WHATSAPP),
        Jid("x" * 129, WHATSAPP),
        Jid("123", "No Server"),
        Jid("", ""),
        Jid("", WHATSAPP, device=1),
    ],
)
def test_ambiguous_identifier_is_not_written(jid: Jid) -> None:
    with pytest.raises(LocalProtocolError):
        value_tokens(jid)


@QUICK
@given(jids)
def test_identifier_round_trips(jid: Jid) -> None:
    assert decode_value(value_tokens(jid)) == jid


@QUICK
@given(texts)
def test_text_round_trips(text: str) -> None:
    assert decode_value(value_tokens(text)) == text


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("987654", "ff03987654"),
        ("1.-", "ff821b af"),
        ("3EB0", "fb023eb0"),
        ("ABC", "fb82abcf"),
        ("abc", "fc03616263"),
        ("", "fc00"),
        ("9" * 127, "ffc0" + "9" * 127 + "f"),
        ("9" * 128, "fc80" + "39" * 128),
    ],
)
def test_digits_and_upper_hex_are_packed(text: str, tokens: str) -> None:
    assert value_tokens(text) == bytes.fromhex(tokens)
    assert decode_value(bytes.fromhex(tokens)) == text


@pytest.mark.parametrize("tokens", ["ff01cc", "ff01ff", "ff8112", "ff80", "fb8112"])
def test_packed_text_with_invalid_nibble_is_rejected(tokens: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_value(bytes.fromhex(tokens))


def test_longest_packed_text_fills_the_length_byte() -> None:
    assert packed.alphabet_for("1" * 127) == packed.NIBBLE_ALPHABET
    assert packed.alphabet_for("1" * 128) is None
    assert decode_value(b"\xff\x7f" + b"\x11" * 127) == "1" * 254


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "fc00"),
        (255, "fcff"),
        (256, "fd000100"),
        (2**20 - 1, "fd0fffff"),
        (2**20, "fe00100000"),
    ],
)
def test_bytes_have_three_sizes_of_length(size: int, head: str) -> None:
    stanza = Stanza("body", {}, bytes(size))
    data = encode(stanza)
    assert data[5 : 5 + len(head) // 2].hex() == head
    assert decode(data) == stanza


def test_list_over_255_has_two_length_bytes() -> None:
    stanza = Stanza("list", {}, tuple(Stanza("item") for _ in range(256)))
    data = encode(stanza)
    assert b"\xf9\x01\x00" in data
    assert decode(data) == stanza


def test_none_empty_list_and_empty_bytes_are_distinct() -> None:
    for content in (None, (), b""):
        assert decode(encode(Stanza("x", {}, content))).content == content


def test_token_as_content_is_read_as_bytes() -> None:
    assert decode(bytes.fromhex("00 f802 ed75 38")).content == b"text"
    assert decode(bytes.fromhex("00 f802 ed75 ff82123f")).content == b"123"
    assert decode(bytes.fromhex("00 f802 ed75 fa ff82123f 03")).content == b"123@s.whatsapp.net"


@pytest.mark.parametrize(
    "stanza",
    [
        Stanza(""),
        Stanza("x", {"": "y"}),
        Stanza("x", {"a": "\ud800"}),
    ],
)
def test_unreadable_stanza_is_not_written(stanza: Stanza) -> None:
    with pytest.raises(LocalProtocolError):
        encode(stanza)


@pytest.mark.parametrize(
    "data",
    [
        "",  # nothing, not even a flag
        "00",  # no stanza
        "00 00",  # an empty list is no node
        "00 f801 00",  # an empty tag
        "00 f800",  # a list of no items
        "00 13",  # a word is no node
        "00 f801 13 00",  # something follows
        "00 f802 13",  # content is missing
        "00 f803 13 08",  # a value is missing
        "00 f805 13 08 04 08 04",  # an attribute stands twice
        "00 f803 13 00 04",  # an attribute without a name
        "00 f803 13 fa0003 04",  # an identifier for a name
        "00 f801 fa0003",  # an identifier for a tag
        "00 f803 13 08 f0",  # tokens 240 to 244 have no meaning
        "00 f803 13 08 f4",
        "00 f803 13 08 f801 13",  # a list for a value
        "00 f801 fc02 c328",  # not UTF-8
        "00 f802 13 fc05 00",  # bytes are cut off
        "00 f802 13 feffffffff",  # many bytes are announced
        "00 f802 13 f9ffff",  # many nodes are announced
        "01 f801 13",  # a flag nobody knows
        "03 f801 13",
    ],
)
def test_malformed_stanza_is_rejected(data: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(bytes.fromhex(data))


def test_upper_bits_of_20_bit_length_are_ignored() -> None:
    assert decode(bytes.fromhex("00 f802 13 fdf00001 41")).content == b"A"


@QUICK
@given(stanzas, st.data())
def test_truncated_stanza_is_rejected(stanza: Stanza, data: st.DataObject) -> None:
    encoded = encode(stanza)
    end = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(RemoteProtocolError):
        decode(encoded[:end])


@QUICK
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x00", b"\x00\xf8", b"\x02"]))
def test_arbitrary_bytes_are_a_stanza_or_rejected(data: bytes, head: bytes) -> None:
    try:
        stanza = decode(head + data)
    except RemoteProtocolError:
        return
    # What can be read can be written, and is then read the same.
    assert decode(encode(stanza)) == stanza


@QUICK
@given(stanzas, st.binary(min_size=1, max_size=3), st.data())
def test_damaged_stanza_round_trips_or_is_rejected(
    stanza: Stanza, damage: bytes, data: st.DataObject
) -> None:
    encoded = bytearray(encode(stanza))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at : at + len(damage)] = damage
    try:
        found = decode(bytes(encoded))
    except RemoteProtocolError:
        return
    assert decode(encode(found)) == found


any_jids = st.builds(
    Jid,
    st.text(alphabet="0123456789abc:-_.@", max_size=8),
    st.sampled_from(["s.whatsapp.net", "lid", "hosted", "g.us", "msgr", "broadcast", "interop", "No Server"]),
    st.just(0),
    st.integers(0, 0xFFFF),
)


@QUICK
@given(any_jids)
def test_readable_pair_identifier_can_be_written(jid: Jid) -> None:
    user, _, server = str(jid).rpartition("@")
    pair = b"".join(b"\xfc" + bytes([len(part)]) + part.encode() for part in (user, server))
    try:
        found = decode_value(b"\xfa" + pair)
    except RemoteProtocolError:
        return
    assert decode_value(value_tokens(found)) == found


@QUICK
@given(any_jids)
def test_written_identifier_reads_the_same(jid: Jid) -> None:
    try:
        tokens = value_tokens(jid)
    except LocalProtocolError:
        return
    assert decode_value(tokens) == jid


@pytest.mark.parametrize(
    ("data", "head"),
    [
        ("", None),
        ("01", None),
        ("00 f803 13 08", None),  # cut off inside the head
        ("00 f803 13 fa0003 04", None),
        ("00 f804 13 08 fc0141 fc05 00", Stanza("message", {"id": "A"})),  # bytes are cut off
        (
            "00 f804 13 08 fc0141 f801 f803 13 08 fafc05" + b"1:300".hex() + "03",
            Stanza("message", {"id": "A"}),
        ),
        ("00 f803 13 08 fc0141 00", Stanza("message", {"id": "A"})),  # something follows
    ],
)
def test_malformed_stanza_may_name_its_id(data: str, head: Stanza | None) -> None:
    with pytest.raises(UnreadableStanza) as unreadable:
        decode(bytes.fromhex(data))
    assert unreadable.value.head == head


@QUICK
@given(st.binary(max_size=200))
def test_arbitrary_compressed_bytes_parse_or_are_rejected(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        decode(b"\x02" + zlib.compress(data))


def test_children_are_found_by_tag() -> None:
    stanza = Stanza("x", {}, (Stanza("a", {"n": "1"}), Stanza("b"), Stanza("a", {"n": "2"})))
    assert stanza.child("a") == Stanza("a", {"n": "1"})
    assert stanza.child("c") is None
    assert [node.attributes["n"] for node in stanza.children("a")] == ["1", "2"]
    assert len(stanza.children()) == 3
    assert Stanza("x", {}, b"bytes").children() == ()
