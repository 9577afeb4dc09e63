"""What people read. Rules and errors return a ``Sentence``; the edge that tells a person renders it.

The catalogue of a language is data (``english.py``): key -> text with ``{parameters}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.sentences.english import ENGLISH

CATALOGUES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH}


@dataclass(frozen=True)
class Sentence:
    """A key of the catalogue and what fills its blanks. Parameters may be private: never log them."""

    key: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict, repr=False)


Parameter = str | int | Sentence
"""What fills a blank; a sentence is rendered in its place."""


def say(key: str, **parameters: Parameter) -> Sentence:
    """A sentence from its key and its blanks."""
    return Sentence(key, parameters)


def render(sentence: Sentence, language: str = "en") -> str:
    """The text a person reads, in ``language``, or in English where it has none."""
    catalogue = CATALOGUES.get(language, ENGLISH)
    text = catalogue.get(sentence.key) or ENGLISH[sentence.key]
    filled = {
        name: render(value, language) if isinstance(value, Sentence) else value
        for name, value in sentence.parameters.items()
    }
    return text.format_map(filled)


def to_json(sentence: Sentence) -> dict[str, Any]:
    """A form that JSON can hold; ``from_json`` reads it."""
    parameters = {
        name: to_json(value) if isinstance(value, Sentence) else value
        for name, value in sentence.parameters.items()
    }
    return {"key": sentence.key, "parameters": parameters}


def from_json(value: Mapping[str, Any]) -> Sentence:
    """What ``to_json`` gave."""
    parameters = {
        name: from_json(inner) if isinstance(inner, Mapping) else inner
        for name, inner in value["parameters"].items()
    }
    return Sentence(value["key"], parameters)
