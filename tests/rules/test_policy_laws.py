"""What holds of every decision, whatever the facts."""

from __future__ import annotations

import itertools
from dataclasses import replace

from bridge.policy import RULES, Act, Allow, Facts, Hold, Refuse, decide
from bridge.sentences import render
from bridge.states import AccountState, Custody, Level


def test_the_first_refusal_wins() -> None:
    everything = Facts(is_owner=False, service_known=False, partner_allowed=False, local_user=False)
    for act, rules in RULES.items():
        assert decide(act, everything) == rules[0](everything), act


def test_the_default_is_refusal() -> None:
    """Of somebody nobody told us anything about only their leaving is allowed."""
    assert {act for act in Act if decide(act, Facts()) == Allow()} == {Act.LEAVE}


def all_facts() -> list[Facts]:
    """Every combination of facts."""
    booleans = list(itertools.product((False, True), repeat=4))
    return [
        Facts(level, custody, others, account, known, owner, partner, local)
        for level in Level
        for custody in Custody
        for others in (0, 1)
        for account in (None, *AccountState)
        for known, owner, partner, local in booleans
    ]


def test_nothing_goes_out_for_anybody_who_is_not_enlisted() -> None:
    for facts in all_facts():
        if facts.account is not AccountState.ENLISTED:
            assert decide(Act.MESSAGE_OUT, facts) != Allow()
            assert decide(Act.NEW_CHAT, facts) != Allow()


def test_nothing_goes_out_for_anybody_whose_permission_was_taken_away_and_everybody_can_say_so() -> None:
    for facts in all_facts():
        if facts.level < Level.USER:
            assert decide(Act.MESSAGE_OUT, facts) != Allow()
            assert decide(Act.NEW_CHAT, facts) != Allow()
        if facts.account is AccountState.ENLISTED:
            assert decide(Act.TALK, facts) == Allow()


def test_nothing_goes_out_for_anybody_but_the_owner_of_a_chat() -> None:
    for facts in all_facts():
        if not facts.is_owner:
            for act in (Act.MESSAGE_OUT, Act.NEW_CHAT, Act.RECEIPT_OUT):
                assert decide(act, facts) != Allow()


def test_more_permission_never_takes_anything_away() -> None:
    levels = list(Level)
    for facts in all_facts():
        for act in Act:
            if decide(act, facts) == Allow():
                higher = [level for level in levels if level > facts.level]
                assert all(decide(act, replace(facts, level=level)) == Allow() for level in higher)


def test_whatever_is_refused_is_said_in_words_that_name_nobody() -> None:
    sentences = {}
    for facts in all_facts():
        for act in Act:
            match decide(act, facts):
                case Refuse(sentence) | Hold(_, sentence):
                    sentences[sentence.key] = sentence
    assert all(not sentence.parameters and render(sentence) for sentence in sentences.values())
