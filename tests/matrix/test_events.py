"""Events <-> content: tables of what people and clients send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.content import Content, Reply, Text, Unknown
from bridge.ids import EventId, UserId
from bridge.matrix.events import (
    KINDS,
    MARKER,
    MAX_EVENT_BYTES,
    MAX_TIMESTAMP_MS,
    Event,
    NotBridged,
    Odd,
    Oddity,
    Silence,
    envelope,
    notice_content,
    parse,
    status_content,
    text_content,
    to_content,
)

BASE: dict[str, Any] = {
    "event_id": "$one",
    "room_id": "!room",
    "sender": "@anna:hs.test",
    "type": "m.room.message",
    "origin_server_ts": 1_790_000_000_000,
    "content": {"msgtype": "m.text", "body": "hallo"},
}


def read(event: dict[str, Any]) -> Content | NotBridged:
    parsed = parse(json.dumps(event).encode())
    assert isinstance(parsed, Event)
    return to_content(parsed)


def message(**content: Any) -> Content | NotBridged:
    return read({**BASE, "content": {"msgtype": "m.text", "body": "hallo", **content}})


def only(content: Content | NotBridged) -> Any:
    assert isinstance(content, Content)
    (part,) = content.parts
    return part


def test_a_text_message_is_text_with_its_sender_and_time() -> None:
    assert message() == Content("$one", "@anna:hs.test", 1_790_000_000_000, (Text("hallo"),))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"body": " two\nlines "}, Text(" two\nlines ")),
        ({"msgtype": "m.emote", "body": "waves"}, Text("waves", emote=True)),
        (
            {"format": "org.matrix.custom.html", "formatted_body": "<b>hallo</b>"},
            Text("hallo", "<b>hallo</b>"),
        ),
        ({"format": "org.other", "formatted_body": "{hallo}"}, Text("hallo")),
        ({"format": "org.matrix.custom.html", "formatted_body": 7}, Text("hallo")),
        ({"formatted_body": "<b>hallo</b>"}, Text("hallo")),
        ({"body": "> just quoting"}, Text("> just quoting")),
        ({"body": "a\ud800b"}, Text("a\ufffdb")),
        ({"body": "😀"}, Text("😀")),
    ],
)
def test_text_is_read(content: dict[str, Any], text: Text) -> None:
    assert only(message(**content)) == text


REPLY = {"m.relates_to": {"m.in_reply_to": {"event_id": "$answered"}}}
REPLIES: dict[str, tuple[str, str]] = {
    "without fallback": ("yes", "yes"),
    "one quoted line": ("> <@ben:hs.test> shall we?\n\nyes", "yes"),
    "two quoted lines": ("> <@ben:hs.test> shall\n> we?\n\nyes\nwe shall", "yes\nwe shall"),
    "a quoted emote": ("> * <@ben:hs.test> waves\n\nyes", "yes"),
    "no empty line": ("> <@ben:hs.test> shall we?\nyes", "yes"),
    "a quotation of one's own": ("> to be or not to be\n\nyes", "> to be or not to be\n\nyes"),
    "fallback and quotation": ("> <@ben:hs.test> a\n\n> b\n\nyes", "> b\n\nyes"),
    "an empty quoted line": ("> <@ben:hs.test> a\n>\n> b\n\nyes", "yes"),
}


@pytest.mark.parametrize(("body", "stripped"), REPLIES.values(), ids=list(REPLIES))
def test_a_reply_names_what_it_answers_and_loses_its_fallback(body: str, stripped: str) -> None:
    content = message(body=body, **REPLY)
    assert isinstance(content, Content)
    assert content.in_reply_to == Reply("$answered")
    assert content.parts == (Text(stripped),)


def test_a_reply_loses_the_fallback_of_its_html() -> None:
    html = "<mx-reply><blockquote>In reply to<br>shall\nwe?</blockquote></mx-reply><b>yes</b>"
    part = only(
        message(
            body="> <@ben:hs.test> shall we?\n\nyes",
            format="org.matrix.custom.html",
            formatted_body=html,
            **REPLY,
        )
    )
    assert part == Text("yes", "<b>yes</b>")


def test_quoted_lines_of_no_reply_stay() -> None:
    assert only(message(body="> <@ben:hs.test> shall we?\n\nyes")).plain.startswith("> <@ben")


@pytest.mark.parametrize(("falling_back", "is_reply"), [(True, False), (False, True)])
def test_in_a_thread_only_what_the_user_chose_to_answer_is_a_reply(
    falling_back: bool, is_reply: bool
) -> None:
    relation = {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": falling_back,
        "m.in_reply_to": {"event_id": "$answered"},
    }
    content = message(**{"m.relates_to": relation})
    assert isinstance(content, Content)
    assert (content.in_reply_to is not None) == is_reply


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"content": {"msgtype": "m.image", "body": "x.png", "url": "mxc://a/b"}}, "image"),
        ({"content": {"msgtype": "m.file", "body": "x"}}, "file"),
        ({"content": {"msgtype": "m.audio", "body": "x"}}, "audio"),
        ({"content": {"msgtype": "m.audio", "body": "x", "org.matrix.msc3245.voice": {}}}, "voice"),
        ({"content": {"msgtype": "m.video", "body": "x"}}, "video"),
        ({"content": {"msgtype": "m.location", "body": "x", "geo_uri": "geo:1,2"}}, "location"),
        ({"content": {"msgtype": "org.new", "body": "x"}}, "other"),
        ({"content": {"msgtype": 7, "body": "x"}}, "other"),
        ({"content": {"body": "x"}}, "other"),
        ({"content": {"msgtype": "m.text"}}, "text"),
        ({"content": {"msgtype": "m.text", "body": ["x"]}}, "text"),
        (
            {
                "content": {
                    "msgtype": "m.text",
                    "body": "* y",
                    "m.new_content": {},
                    "m.relates_to": {"rel_type": "m.replace", "event_id": "$x"},
                }
            },
            "edit",
        ),
        ({"type": "m.room.encrypted", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}, "encrypted"),
        ({"type": "m.sticker"}, "sticker"),
        ({"type": "m.reaction"}, "reaction"),
        ({"type": "m.room.redaction"}, "removal"),
        ({"type": "org.matrix.msc3381.poll.start"}, "poll"),
        ({"type": "m.poll.response"}, "poll"),
        ({"type": "m.call.invite"}, "call"),
        ({"type": "org.example.game"}, "other"),
    ],
)
def test_what_cannot_be_carried_yet_is_named(event: dict[str, Any], kind: str) -> None:
    assert only(read({**BASE, **event})) == Unknown(kind)
    assert kind in KINDS


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"content": {"msgtype": "m.notice", "body": "x"}}, Silence.NOTICE),
        ({"type": "m.room.name", "state_key": ""}, Silence.STATE),
        ({"type": "m.room.message", "state_key": "x"}, Silence.STATE),
        ({"content": {}, "unsigned": {"redacted_because": {}}}, Silence.REDACTED),
        ({"content": {"msgtype": "m.text", "body": " \n"}}, Silence.EMPTY),
        ({"content": {"msgtype": "m.key.verification.request", "body": "x"}}, Silence.TECHNICAL),
        ({"type": "m.call.candidates"}, Silence.TECHNICAL),
        ({"type": "m.key.verification.start"}, Silence.TECHNICAL),
        ({"type": "com.beeper.message_send_status"}, Silence.TECHNICAL),
    ],
)
def test_what_nobody_expects_to_arrive_is_not_bridged(event: dict[str, Any], why: Silence) -> None:
    assert read({**BASE, **event}) == NotBridged(why)


@pytest.mark.fault("F21")
@pytest.mark.parametrize(
    "change",
    [
        {"event_id": None},
        {"room_id": 7},
        {"sender": ""},
        {"type": []},
        {"content": "x"},
        {"origin_server_ts": "1"},
        {"origin_server_ts": True},
        {"origin_server_ts": 0},
        {"origin_server_ts": -1},
        {"origin_server_ts": 1.5},
        {"origin_server_ts": MAX_TIMESTAMP_MS + 1},
    ],
)
def test_what_lacks_a_part_of_an_event_is_odd(change: dict[str, Any]) -> None:
    assert parse(json.dumps({**BASE, **change}).encode()) == Odd(Oddity.NO_EVENT)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", Oddity.NOT_JSON),
        (b"\xff", Oddity.NOT_JSON),
        (b"[" * 100_000, Oddity.NOT_JSON),
        (b"[]", Oddity.NO_EVENT),
        (b"7", Oddity.NO_EVENT),
        (b" " * (MAX_EVENT_BYTES + 1), Oddity.TOO_LARGE),
    ],
)
def test_what_is_no_event_is_odd(body: bytes, what: Oddity) -> None:
    assert parse(body) == Odd(what)


def test_the_largest_event_and_the_last_timestamp_are_read() -> None:
    body = json.dumps({**BASE, "origin_server_ts": MAX_TIMESTAMP_MS}).encode()
    assert isinstance(parse(body + b" " * (MAX_EVENT_BYTES - len(body))), Event)


def test_the_envelope_shows_marker_state_key_and_what_is_redacted() -> None:
    event = envelope({**BASE, "content": {MARKER: "m"}, "state_key": ""})
    assert event is not None and (event.marker, event.state_key) == ("m", "")
    for where in ("content", "top"):
        redaction = {**BASE, "type": "m.room.redaction"} | (
            {"content": {"redacts": "$x"}} if where == "content" else {"redacts": "$x"}
        )
        event = envelope(redaction)
        assert event is not None and event.redacts == "$x"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_content = st.fixed_dictionaries(
    {},
    optional={
        name: _json | st.sampled_from(["m.text", "m.audio", "m.thread", "m.replace"])
        for name in ("msgtype", "body", "format", "formatted_body", "m.relates_to", MARKER)
    },
)


@pytest.mark.fault("F21")
@settings(derandomize=True, max_examples=150)
@given(_content | _json, st.sampled_from(["m.room.message", "m.room.redaction", "m.x"]), _json)
def test_no_event_raises(content: Any, type_: str, unsigned: Any) -> None:
    event = envelope({**BASE, "type": type_, "content": content, "unsigned": unsigned})
    if event is not None:
        result = to_content(event)
        if isinstance(result, Content):
            assert all(isinstance(part, Text) or part.kind in KINDS for part in result.parts)


def test_a_ghosts_text_carries_its_marker_and_always_says_whom_it_mentions() -> None:
    assert text_content(Text("hallo"), marker="abc") == {
        "msgtype": "m.text",
        "body": "hallo",
        "m.mentions": {},
        "eu.interop-bridge.message": "abc",
    }


def test_a_ghosts_reply_names_what_it_answers_without_a_fallback() -> None:
    content = text_content(
        Text("yes", "<i>yes</i>", emote=True),
        marker="abc",
        reply_to=EventId("$x"),
        mentions=[UserId("@anna:hs.test")],
    )
    assert content == {
        "msgtype": "m.emote",
        "body": "yes",
        "format": "org.matrix.custom.html",
        "formatted_body": "<i>yes</i>",
        "m.mentions": {"user_ids": ["@anna:hs.test"]},
        "m.relates_to": {"m.in_reply_to": {"event_id": "$x"}},
        "eu.interop-bridge.message": "abc",
    }


def test_a_notice_of_the_bot_is_no_message_to_anybodys_bot() -> None:
    assert notice_content("hallo") == {"msgtype": "m.notice", "body": "hallo", "m.mentions": {}}
    notice = notice_content("no", reply_to=EventId("$x"), marker="n")
    assert notice["m.relates_to"] == {"m.in_reply_to": {"event_id": "$x"}} and notice[MARKER] == "n"
    assert read({**BASE, "content": notice}) == NotBridged(Silence.NOTICE)


def test_what_we_write_is_read_back() -> None:
    text = Text("hallo", "<b>hallo</b>")
    assert only(read({**BASE, "content": text_content(text, marker="m")})) == text


def test_status_names_its_event_and_only_what_is_known() -> None:
    event = EventId("$x")
    assert status_content(event, "SUCCESS", network="sandbox", delivered_to=()) == {
        "m.relates_to": {"rel_type": "m.reference", "event_id": "$x"},
        "network": "sandbox",
        "status": "SUCCESS",
        "delivered_to_users": [],
    }
    failed = status_content(
        event, "FAIL_PERMANENT", network="sandbox", reason="m.no_permission", message="It did not arrive."
    )
    assert failed["reason"] == "m.no_permission" and failed["message"] == "It did not arrive."
    assert "delivered_to_users" not in failed
