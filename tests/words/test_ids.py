"""Internal identifiers, and the names we derive."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bridge.ids import EventId, Jid, derive, log_id, opaque_localpart, stanza_id, transaction_id

QUICK = settings(max_examples=100, derandomize=True, deadline=None)
KEY = b"k" * 32
OTHER_KEY = b"l" * 32
BITS_16 = st.integers(0, 0xFFFF)
USERS = st.text("abcdefghijklmnopqrstuvwxyz0123456789._+", min_size=1, max_size=128)
PARTS = st.lists(st.one_of(st.binary(max_size=20), st.text(max_size=20)), max_size=4)


@pytest.mark.parametrize(
    ("text", "jid"),
    [
        ("s.whatsapp.net", Jid("", "s.whatsapp.net")),
        ("4915112345678@s.whatsapp.net", Jid("4915112345678", "s.whatsapp.net")),
        ("4915112345678:3@s.whatsapp.net", Jid("4915112345678", "s.whatsapp.net", device=3)),
        ("7-10853634039893@interop", Jid("10853634039893", "interop", 7)),
        ("7-10853634039893:2@interop", Jid("10853634039893", "interop", 7, 2)),
        ("0-1@interop", Jid("1", "interop")),
        ("7-a-b@interop", Jid("a-b", "interop", 7)),
        ("491511234-1500000000@g.us", Jid("491511234-1500000000", "g.us")),
        ("65535-1:65535@interop", Jid("1", "interop", 0xFFFF, 0xFFFF)),
    ],
)
def test_identifier_round_trips(text: str, jid: Jid) -> None:
    assert Jid.parse(text) == jid
    assert str(jid) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello world",
        "4915112345678",
        "@s.whatsapp.net",
        "a@",
        "a@b@c",
        "a b@s.whatsapp.net",
        "a@S.WHATSAPP.NET",
        "a@server1",
        "a:@s.whatsapp.net",
        "a:x@s.whatsapp.net",
        "1@interop",
        "x-1@interop",
        "-1@interop",
        "65536-1@interop",
        "1-1:65536@interop",
        "\u0667-1@interop",
        "a:\u0663@s.whatsapp.net",
        "a@s.whatsapp.net\n",
        "a" * 129 + "@s.whatsapp.net",
        "a@" + "s" * 33,
    ],
)
def test_invalid_identifier_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"identifier|16 bits"):
        Jid.parse(text)


def test_longest_user_and_server_are_read() -> None:
    longest = "a" * 128 + "@" + "s" * 32
    assert str(Jid.parse(longest)) == longest


@QUICK
@given(USERS, BITS_16, BITS_16)
def test_interop_identifier_round_trips(user: str, integrator: int, device: int) -> None:
    jid = Jid(user, "interop", integrator, device)
    assert Jid.parse(str(jid)) == jid


@QUICK
@given(st.text(max_size=60))
def test_parser_returns_or_raises_value_error(text: str) -> None:
    try:
        jid = Jid.parse(text)
    except ValueError:
        return
    assert Jid.parse(str(jid)) == jid


@pytest.mark.parametrize(("integrator", "device"), [(-1, 0), (0x10000, 0), (0, -1), (0, 0x10000)])
def test_integrator_and_device_have_sixteen_bits(integrator: int, device: int) -> None:
    with pytest.raises(ValueError, match="16 bits"):
        Jid("1", "interop", integrator, device)


def test_only_interop_identifiers_name_an_integrator() -> None:
    with pytest.raises(ValueError, match="only interop"):
        Jid("1", "s.whatsapp.net", 7)


@QUICK
@given(PARTS, PARTS)
def test_different_parts_have_different_digests(one: list[str | bytes], other: list[str | bytes]) -> None:
    as_bytes = [[p.encode() if isinstance(p, str) else p for p in parts] for parts in (one, other)]
    assume(as_bytes[0] != as_bytes[1])
    assert derive(KEY, *one) != derive(KEY, *other)


def test_part_boundaries_change_the_digest() -> None:
    assert derive(KEY, "ab", "c") != derive(KEY, "a", "bc")
    assert derive(KEY, "ab") != derive(KEY, "ab", "")


def test_text_and_its_bytes_are_equal_parts() -> None:
    assert derive(KEY, "ä") == derive(KEY, "ä".encode())


def test_different_keys_derive_different_names() -> None:
    event = EventId("$event")
    for make in (
        lambda key: derive(key, event),
        lambda key: opaque_localpart(key, event),
        lambda key: stanza_id(key, event),
        lambda key: transaction_id(key, event),
        lambda key: log_id(key, event),
    ):
        assert make(KEY) == make(KEY)
        assert make(KEY) != make(OTHER_KEY)


def test_derivations_differ_by_use() -> None:
    names = {
        derive(KEY, "$event", size=9).hex(),
        stanza_id(KEY, EventId("$event")).removeprefix("3EB0").lower(),
        transaction_id(KEY, "$event").removeprefix("ib")[:18],
    }
    assert len(names) == 3


@QUICK
@given(st.text(max_size=80))
def test_derived_names_have_the_expected_form(text: str) -> None:
    localpart = opaque_localpart(KEY, text)
    assert localpart.startswith("ib_") and len(localpart) == 3 + 26
    assert set(localpart) <= set("ib_abcdefghijklmnopqrstuvwxyz234567")
    stanza = stanza_id(KEY, EventId(text))
    assert stanza.startswith("3EB0") and len(stanza) == 22 and set(stanza) <= set("0123456789ABCDEF")
    assert len(transaction_id(KEY, text)) == 2 + 32
    assert len(log_id(KEY, text)) == 8


def test_derived_names_are_stable_across_versions() -> None:
    # A changed derivation would double every message that is on its way across an update.
    assert stanza_id(KEY, EventId("$event")) == "3EB08C156092614F61D6A5"
    assert opaque_localpart(KEY, "contact") == "ib_mgadij3wigfgzt5sqedcrumoau"
    assert transaction_id(KEY, "a", b"b") == "ib0b148fe071c2bb3d4c185e8579e9947e"
