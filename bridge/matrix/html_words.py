"""The words of an HTML message as plain text.

One pass with a regular expression, in time linear in the length and without recursion. Python's
``html.parser`` is quadratic (60 KB of ``<a `` take half a minute) and raises AssertionError on ``<![``;
``mautrix.util.formatter`` recurses. What is not a tag is text, so that no word is lost.
"""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*+)((?:[\s/][^<>]*+)?)>")
_ATTRIBUTE = re.compile(
    r"""(?<![\w-])([a-z-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"']++))""", re.IGNORECASE
)
_REFERENCE = re.compile(r"&#?\w{1,32};?")
"""Longer ones do not exist; ``html.unescape`` raises ValueError on a number of 4,301 digits."""
_SPACES = re.compile(r"[ \t\n\r\f]+")
"""What HTML calls white space; a no-break space is none."""
_BLOCKS = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "caption",
        "details",
        "div",
        "dl",
        "dd",
        "dt",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tr",
        "ul",
    ]
)
"""Elements that begin and end a line."""
_CELLS = frozenset({"td", "th"})
_MENTION = "https://matrix.to/"
"""Links to people, rooms and events: their text says whom."""


def plain_text(markup: str) -> str:
    """The words of HTML in lines; empty when there are none. Links keep their address."""
    words = _Words()
    markup, at = _without_comments(markup), 0
    for tag in _TAG.finditer(markup):
        words.text(_unescaped(markup[at : tag.start()]))
        name = tag[2].lower()
        if tag[1]:
            words.end(name)
        else:
            words.start(name, _attributes(tag[3]) if name in ("a", "img") else {})
        at = tag.end()
    words.text(_unescaped(markup[at:]))
    return words.lines()


def _without_comments(markup: str) -> str:
    kept, at = [], 0
    while (start := markup.find("<!--", at)) >= 0 and (end := markup.find("-->", start)) >= 0:
        kept.append(markup[at:start])
        at = end + 3
    return "".join([*kept, markup[at:]])


def _unescaped(text: str) -> str:
    return _REFERENCE.sub(lambda found: html.unescape(found[0]), text)


def _attributes(text: str) -> dict[str, str]:
    return {
        found[1].lower(): _unescaped(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(text)
    }


class _Words:
    """Collects words and line ends."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._last = "\n"
        """The last character so far."""
        self._preformatted = 0
        self._links: list[tuple[str, list[str]]] = []
        """Open links: the address, and the words so far."""

    def lines(self) -> str:
        """What was read, without empty lines at its ends; links left open are ended."""
        while self._links:
            self._end_link()
        return "\n".join(line.rstrip(" ") for line in "".join(self._found).split("\n")).strip("\n")

    def text(self, text: str) -> None:
        """Text between two tags."""
        if not self._preformatted:
            text = _SPACES.sub(" ", text)
            if self._last in "\n ":
                text = text.removeprefix(" ")
        if self._links:
            self._links[-1][1].append(text)
        self._add(text)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A start tag."""
        if name in _BLOCKS:
            self._end_line()
        if name == "br":
            self._add("\n")
        elif name == "li":
            self._add("- ")
        elif name in _CELLS:
            self.text(" ")
        elif name == "img":
            self.text(attributes.get("alt") or attributes.get("title") or "")
        elif name == "pre":
            self._preformatted += 1
        elif name == "a":
            self._links.append((attributes.get("href", ""), []))

    def end(self, name: str) -> None:
        """An end tag, with or without its start tag."""
        if name in _BLOCKS:
            self._end_line()
        if name == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        elif name == "a" and self._links:
            self._end_link()

    def _add(self, text: str) -> None:
        if text:
            self._found.append(text)
            self._last = text[-1]

    def _end_line(self) -> None:
        if self._last != "\n":
            self._add("\n")

    def _end_link(self) -> None:
        address, words = self._links.pop()
        shown = "".join(words).strip()
        if address and address != shown and not address.startswith(_MENTION):
            self._add(f" ({address})" if shown else address)
