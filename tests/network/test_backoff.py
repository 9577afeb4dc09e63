"""When to connect again."""

from __future__ import annotations

import pytest

from bridge.backoff import FRACTION_BYTES, LONGEST_SECONDS, delay, fraction
from bridge.lifecycle.connection import CONNECTION, ConnectionEffect, ConnectionEvent, ConnectionState
from bridge.network.backoff import CONFLICT_SECONDS, EVENTS, MAX_CONFLICTS, Why, after_conflict

ALMOST_ONE = 1 - 2**-53


def test_every_end_is_an_event_of_an_open_connection() -> None:
    assert set(EVENTS) == set(Why)
    for event in EVENTS.values():
        assert not CONNECTION.after(ConnectionState.OPEN, event).ignored


def test_only_our_own_close_and_a_conflict_do_not_reconnect() -> None:
    left = [
        why
        for why, event in EVENTS.items()
        if ConnectionEffect.WANT_AGAIN not in CONNECTION.after(ConnectionState.OPEN, event).effects
    ]
    assert left == [Why.CLOSED, Why.REPLACED]


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (11, 300), (10_000, 300)]
)
def test_delay_has_full_jitter_under_a_doubling_bound(failures: int, bound: float) -> None:
    assert delay(failures, 0.0) == 0
    assert delay(failures, 0.5) == bound / 2
    assert bound * 0.99 < delay(failures, ALMOST_ONE) < bound <= LONGEST_SECONDS


def test_asked_time_is_a_lower_bound_with_jitter_on_top() -> None:
    assert delay(1, 0.0, asked=90) == 90
    assert delay(1, 0.5, asked=90) == 90.5
    assert delay(10, 0.5, asked=90) == 240


@pytest.mark.fault("F41")
def test_conflict_backs_off_then_stops() -> None:
    for conflicts in range(1, MAX_CONFLICTS + 1):
        for chance in (0.0, ALMOST_ONE):
            wait = after_conflict(conflicts, chance)
            assert wait is not None
            assert wait >= CONFLICT_SECONDS >= 300
    assert after_conflict(MAX_CONFLICTS + 1, 0.0) is None
    assert EVENTS[Why.REPLACED] is ConnectionEvent.REPLACED
    assert CONNECTION.after(ConnectionState.OPEN, ConnectionEvent.REPLACED).state is ConnectionState.CONFLICT


@pytest.mark.fault("F40")
def test_only_silence_reconnects_at_once() -> None:
    at_once = [
        why
        for why, event in EVENTS.items()
        if CONNECTION.after(ConnectionState.OPEN, event).state is ConnectionState.IDLE
    ]
    assert at_once == [Why.CLOSED, Why.SILENT]


@pytest.mark.parametrize(("failures", "chance"), [(0, 0.5), (1, 1.0), (1, -0.1)])
def test_invalid_arguments_raise(failures: int, chance: float) -> None:
    with pytest.raises(ValueError, match="count from 1"):
        delay(failures, chance)
    with pytest.raises(ValueError, match="count from 1"):
        after_conflict(failures, chance)


def test_random_bytes_become_a_fraction() -> None:
    assert fraction(bytes(FRACTION_BYTES)) == 0
    assert fraction(b"\xff" * FRACTION_BYTES) == ALMOST_ONE
    assert fraction(b"\x80" + bytes(FRACTION_BYTES - 1)) == 0.5
    with pytest.raises(ValueError, match="random bytes"):
        fraction(b"")
