"""Long texts in as few events as fit, and texts that are HTML alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.content import Text
from bridge.matrix.events import text_content
from bridge.matrix.text import HTML_FORMAT, MAX_PIECE_BYTES, json_bytes, pieces, read_text

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


HTML_ONLY: dict[str, tuple[str, str]] = {
    "inline": ("<b>hello</b> <i>there</i>", "hello there"),
    "entities": ("a &lt; b &amp;&nbsp;c", "a < b &\u00a0c"),
    "lines": ("one<br>two<br/>three", "one\ntwo\nthree"),
    "paragraphs": ("<p>one</p><p>two</p>\n<div>three</div>", "one\ntwo\nthree"),
    "list": ("<ul><li>one</li><li>two</li></ul>after", "- one\n- two\nafter"),
    "table": ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
    "spaces": ("  one \n\t two  ", "one two"),
    "code": ("<pre><code>if x:\n    y\n</code></pre>", "if x:\n    y"),
    "link": ('see <a href="https://a.test/">this</a>', "see this (https://a.test/)"),
    "bare link": ('<a href="https://a.test/">https://a.test/</a>', "https://a.test/"),
    "mention": ('<a href="https://matrix.to/#/@ben:hs.test">Ben</a>: hi', "Ben: hi"),
    "emoji": ('<img data-mx-emoticon src="mxc://a/b" alt=":cat:">', ":cat:"),
    "unclosed": ("<b>one <i>two", "one two"),
    "stray signs": ("1 < 2 > 0 & <3", "1 < 2 > 0 & <3"),
    "script": ("<script>words</script><style>more</style>", "wordsmore"),
}


@pytest.mark.parametrize(("html", "plain"), HTML_ONLY.values(), ids=list(HTML_ONLY))
@pytest.mark.parametrize("body", ["", " \n", None])
def test_html_without_body_is_read_as_text(html: str, plain: str, body: str | None) -> None:
    fields = {"msgtype": "m.text", "body": body, "format": HTML_FORMAT, "formatted_body": html}
    assert read_text(fields, is_reply=False) == Text(plain, html)


def test_html_only_reply_loses_its_fallback() -> None:
    html = "<mx-reply><blockquote>shall we?</blockquote></mx-reply><b>yes</b>"
    fields = {"body": "> <@ben:hs.test> shall we?\n", "format": HTML_FORMAT, "formatted_body": html}
    assert read_text(fields, is_reply=True) == Text("yes", "<b>yes</b>")


@pytest.mark.parametrize("html", ["", "<p></p>", "<b> </b>", "<!-- a comment -->"])
def test_html_without_words_is_empty(html: str) -> None:
    fields = {"body": "", "format": HTML_FORMAT, "formatted_body": html}
    assert read_text(fields, is_reply=False) is None


@pytest.mark.parametrize("tag", ["b", "div", "ul", "blockquote", "pre", "a"])
def test_deeply_nested_html_keeps_its_words(tag: str) -> None:
    html = f"<{tag}>" * 5_000 + "words" + f"</{tag}>" * 5_000
    text = read_text({"body": "", "format": HTML_FORMAT, "formatted_body": html}, is_reply=False)
    assert text is not None and text.plain == "words"


@settings(derandomize=True, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["b", "p", "li", "td", "pre", "a", "script", "h1", "unknown"]),
            st.text("abc", min_size=1, max_size=8),
        ),
        max_size=12,
    )
)
def test_html_loses_no_word(marked: list[tuple[str, str]]) -> None:
    html = " ".join(f"<{tag}>{word}</{tag}>" for tag, word in marked)
    text = read_text({"body": "", "format": HTML_FORMAT, "formatted_body": html}, is_reply=False)
    words = text.plain.split() if text is not None else []
    assert [word for word in words if word != "-"] == [word for _, word in marked]


HOSTILE = [
    "<",
    "<a",
    "<a ",
    "<a b='",
    '<a b="',
    "<a x=>",
    "</",
    "<!--",
    "<![",
    "<?",
    "&",
    "&#",
    "&#9",
    "a ",
    "-",
    "<a>",
]


@pytest.mark.threat("S21")
@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_html_is_read(unit: str) -> None:
    html = (unit * MAX_EVENT_BYTES)[:MAX_EVENT_BYTES]
    for before, after in (("", ""), ("<a ", ">"), ("<img ", ">"), ("<pre>", "")):
        fields = {"body": "", "format": HTML_FORMAT, "formatted_body": f"first{before}{html}{after}last"}
        text = read_text(fields, is_reply=False)
        assert text is not None and text.plain.startswith("first") and "last" in text.plain


@settings(derandomize=True, max_examples=200)
@given(st.text("<>/!-&#;ab='\" \n\ud800\0", max_size=40))
def test_arbitrary_html_raises_nothing(html: str) -> None:
    text = read_text({"body": "", "format": HTML_FORMAT, "formatted_body": html}, is_reply=False)
    assert text is None or text.plain.encode()
