"""Talks with the bot, as transcripts: what was said, and what follows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.commands.dialogue import (
    NOTHING,
    Agree,
    Answer,
    Leave,
    Talk,
    begin_opt_in,
    begin_opt_out,
    go_on,
)
from bridge.ids import UserId
from bridge.labels import MAX_NAME_CHARACTERS
from bridge.sentences import Sentence, render, say
from bridge.states import Custody

QUICK = settings(max_examples=100, derandomize=True, deadline=None)
ALICE = UserId("@alice:matrix.example")
LOCALPART_FORM = "alice@matrix.example"
ASK_IDENTIFIER = say("opt_in.ask_identifier", default=ALICE, other=LOCALPART_FORM)
TALKS = [Talk(at, "Alice", ALICE) for at in ("name", "identifier", "agree", "leave")]


def opt_in(*answers: str, name: str = "Alice") -> tuple[list[str], Answer]:
    """A talk from its beginning: the keys of all that the bot said, and where it ends."""
    return talk(begin_opt_in(ALICE, name, Custody.PERSONAL, "Interop"), *answers)


def talk(answer: Answer, *answers: str) -> tuple[list[str], Answer]:
    said = keys(answer.said)
    for each in answers:
        answer = go_on(Talk.from_text(answer.talk.to_text()), each, ALICE)
        said += keys(answer.said)
    return said, answer


def keys(sentences: Sequence[Sentence]) -> list[str]:
    return [sentence.key for sentence in sentences]


BEGIN = ["opt_in.explained", "opt_in.ask_name"]


def test_whoever_takes_the_defaults_and_agrees_has_opted_in() -> None:
    said, end = opt_in("ok", "ok", "agree")
    assert said == [*BEGIN, "opt_in.ask_identifier", "opt_in.confirm", "opt_in.started"]
    assert end.act == Agree("Alice", ALICE)
    assert end.talk == NOTHING


def test_name_and_identifier_can_be_chosen() -> None:
    _, end = opt_in("  Alice  Liddell ", LOCALPART_FORM, " AGREE ")
    assert end.act == Agree("Alice Liddell", LOCALPART_FORM)


def test_both_are_shown_before_anything_is_agreed() -> None:
    _, end = opt_in("Alice L.", LOCALPART_FORM)
    assert end.said == [say("opt_in.confirm", name="Alice L.", identifier=LOCALPART_FORM)]
    assert end.act is None


def test_it_is_explained_who_can_read_along_before_anything_is_asked() -> None:
    first = begin_opt_in(ALICE, "Alice", Custody.OPERATOR, "Interop")
    explained = render(first.said[0])
    assert keys(first.said) == BEGIN
    assert render(say("protection.operator.plain")) in explained
    assert "opt-out" in explained


def test_a_name_is_cleaned_before_it_is_shown_and_signed() -> None:
    _, end = opt_in("Alice \u202e(WhatsApp)", "ok", "agree")
    assert end.act == Agree("Alice [WhatsApp]", ALICE)


def test_a_name_of_nothing_to_see_is_asked_for_again() -> None:
    said, end = opt_in("\u200b")
    assert said == [*BEGIN, "opt_in.name_unusable"]
    assert end.talk.at == "name"
    said, end = opt_in("\u200b", "Alice", "ok", "agree")
    assert end.act == Agree("Alice", ALICE)


def test_the_longest_name_is_kept_and_a_longer_one_is_cut() -> None:
    _, end = opt_in("n" * (MAX_NAME_CHARACTERS + 1), "ok", "agree")
    assert end.act == Agree("n" * MAX_NAME_CHARACTERS, ALICE)


def test_who_has_no_name_that_can_be_shown_is_offered_the_matrix_id() -> None:
    first = begin_opt_in(ALICE, "\u200b", Custody.PERSONAL, "Interop")
    assert first.said[1] == say("opt_in.ask_name", default=ALICE)


@pytest.mark.parametrize("other", ["@bob:matrix.example", "bob@matrix.example", "+4915112345678", "agree"])
def test_nobody_is_found_under_an_identifier_that_is_not_proven_to_be_theirs(other: str) -> None:
    said, end = opt_in("ok", other)
    assert said[-1] == "opt_in.identifier_not_yours"
    assert end.talk.at == "identifier"
    _, end = talk(end, "ok", "agree")
    assert end.act == Agree("Alice", ALICE)


@pytest.mark.parametrize("answer", ["yes", "ok", "I agree", "agree.", "agreed", "", "leave"])
def test_only_the_one_word_agrees(answer: str) -> None:
    said, end = opt_in("ok", "ok", answer)
    assert said[-1] == "opt_in.needs_agree"
    assert end.act is None
    assert end.talk.at == "agree"
    assert talk(end, "agree")[1].act == Agree("Alice", ALICE)


def test_leaving_is_asked_and_confirmed() -> None:
    first = begin_opt_out(3, "Interop")
    assert first.said == [say("opt_out.ask", contacts=3, label="Interop")]
    assert first.act is None
    said, end = talk(first, "Leave")
    assert said[-1] == "opt_out.started"
    assert (end.act, end.talk) == (Leave(), NOTHING)


@pytest.mark.parametrize("answer", ["yes", "ok", "agree", "opt-out", "I leave", ""])
def test_only_the_one_word_leaves(answer: str) -> None:
    said, end = talk(begin_opt_out(0, "Interop"), answer)
    assert said[-1] == "opt_out.needs_leave"
    assert (end.act, end.talk.at) == (None, "leave")


@pytest.mark.parametrize("word", ["cancel", "Cancel", " no ", "STOP"])
@pytest.mark.parametrize("at", TALKS, ids=lambda talk: talk.at)
def test_every_talk_can_be_cancelled_at_every_step(at: Talk, word: str) -> None:
    answer = go_on(at, word, ALICE)
    assert keys(answer.said) == ["talk.cancelled"]
    assert (answer.act, answer.talk) == (None, NOTHING)


@pytest.mark.parametrize("word", ["leave", "agree", "ok", "anything"])
@pytest.mark.parametrize("at", ["", "a step of another version"])
def test_where_nothing_was_asked_nothing_is_agreed_to(at: str, word: str) -> None:
    answer = go_on(Talk(at), word, ALICE)
    assert (answer.act, answer.talk) == (None, NOTHING)
    assert answer.said


@QUICK
@given(st.sampled_from(TALKS), st.text(max_size=40))
def test_any_answer_is_answered(at: Talk, text: str) -> None:
    answer = go_on(at, text, ALICE)
    assert answer.said
    assert answer.act is None or answer.talk == NOTHING
    assert all(render(sentence) for sentence in answer.said)


@QUICK
@given(st.lists(st.text(max_size=20).filter(lambda text: text.strip().lower() != "agree"), max_size=6))
def test_without_the_word_there_is_no_agreement(answers: list[str]) -> None:
    assert opt_in(*answers)[1].act is None


@QUICK
@given(st.builds(Talk, st.text(min_size=1, max_size=10), st.text(max_size=20), st.text(max_size=20)))
def test_a_talk_survives_a_stop(where: Talk) -> None:
    assert Talk.from_text(where.to_text()) == where


def test_no_talk_is_written_as_nothing() -> None:
    assert NOTHING.to_text() == ""
    assert Talk.from_text("") == NOTHING


def test_what_a_talk_holds_does_not_show_in_a_repr() -> None:
    assert "Alice" not in repr(Talk("agree", "Alice", "Alice"))
    assert "Alice" not in repr(Agree("Alice", "Alice"))
