"""What holds for the whole vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.stanza import AttributeValue, Stanza
from bridge.wire.vocabulary import Direction, UnknownStanza, iq, parse, people, prekeys
from bridge.wire.vocabulary.reading import MAX_TEXT_CHARACTERS, Reading, attributes
from tests.wire.support import QUICK, jids
from tests.wire.vocabulary import NAMES

TAGS = (
    "message",
    "enc",
    "receipt",
    "retry",
    "registration",
    "keys",
    "list",
    "item",
    "ack",
    "iq",
    "error",
    "count",
    "digest",
    "rotate",
    "key",
    "user",
    "ib",
    "offline_preview",
    "offline",
    "notification",
    "identity",
    "reachable",
    "chatstate",
    "composing",
    "paused",
    "success",
    "failure",
    "stream:error",
    "conflict",
    "skey",
    "id",
    "value",
    "signature",
    "type",
    "between",
    "who",
    "knock",
    "forget",
)
FAMILIES = (
    "message",
    "receipt",
    "ack",
    "iq",
    "ib",
    "notification",
    "chatstate",
    "success",
    "failure",
    "stream:error",
)
ATTRIBUTES = (
    "id",
    "to",
    "from",
    "type",
    "t",
    "count",
    "offline",
    "class",
    "error",
    "xmlns",
    "code",
    "text",
    "value",
    "jid",
    "reason",
    "v",
    "service",
)
WORDS = ("", "1", "-1", "get", "set", "result", "error", "encrypt", "between", "w:p", "pkmsg", "retry", "2")

values: st.SearchStrategy[AttributeValue] = st.one_of(st.sampled_from(WORDS), jids, st.text(max_size=5))
likely_attributes = st.dictionaries(st.sampled_from(ATTRIBUTES), values, max_size=6)
sizes = st.sampled_from([0, 1, 3, 4, 32, 64]).map(bytes)
likely = st.recursive(
    st.builds(Stanza, st.sampled_from(TAGS), likely_attributes, st.none() | sizes),
    lambda inner: st.builds(
        Stanza, st.sampled_from(TAGS), likely_attributes, st.lists(inner, max_size=4).map(tuple)
    ),
    max_leaves=10,
)


def families(draw: st.DrawFn) -> Stanza:
    inside = draw(likely)
    return Stanza(draw(st.sampled_from(FAMILIES)), draw(likely_attributes), (inside, *inside.children()))


@QUICK
@given(st.composite(families)(), st.sampled_from(["to", "from"]))
def test_any_stanza_of_a_family_parses_or_is_rejected(stanza: Stanza, direction: Direction) -> None:
    try:
        word = parse(stanza, direction, NAMES)
    except RemoteProtocolError:
        return
    assert not isinstance(word, UnknownStanza)


def key_question(asked: prekeys.PreKeyRequest) -> Stanza:
    """A question to the key directory, written."""
    match asked:
        case prekeys.RotateRequest(signed):
            return prekeys.rotate("1", signed)
        case prekeys.FetchRequest(jids, reason):
            return prekeys.fetch("1", jids, reason=reason)
        case prekeys.CountRequest():
            return prekeys.count("1")
        case prekeys.DigestRequest():
            return prekeys.digest("1")
        case _:
            return prekeys.upload("1", asked)


QUESTIONS: Sequence[tuple[Callable[[iq.Request], Any], Callable[[Any], Stanza]]] = (
    (prekeys.parse_request, key_question),
    (lambda asked: people.parse_request(asked, NAMES), lambda asked: people.request("1", asked, NAMES)),
)
ANSWERS: Sequence[tuple[Callable[[iq.Result], Any], Callable[[Any], Stanza]]] = (
    (prekeys.parse_count, lambda found: prekeys.count_answer("1", found)),
    (prekeys.parse_fetch, lambda found: prekeys.fetch_answer("1", found)),
    (prekeys.parse_digest, lambda found: prekeys.digest_answer("1", found)),
    (people.parse_person, lambda found: people.person_answer("1", found)),
)


@QUICK
@given(st.lists(likely, max_size=3), st.sampled_from(["encrypt", "between"]), st.sampled_from(["get", "set"]))
def test_any_query_is_rejected_or_round_trips(content: list[Stanza], xmlns: str, action: iq.Action) -> None:
    for read, write in QUESTIONS:
        try:
            asked = read(iq.Request("1", action, xmlns, tuple(content)))
        except RemoteProtocolError:
            continue
        written = iq.parse(write(asked))
        assert isinstance(written, iq.Request) and read(written) == asked


@QUICK
@given(st.lists(likely, max_size=3))
def test_any_answer_is_rejected_or_round_trips(content: list[Stanza]) -> None:
    for read, write in ANSWERS:
        try:
            found = read(iq.Result("1", tuple(content)))
        except RemoteProtocolError:
            continue
        written = iq.parse(write(found))
        assert isinstance(written, iq.Result) and read(written) == found


def test_stanza_of_unknown_family_is_named() -> None:
    assert parse(Stanza("presence", {"to": "x"}), "to", NAMES) == UnknownStanza("presence")


def test_all_faults_are_reported_at_once_without_values() -> None:
    reading = Reading(Stanza("ack", {"id": "", "t": "secret", "from": "a secret@"}), "ack")
    reading.text("class")
    reading.text("id")
    reading.jid("from")
    reading.number("t")
    reading.number("error")
    with pytest.raises(RemoteProtocolError) as refusal:
        reading.done()
    assert str(refusal.value) == (
        "<ack>: class is missing; id is missing; from is no identifier; t is no number; error is missing"
    )


def test_text_size_limit_is_exact() -> None:
    for extra, passes in ((0, True), (1, False)):
        reading = Reading(Stanza("x", {"a": "y" * (MAX_TEXT_CHARACTERS + extra)}), "x")
        reading.text("a")
        if passes:
            reading.done()
        else:
            with pytest.raises(RemoteProtocolError, match="too long"):
                reading.done()


@pytest.mark.parametrize("number", ["", "-1", "+1", "1.0", "1e3", " 1", "٣", "1" * 16, "0x1"])
def test_malformed_number_is_rejected(number: str) -> None:
    reading = Reading(Stanza("x", {"n": number}), "x")
    reading.number("n")
    with pytest.raises(RemoteProtocolError):
        reading.done()


def test_identifier_is_read_as_token_or_text() -> None:
    jid = Jid("5", "interop", 7)
    for value in (jid, "7-5@interop"):
        reading = Reading(Stanza("x", {"to": value}), "x")
        assert reading.jid("to") == jid
        assert reading.text("to") == "7-5@interop"
        reading.done()


def test_none_attributes_are_omitted() -> None:
    assert attributes(from_="a", decrypt_fail="b", t=0, error=None) == {
        "from": "a",
        "decrypt-fail": "b",
        "t": "0",
    }
