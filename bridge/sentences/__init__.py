"""What people read. Rules and errors return a ``Sentence``; the edge that tells a person renders it.

The catalogue of a language is data (``english.py``): key -> text with ``{parameters}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.sentences.english import ENGLISH

CATALOGUES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH}

Parameter = str | int


@dataclass(frozen=True)
class Sentence:
    """A key of the catalogue and what fills its blanks. Parameters may be private: never log them."""

    key: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict, repr=False)


def say(key: str, **parameters: Parameter) -> Sentence:
    """A sentence from its key and its blanks."""
    return Sentence(key, parameters)


def render(sentence: Sentence, language: str = "en") -> str:
    """The text a person reads, in ``language``, or in English where it has none."""
    catalogue = CATALOGUES.get(language, ENGLISH)
    text = catalogue.get(sentence.key) or ENGLISH[sentence.key]
    return text.format_map(dict(sentence.parameters))
