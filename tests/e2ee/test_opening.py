"""Openings in slices: the same result, a bounded cost, no state moved by a failure."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curve import agree, key_pair
from bridge.e2ee.chain import ChainKey
from bridge.e2ee.errors import BadMessage, KeyGone
from bridge.e2ee.message import MAX_CIPHERTEXT_BYTES, covered_part
from bridge.e2ee.receiving import MAX_JUMP
from bridge.e2ee.record import MAX_ARCHIVED_SESSIONS
from bridge.e2ee.session import Opened, Opening
from bridge.e2ee.skipped import MAX_SKIPPED_KEYS_PER_CHAIN
from bridge.e2ee.work import AGREEMENT_UNITS, UNITS_PER_MESSAGE, UNITS_PER_SLICE, check_units
from bridge.errors import LocalProtocolError
from tests.e2ee.support import End, SealedMessage, connected_pair

QUICK = settings(max_examples=60, derandomize=True, deadline=None)
LARGEST_PIECE = max(check_units(MAX_CIPHERTEXT_BYTES), MAX_SKIPPED_KEYS_PER_CHAIN)
STRANGE_KEY = key_pair(b"a key of no session".ljust(32)).public


@cache
def with_41_sessions() -> tuple[bytes, bytes]:
    """The stored records of alice, with 40 archived sessions, and of bob, who still uses the oldest one."""
    alice, bob = connected_pair()
    bob.read(alice.seal())
    for _ in range(MAX_ARCHIVED_SESSIONS):
        alice.start(bob.bundle())
    assert alice.stored is not None and bob.stored is not None
    return alice.stored, bob.stored


def crowded() -> tuple[End, End]:
    """Ends with those records; bob's next message needs a turn."""
    alice, bob = End("alice"), End("bob")
    alice.stored, bob.stored = with_41_sessions()
    return alice, bob


def forged(counter: int, size: int = 16, ratchet_key: bytes = STRANGE_KEY) -> SealedMessage:
    """A plain message that fits no session."""
    return "msg", covered_part(ratchet_key, counter, 0, bytes(size)) + bytes(8)


def finish(opening: Opening, units: int = UNITS_PER_SLICE) -> tuple[Opened, int]:
    """The result, and the slices it took."""
    slices = 1
    while (opened := opening.step(units)) is None:
        slices += 1
    return opened, slices


def fail(opening: Opening) -> list[int]:
    """The units of each slice of an opening that must end in BadMessage."""
    taken: list[int] = []
    while True:
        before = opening.units
        try:
            assert opening.step() is None
        except BadMessage:
            return [*taken, opening.units - before]
        taken.append(opening.units - before)


def measured(opening: Opening) -> Counter[str]:
    """The chain steps and agreements that a failing opening really does."""
    codes = {ChainKey.next.__code__: "steps", agree.__code__: "agreements"}
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in codes:
            calls[codes[frame.f_code]] += 1

    sys.setprofile(count)
    try:
        fail(opening)
    finally:
        sys.setprofile(None)
    return calls


@QUICK
@given(st.sampled_from([0, 1, 499, 500, 501, 2_500, MAX_JUMP]), st.integers(1, 40_000), st.booleans())
def test_result_does_not_depend_on_slices(ahead: int, units: int, turning: bool) -> None:
    alice, bob = connected_pair()
    if turning:
        bob.read(alice.seal())
    bob.skip(ahead)
    sealed = bob.seal(b"the same")
    whole, _ = finish(alice.opening(sealed), sys.maxsize)
    sliced, slices = finish(alice.opening(sealed), units)
    assert sliced == whole and sliced.plaintext == b"the same"
    assert slices >= ahead // (units + LARGEST_PIECE)


def test_openings_of_one_record_do_not_disturb_each_other() -> None:
    alice, bob = connected_pair()
    messages = []
    for _ in range(3):
        bob.skip(5_000)
        messages.append(bob.seal())
    alone = [finish(alice.opening(sealed))[0] for sealed in messages]
    openings = [alice.opening(sealed) for sealed in messages]
    assert [opening.step() for opening in openings] == [None] * 3
    assert [finish(opening)[0] for opening in reversed(openings)] == alone[::-1]


@pytest.mark.parametrize("turning", [False, True])
def test_message_that_is_not_far_ahead_takes_one_slice(turning: bool) -> None:
    alice, bob = connected_pair()
    if turning:
        bob.read(alice.seal())
    bob.skip(UNITS_PER_SLICE // 3)
    assert finish(alice.opening(bob.seal()))[1] == 1


@QUICK
@given(
    st.one_of(st.integers(0, 3_000), st.integers(0, 40_000)),
    st.sampled_from([16, 160, 16_000, MAX_CIPHERTEXT_BYTES - 1_024]),
)
def test_forged_message_costs_at_most_the_budget_in_41_sessions(counter: int, size: int) -> None:
    alice, _ = crowded()
    before = alice.stored
    opening = alice.opening(forged(counter, size))
    slices = fail(opening)
    assert sum(slices) == opening.units <= UNITS_PER_MESSAGE
    assert max(slices) <= UNITS_PER_SLICE + LARGEST_PIECE
    assert alice.stored == before


@pytest.mark.parametrize("counter", [0, 600, 2_000, MAX_JUMP, MAX_JUMP + 1, 100_000])
def test_units_cover_the_work_really_done(counter: int) -> None:
    alice, _ = crowded()
    opening = alice.opening(forged(counter))
    calls = measured(opening)
    # Each message that is reached costs one step more: the chain key after it.
    assert opening.units >= calls["steps"] - calls["agreements"] + calls["agreements"] * AGREEMENT_UNITS
    assert calls["agreements"] <= MAX_ARCHIVED_SESSIONS + 1


def test_forged_message_of_known_chain_is_tried_in_one_session() -> None:
    alice, bob = crowded()
    current = bob.kept.sessions[0]
    known = current.ratchet.receiving[-1].ratchet_key
    assert measured(bob.opening(forged(current.ratchet.receiving[-1].chain.index + 7, 16, known))) == {
        "steps": 8
    }
    del alice


def test_forged_first_message_costs_at_most_the_budget() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    alice.skip(MAX_JUMP)
    kind, ciphertext = alice.seal()
    opening = bob.opening((kind, ciphertext.replace(alice.own.identity.public, STRANGE_KEY)))
    fail(opening)
    assert MAX_JUMP < opening.units <= UNITS_PER_MESSAGE


def test_budget_covers_the_dearest_message_of_the_current_session() -> None:
    alice, bob = connected_pair()
    bob.read(alice.seal())
    bob.skip(MAX_JUMP)
    current = bob.kept.sessions[0]
    sealed = bob.seal(b"x" * 2**19)
    alice.stored = replace(alice.kept, archived=(alice.kept.sessions[0],) * MAX_ARCHIVED_SESSIONS).to_bytes()
    assert alice.read(sealed) == b"x" * 2**19
    first = 4 * AGREEMENT_UNITS
    assert first + AGREEMENT_UNITS + MAX_JUMP + check_units(MAX_CIPHERTEXT_BYTES) <= UNITS_PER_MESSAGE
    assert current.ratchet.sending.index == MAX_JUMP


@pytest.mark.parametrize(("ahead", "opens"), [(0, True), (600, True), (700, False), (MAX_JUMP, False)])
def test_oldest_session_turns_as_far_as_the_budget_reaches(ahead: int, opens: bool) -> None:
    alice, bob = crowded()
    bob.skip(ahead)
    sealed = bob.seal(b"late")
    if opens:
        assert alice.read(sealed) == b"late"
    else:
        fail(alice.opening(sealed))


@pytest.mark.parametrize("opens", [True, False])
def test_newer_archived_sessions_have_the_budget_first(opens: bool) -> None:
    alice, bob = crowded()
    ahead = 2_000
    tried = UNITS_PER_MESSAGE // (AGREEMENT_UNITS + ahead + check_units(64))
    record = alice.kept
    position = tried - 2 if opens else tried - 1
    archived = (*record.archived[:position], record.archived[-1])
    alice.stored = replace(record, archived=archived).to_bytes()
    bob.skip(ahead)
    sealed = bob.seal(b"late")
    if opens:
        assert alice.read(sealed) == b"late"
    else:
        fail(alice.opening(sealed))


def test_chain_known_to_an_archived_session_jumps_as_far_as_any() -> None:
    alice, bob = connected_pair()
    alice.read(bob.seal())
    for _ in range(MAX_ARCHIVED_SESSIONS):
        alice.start(bob.bundle())
    bob.skip(MAX_JUMP)
    assert alice.read(bob.seal(b"far ahead")) == b"far ahead"


def test_failed_opening_reports_its_units_and_has_ended() -> None:
    alice, bob = connected_pair()
    sealed = bob.seal()
    alice.read(sealed)
    opening = alice.opening(sealed)
    with pytest.raises(KeyGone):
        opening.step()
    assert opening.units == 0
    with pytest.raises(LocalProtocolError, match="ended"):
        opening.step()


def test_finished_opening_has_ended() -> None:
    alice, bob = connected_pair()
    opening = alice.opening(bob.seal())
    finish(opening)
    with pytest.raises(LocalProtocolError, match="ended"):
        opening.step()


def test_abandoned_opening_leaves_record_and_keys_usable() -> None:
    alice, bob = connected_pair()
    bob.skip(10_000)
    sealed = bob.seal(b"again")
    abandoned = alice.opening(sealed)
    assert abandoned.step() is None
    del abandoned
    assert alice.read(sealed) == b"again"


def test_mac_of_a_long_message_is_counted() -> None:
    alice, bob = connected_pair()
    chain = alice.kept.sessions[0].ratchet.receiving[-1]
    opening = alice.opening(forged(chain.chain.index, 2**19, chain.ratchet_key))
    fail(opening)
    assert opening.units >= check_units(2**19) > 1_000
    del bob
