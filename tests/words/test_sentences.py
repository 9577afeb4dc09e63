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


def test_a_sentence_is_rendered_with_its_blanks_filled() -> None:
    rendered = render(say("outbound.too_long", length=70_000, limit=65_536))
    assert rendered == ENGLISH["outbound.too_long"].format(length="70000", limit="65536")


def test_a_sentence_in_a_blank_is_rendered_in_its_place() -> None:
    reason = say("outbound.unknown_kind", kind="image")
    assert render(reason) in render(say("outbound.not_sent", reason=reason))


def test_what_people_write_is_never_read_as_a_blank() -> None:
    hostile = "{name} {0} {name.__class__} {{"
    assert hostile in render(say("address.is", identifier=hostile, name="Anna", services="WhatsApp"))


def test_a_language_without_a_catalogue_reads_english() -> None:
    assert render(say("talk.cancelled"), "tlh") == ENGLISH["talk.cancelled"]


def test_a_key_that_is_in_no_catalogue_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        render(say("no.such_key"))


@pytest.mark.parametrize("key", sorted(ENGLISH))
def test_every_sentence_can_be_rendered(key: str) -> None:
    filled = render(Sentence(key, dict.fromkeys(blanks(ENGLISH[key]), "filled")))
    assert filled.strip()
    assert "{" not in filled and "}" not in filled


@pytest.mark.parametrize("language", sorted(CATALOGUES))
def test_no_language_has_a_blank_without_a_name(language: str) -> None:
    for text in CATALOGUES[language].values():
        assert all(name.isidentifier() for name in blanks(text)), text


@QUICK
@given(SENTENCES)
def test_a_sentence_survives_json(sentence: Sentence) -> None:
    assert from_json(json.loads(json.dumps(to_json(sentence)))) == sentence


def test_what_fills_a_blank_does_not_show_in_a_repr() -> None:
    assert "Anna" not in repr(say("inbound.unreadable", name="Anna"))
    assert "inbound.unreadable" in repr(say("inbound.unreadable", name="Anna"))


def test_an_error_for_a_person_carries_the_sentence_and_logs_its_key_only() -> None:
    error = GiveUp(say("inbound.unreadable", name="Anna"))
    assert "Anna" in render(error.sentence)
    assert str(error) == "inbound.unreadable"


def test_an_error_that_may_pass_says_how_long_to_wait() -> None:
    assert TryAgain("busy").after is None
    assert TryAgain("busy", after=2.5).after == 2.5


def test_an_error_of_the_setup_names_place_fault_remedy_and_exit_code() -> None:
    error = Misconfigured("config.yaml:3", "the port is taken.", "Choose another.")
    assert str(error) == "config.yaml:3: the port is taken. Choose another."
    assert error.exit_code == 11
    assert Misconfigured("here", "what", "remedy", exit_code=14).exit_code == 14
