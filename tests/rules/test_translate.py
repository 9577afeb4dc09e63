"""Content to the network's payload and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.content import Content, Provenance, Reply, Text, Unknown
from bridge.errors import LocalProtocolError
from bridge.flow.translate import MAX_QUOTED_CHARACTERS, to_content, to_payload
from bridge.ids import Jid, StanzaId
from bridge.wire import payload
from bridge.wire.payload import TextPayload
from bridge.wire.proto import message_pb2 as proto

QUICK = settings(max_examples=100, derandomize=True, deadline=None)
ALICE = Jid("100", "interop", 7)
ANNA = Jid("4915112345678", "s.whatsapp.net")
STANZA = StanzaId("3EB0AA")
SENT_AT = 1_790_000_000_123
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def padded(data: bytes) -> bytes:
    return payload.pad(data, lambda count: b"\x04" * count)


def received(data: bytes) -> Content:
    """What Anna's message says, once it was decrypted."""
    return to_content(padded(data), stanza_id=STANZA, sender=ANNA, sent_at_ms=SENT_AT)


def sent(content: Content) -> TextPayload:
    """What Alice's message to Anna says on the network."""
    read = payload.parse(to_payload(content, own=ALICE, contact=ANNA))
    assert isinstance(read, TextPayload)
    return read


def message(*parts: Text | Unknown, reply: Reply | None = None) -> Content:
    return Content("$event", "@alice:matrix.example", SENT_AT, parts, reply)


@QUICK
@given(TEXTS.filter(str.strip), st.none() | st.builds(Reply, TEXTS.filter(bool), TEXTS, st.booleans()))
def test_a_text_arrives_as_it_was_sent(text: str, reply: Reply | None) -> None:
    data = to_payload(message(Text(text), reply=reply), own=ALICE, contact=ANNA)
    arrived = to_content(padded(data), stanza_id=STANZA, sender=ALICE, sent_at_ms=SENT_AT)
    assert arrived.parts == (Text(text),)
    if reply is None:
        assert arrived.in_reply_to is None
    else:
        # Whose message was answered is seen from the other end here.
        assert arrived.in_reply_to == Reply(reply.id, reply.quoted, not reply.own)


def test_a_message_carries_who_sent_it_and_when() -> None:
    content = received(TextPayload("hello").to_bytes())
    assert content == Content(STANZA, str(ANNA), SENT_AT, (Text("hello"),))
    assert content.provenance is Provenance.ORIGINAL


def test_an_answer_to_the_user_is_told_from_an_answer_to_the_contact() -> None:
    to_own = received(TextPayload("yes", "ID", str(ALICE), "ok?").to_bytes())
    to_theirs = received(TextPayload("also", "ID", str(ANNA), "first").to_bytes())
    to_nobody = received(TextPayload("hm", "ID").to_bytes())
    assert to_own.in_reply_to == Reply("ID", "ok?", own=True)
    assert to_theirs.in_reply_to == Reply("ID", "first", own=False)
    assert to_nobody.in_reply_to == Reply("ID", "", own=False)


@pytest.mark.parametrize(("own", "author"), [(True, ALICE), (False, ANNA)])
def test_an_answer_names_the_author_of_what_it_answers(author: Jid, *, own: bool) -> None:
    said = sent(message(Text("yes"), reply=Reply("ID", "ok?", own)))
    assert (said.reply_id, said.reply_participant, said.quoted) == ("ID", str(author), "ok?")


@pytest.mark.parametrize("length", [MAX_QUOTED_CHARACTERS, MAX_QUOTED_CHARACTERS + 1])
def test_a_quote_is_cut_both_ways_and_the_text_is_not(length: int) -> None:
    long = "q" * length
    out = sent(message(Text(long), reply=Reply("ID", long)))
    assert (out.text, out.quoted) == (long, "q" * MAX_QUOTED_CHARACTERS)
    came = received(TextPayload(long, "ID", str(ANNA), long).to_bytes())
    assert came.parts == (Text(long),)
    assert came.in_reply_to == Reply("ID", "q" * MAX_QUOTED_CHARACTERS)


def test_html_stays_in_matrix_and_an_emote_is_marked() -> None:
    assert sent(message(Text("hello", "<b>hello</b>"))).text == "hello"
    assert sent(message(Text("waves", emote=True))).text == "* waves"


def test_two_texts_become_two_lines() -> None:
    assert sent(message(Text("one"), Text("two"))).text == "one\ntwo"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (proto.Message().SerializeToString(), "empty"),
        (b"\xf2\x0f\x02hi", "unknown"),
    ],
)
def test_what_cannot_be_carried_is_named(data: bytes, kind: str) -> None:
    assert received(data).parts == (Unknown(kind),)


@pytest.mark.parametrize("data", [b"", b"\x00", b"abc\x10", b"\x0a\xff\xff\x01"])
def test_what_cannot_be_read_is_a_part_and_no_error(data: bytes) -> None:
    content = to_content(data, stanza_id=STANZA, sender=ANNA, sent_at_ms=SENT_AT)
    assert content.parts == (Unknown("unreadable"),)


@QUICK
@given(st.binary(max_size=60))
def test_any_bytes_are_some_message(data: bytes) -> None:
    content = to_content(data, stanza_id=STANZA, sender=ANNA, sent_at_ms=SENT_AT)
    assert len(content.parts) == 1
    assert (content.id, content.sender, content.sent_at) == (STANZA, str(ANNA), SENT_AT)


def test_half_a_character_is_a_mistake_of_ours_and_not_sent() -> None:
    with pytest.raises(LocalProtocolError):
        to_payload(message(Text("\ud800")), own=ALICE, contact=ANNA)


@pytest.mark.parametrize("blank", ["", " ", "\n \t", "\u3000"])
def test_a_blank_text_is_said_to_be_empty(blank: str) -> None:
    data = to_payload(message(Text(blank)), own=ALICE, contact=ANNA)
    arrived = to_content(padded(data), stanza_id=STANZA, sender=ALICE, sent_at_ms=SENT_AT)
    assert arrived.parts == (Unknown("empty"),)
