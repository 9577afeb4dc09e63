"""JSON that somebody else wrote, read piece by piece: nothing is built before it is known to be small.

A short text can stand for very many objects (a list of ``{}`` takes 25 times its bytes), so the whole
body is never built at once: only one element at a time, and none beyond its limit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

MAX_ELEMENT_CHARACTERS = 1024 * 1024
"""An event has 64 KiB and can carry a few others (a former content, a replacement, a redaction, the end of
a thread), each thrice as long where a homeserver escapes what is not ASCII: 5 x 64 KiB x 3."""
MAX_VALUE_CHARACTERS = 4 * 1024 * 1024
"""What is no list of events, such as device lists: room for a hundred thousand users."""

_SPACE = re.compile(r"[ \t\n\r]*")


class NotJson(Exception):
    """The body is no JSON text."""


class BadJson(Exception):
    """The body is JSON of another shape."""


class TooMuch(Exception):
    """More than an honest body has. A text that is broken in the middle of much else counts as this too."""


def read_text(body: bytes) -> str:
    """The text of ``body``; ``NotJson`` when it is not UTF-8."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson from error


class Reader:
    """Stands at a place in a text. ``members`` names a member; then read it by ``elements`` or ``value``."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._skip()

    def members(self) -> Iterator[str]:
        """The names in the object that the text is; ``BadJson`` when it is something else."""
        if not self._take("{"):
            self.value()
            raise BadJson
        while not self._take("}"):
            name = self._next(MAX_ELEMENT_CHARACTERS)
            if not isinstance(name, str):
                raise NotJson
            self._expect(":")
            yield name
            self._separate("}")
        if self._at != len(self._text):
            raise NotJson

    def elements(self) -> Iterator[Any]:
        """Each element of the list that stands here; none for null, ``BadJson`` for anything else."""
        if not self._take("["):
            if self.value() is not None:
                raise BadJson
            return
        while not self._take("]"):
            yield self._next(MAX_ELEMENT_CHARACTERS)
            self._separate("]")

    def value(self) -> Any:
        """The whole value that stands here."""
        return self._next(MAX_VALUE_CHARACTERS)

    def _next(self, most: int) -> Any:
        """The value here; ``TooMuch`` when it does not end within ``most`` characters."""
        is_short = len(self._text) - self._at <= most
        text, start = (self._text, self._at) if is_short else (self._text[self._at : self._at + most], 0)
        try:
            value, end = _DECODER.raw_decode(text, start)
        except RecursionError as error:
            raise BadJson from error
        except ValueError as error:
            raise (NotJson if is_short else TooMuch) from error
        self._at += end - start
        self._skip()
        return value

    def _separate(self, end: str) -> None:
        """Behind a comma comes another, else the end."""
        if self._take(","):
            if self._text.startswith(end, self._at):
                raise NotJson
        elif not self._text.startswith(end, self._at):
            raise NotJson

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise NotJson

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._at += 1
        self._skip()
        return True

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
