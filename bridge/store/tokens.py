"""SQL cut into tokens, far enough to find parameters, types and clauses without being fooled by quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum


class Is(Enum):
    """What a token is."""

    WORD = "word"
    PARAMETER = "parameter"
    STRING = "string"
    QUOTED = "quoted"
    NUMBER = "number"
    MARK = "mark"
    SPACE = "space"


@dataclass(frozen=True)
class Token:
    """A piece of SQL; ``text`` of a parameter is without its colon. A comment is a space."""

    kind: Is
    text: str

    @property
    def word(self) -> str:
        """The keyword in capitals, or nothing when this is no bare word."""
        return self.text.upper() if self.kind is Is.WORD else ""

    def __str__(self) -> str:
        return f":{self.text}" if self.kind is Is.PARAMETER else self.text


_PATTERN = re.compile(
    r"""
      (?P<space>   \s+ | --[^\n]* | /\*.*?\*/ )
    | (?P<string>  '(?:[^']|'')*' )
    | (?P<quoted>  "(?:[^"]|"")*" )
    | (?P<parameter> :[A-Za-z_][A-Za-z0-9_]* )
    | (?P<number>  [0-9][0-9A-Za-z_.]* )
    | (?P<word>    [A-Za-z_][A-Za-z0-9_]* )
    | (?P<mark>    /\* | <> | <= | >= | \|\| | [-+*/%=<>(),.;] )
    """,
    re.VERBOSE | re.DOTALL,
)


def tokenize(sql: str) -> tuple[Token, ...]:
    """Cut ``sql`` into tokens.

    Raises ``ValueError`` for what only one engine understands: ``$1``, ``?``, ``@x``, ``::``,
    ``E'..'`` and other prefixed strings, square brackets, backticks, and open quotes.
    """
    return tuple(_cut(sql))


def _cut(sql: str) -> Iterator[Token]:
    position, before = 0, Is.SPACE
    while position < len(sql):
        found = _PATTERN.match(sql, position)
        if found is None or found.lastgroup is None or found.group() == "/*":
            raise ValueError(f"not in the dialect of both engines: {sql[position : position + 20]!r}")
        kind, text = Is(found.lastgroup), found.group()
        if kind in (Is.STRING, Is.QUOTED) and before is Is.WORD:
            raise ValueError(f"a word stands directly before a quote: {sql[position : position + 20]!r}")
        if kind is Is.SPACE and "/*" in text[2:]:
            raise ValueError("a comment inside a comment ends at different places on the two engines")
        position, before = found.end(), kind
        if kind is Is.SPACE:
            yield Token(kind, text if text.isspace() else " ")
        else:
            yield Token(kind, text[1:] if kind is Is.PARAMETER else text)


def join(tokens: Sequence[Token]) -> str:
    """The SQL of tokens."""
    return "".join(str(token) for token in tokens).strip()


def without_space(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """The tokens that mean something."""
    return tuple(token for token in tokens if token.kind is not Is.SPACE)


def split(tokens: Sequence[Token], mark: str) -> list[tuple[Token, ...]]:
    """Cut at each ``mark`` (a sign, or a keyword in capitals) that stands outside parentheses."""
    parts: list[tuple[Token, ...]] = []
    part: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")") if token.kind is Is.MARK else 0
        if depth == 0 and mark in (token.word, token.text if token.kind is Is.MARK else None):
            parts.append(tuple(part))
            part = []
        else:
            part.append(token)
    parts.append(tuple(part))
    return parts


def statements(sql: str) -> tuple[str, ...]:
    """The statements of a script, in order, without comments."""
    return tuple(text for text in (join(part) for part in split(tokenize(sql), ";")) if text)
