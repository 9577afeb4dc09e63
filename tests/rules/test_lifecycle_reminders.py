"""Warnings before the network ends an enlistment."""

from __future__ import annotations

import pytest

from bridge.lifecycle.reminders import DAY_S, Reminder, due_reminders, has_expired

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
def test_warning_is_due_from_its_day_until_the_end(days: int, expected: list[int]) -> None:
    assert [day for day, _ in due(days)] == expected


@pytest.mark.parametrize("day", [20, 25, 28])
def test_warning_is_not_due_a_second_early(day: int) -> None:
    before = due_reminders(LAST, LAST + day * DAY_S - SECOND, 30)
    assert day not in [reminder.day for reminder in before]
    assert Reminder(day, 30 - day) in due_reminders(LAST, LAST + day * DAY_S, 30)


def test_late_warning_says_what_is_left_by_then() -> None:
    assert due(24) == [(20, 6)]
    assert due(29) == [(20, 1), (25, 1), (28, 1)]


def test_warnings_follow_the_period_of_the_profile() -> None:
    assert due(13, period=14) == [(4, 1), (9, 1), (12, 1)]
    assert due(3, period=14) == []


@pytest.mark.parametrize("period", [1, 2, 5, 10])
def test_short_period_has_no_early_warning(period: int) -> None:
    assert due(0, period) == []
    for day in range(period):
        assert all(0 < on <= day for on, _ in due(day, period))


def test_clock_set_back_warns_nobody() -> None:
    assert due(-5) == []
    assert not has_expired(LAST, LAST - 5 * DAY_S, 30)


def test_enlistment_expires_exactly_when_its_days_are_over() -> None:
    end = LAST + 30 * DAY_S
    assert not has_expired(LAST, end - SECOND, 30)
    assert has_expired(LAST, end, 30)
