"""The life of an account: every state with everything that can happen."""

from __future__ import annotations

import pytest

from bridge.errors import LocalProtocolError
from bridge.lifecycle import DAY_S, TRANSITIONS, Happening, Reminder, after, due_reminders, has_expired
from bridge.states import AccountState

ROWS = """
                         agreed    enlisting enlisted  expired   suspended leaving   left
keys made                enlisting .         .         .         .         .         .
enlisted                 .         enlisted  .         .         .         .         .
refused                  .         expired   .         .         .         .         .
suspended                .         suspended suspended .         .         .         .
forgotten by the network .         .         expired   .         .         .         .
enlist again             .         .         .         enlisting enlisting .         .
leave                    leaving   leaving   leaving   leaving   leaving   .         .
deleted                  .         .         .         .         .         left      .
"""
"""What happens (rows) in which state (columns), and the state that follows; a dot is refused."""


def cells() -> list[tuple[Happening, AccountState, str]]:
    head, *rows = ROWS.strip("\n").splitlines()
    states = [AccountState(word) for word in head.split()]
    found = []
    for row in rows:
        name, words = row[:25].strip(), row[25:].split()
        found += [(Happening(name), state, following) for state, following in zip(states, words, strict=True)]
    return found


@pytest.mark.parametrize(
    ("happening", "state", "following"), cells(), ids=lambda value: getattr(value, "value", value)
)
def test_the_table_is_followed(happening: Happening, state: AccountState, following: str) -> None:
    if following == ".":
        with pytest.raises(LocalProtocolError, match="cannot be"):
            after(state, happening)
    else:
        assert after(state, happening) is AccountState(following)


def test_the_table_has_a_cell_for_every_state_and_happening() -> None:
    assert {(happening, state) for happening, state, _ in cells()} == {
        (happening, state) for happening in Happening for state in AccountState
    }


def test_everybody_can_leave_in_the_end() -> None:
    for state in AccountState:
        reached = {state}
        while more := {n for s in reached for n in TRANSITIONS[s].values()} - reached:
            reached |= more
        assert AccountState.LEFT in reached


def test_nobody_comes_back_from_leaving() -> None:
    assert set(TRANSITIONS[AccountState.LEAVING].values()) == {AccountState.LEFT}
    assert TRANSITIONS[AccountState.LEFT] == {}


LAST = 1_790_000_000.0
SECOND = 1.0


def due(days: float, period: int = 30) -> list[tuple[int, int]]:
    """(day it was due on, days left) of each warning."""
    return [(r.day, r.days_left) for r in due_reminders(LAST, LAST + days * DAY_S, period)]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, []),
        (19, []),
        (20, [20]),
        (24, [20]),
        (25, [20, 25]),
        (27, [20, 25]),
        (28, [20, 25, 28]),
        (29, [20, 25, 28]),
        (30, []),
        (300, []),
    ],
)
def test_a_warning_is_due_from_its_day_on_until_the_end(days: int, expected: list[int]) -> None:
    assert [day for day, _ in due(days)] == expected


@pytest.mark.parametrize("day", [20, 25, 28])
def test_a_warning_is_not_due_a_second_early(day: int) -> None:
    before = due_reminders(LAST, LAST + day * DAY_S - SECOND, 30)
    assert day not in [reminder.day for reminder in before]
    assert Reminder(day, 30 - day) in due_reminders(LAST, LAST + day * DAY_S, 30)


def test_a_warning_that_is_given_late_says_what_is_left_by_then() -> None:
    assert due(24) == [(20, 6)]
    assert due(29) == [(20, 1), (25, 1), (28, 1)]


def test_warnings_follow_the_period_of_the_profile() -> None:
    assert due(13, period=14) == [(4, 1), (9, 1), (12, 1)]
    assert due(3, period=14) == []


@pytest.mark.parametrize("period", [1, 2, 5, 10])
def test_a_period_shorter_than_a_warning_has_no_such_warning(period: int) -> None:
    assert due(0, period) == []
    for day in range(period):
        assert all(0 < on <= day for on, _ in due(day, period))


def test_a_clock_set_back_warns_nobody() -> None:
    assert due(-5) == []
    assert not has_expired(LAST, LAST - 5 * DAY_S, 30)


def test_an_enlistment_ends_when_its_days_are_over_and_not_a_second_before() -> None:
    end = LAST + 30 * DAY_S
    assert not has_expired(LAST, end - SECOND, 30)
    assert has_expired(LAST, end, 30)
