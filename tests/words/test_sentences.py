"""Sentences: rendered from the catalogue, carried through the journal unharmed."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import GiveUp, Misconfigured, TryAgain
from bridge.sentences import CATALOGUES, Sentence, from_json, render, say, to_json
from bridge.sentences.english import ENGLISH

QUICK = settings(max_examples=50, derandomize=True, deadline=None)
PLAIN = st.one_of(st.text(max_size=20), st.integers())
SENTENCES = st.recursive(
    st.builds(Sentence, st.sampled_from(sorted(ENGLISH)), st.dictionaries(st.text(max_size=8), PLAIN)),
    lambda inner: st.builds(
        Sentence,
        st.sampled_from(sorted(ENGLISH)),
        st.dictionaries(st.text(max_size=8), st.one_of(PLAIN, inner), max_size=3),
    ),
    max_leaves=4,
)


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_sentence_is_rendered_with_its_blanks_filled() -> None:
    rendered = render(say("outbound.too_long", length=70_000, limit=65_536))
    assert rendered == ENGLISH["outbound.too_long"].format(length="70000", limit="65536")


def test_nested_sentence_is_rendered_in_place() -> None:
    reason = say("outbound.unknown_kind", kind="image")
    assert render(reason) in render(say("outbound.not_sent", reason=reason))


def test_user_text_is_never_a_placeholder() -> None:
    hostile = "{name} {0} {name.__class__} {{"
    assert hostile in render(say("address.is", identifier=hostile, name="Anna", services="WhatsApp"))


def test_unknown_language_falls_back_to_english() -> None:
    assert render(say("talk.cancelled"), "tlh") == ENGLISH["talk.cancelled"]


def test_unknown_key_raises() -> None:
    with pytest.raises(KeyError):
        render(say("no.such_key"))


@pytest.mark.parametrize("key", sorted(ENGLISH))
def test_every_sentence_can_be_rendered(key: str) -> None:
    filled = render(Sentence(key, dict.fromkeys(blanks(ENGLISH[key]), "filled")))
    assert filled.strip()
    assert "{" not in filled and "}" not in filled


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_placeholders_match_in_every_language(language: str) -> None:
    for text in CATALOGUES[language].values():
        assert all(name.isidentifier() for name in blanks(text)), text


@QUICK
@given(SENTENCES)
def test_sentence_round_trips_through_json(sentence: Sentence) -> None:
    assert from_json(json.loads(json.dumps(to_json(sentence)))) == sentence


def test_parameters_are_hidden_in_repr() -> None:
    assert "Anna" not in repr(say("inbound.unreadable", name="Anna"))
    assert "inbound.unreadable" in repr(say("inbound.unreadable", name="Anna"))


def test_give_up_carries_a_sentence_and_prints_its_key() -> None:
    error = GiveUp(say("inbound.unreadable", name="Anna"))
    assert "Anna" in render(error.sentence)
    assert str(error) == "inbound.unreadable"


def test_try_again_says_how_long_to_wait() -> None:
    assert TryAgain("busy").after is None
    assert TryAgain("busy", after=2.5).after == 2.5


def test_misconfigured_names_place_fault_remedy_and_exit_code() -> None:
    error = Misconfigured("config.yaml:3", "the port is taken.", "Choose another.")
    assert str(error) == "config.yaml:3: the port is taken. Choose another."
    assert error.exit_code == 11
    assert Misconfigured("here", "what", "remedy", exit_code=14).exit_code == 14
