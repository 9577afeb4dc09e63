"""Receiving chains and skipped keys: every limit at it and beyond it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.e2ee.chain import ChainKey
from bridge.e2ee.errors import BadMessage, KeyGone
from bridge.e2ee.receiving import MAX_JUMP, ReceivingChain
from bridge.e2ee.skipped import (
    ENTRY_BYTES,
    MAX_SKIPPED_KEY_AGE_SECONDS,
    MAX_SKIPPED_KEYS_PER_CHAIN,
    NOTHING_SKIPPED,
    SkippedKeys,
)
from tests.e2ee.support import NOW

START = ReceivingChain(b"r" * 32, ChainKey(b"c" * 32))
QUICK = settings(max_examples=60, derandomize=True, deadline=None)


def seed(index: int) -> bytes:
    """The seed that the chain ``START`` has for a message."""
    chain = START.chain
    for _ in range(index):
        chain = chain.next()
    return chain.seed()


@QUICK
@given(st.permutations(range(12)))
def test_in_any_order_each_message_gets_its_seed_once(order: list[int]) -> None:
    chain = START
    for counter in order:
        reach = chain.reach(counter)
        assert reach.seed == seed(counter)
        chain = reach.move(NOW)
        with pytest.raises(KeyGone):
            chain.reach(counter)
    assert chain.chain.index == 12 and chain.skipped == NOTHING_SKIPPED


def test_looking_for_a_message_moves_nothing() -> None:
    before = START.reach(5).move(NOW)
    before.reach(9)
    before.reach(2)
    assert before == START.reach(5).move(NOW)


def test_the_longest_jump_is_allowed_and_one_more_is_not() -> None:
    assert START.reach(MAX_JUMP).counter == MAX_JUMP
    with pytest.raises(BadMessage, match="too far"):
        START.reach(MAX_JUMP + 1)
    assert START.reach(10, max_jump=10).counter == 10
    with pytest.raises(BadMessage, match="too far"):
        START.reach(11, max_jump=10)


def test_a_full_chain_keeps_2000_skipped_keys_and_forgets_the_oldest() -> None:
    full = START.reach(MAX_SKIPPED_KEYS_PER_CHAIN).move(NOW)
    assert len(full.skipped) == MAX_SKIPPED_KEYS_PER_CHAIN
    assert full.reach(0).seed == seed(0)
    over = full.reach(MAX_SKIPPED_KEYS_PER_CHAIN + 2).move(NOW)
    assert len(over.skipped) == MAX_SKIPPED_KEYS_PER_CHAIN
    with pytest.raises(KeyGone):
        over.reach(0)
    assert over.reach(1).seed == seed(1)
    assert over.reach(MAX_SKIPPED_KEYS_PER_CHAIN + 1).seed == seed(MAX_SKIPPED_KEYS_PER_CHAIN + 1)


def test_a_long_jump_keeps_the_last_2000_of_those_jumped_over() -> None:
    moved = START.reach(5_000).move(NOW)
    assert len(moved.skipped) == MAX_SKIPPED_KEYS_PER_CHAIN
    assert moved.reach(3_000).seed == seed(3_000)
    with pytest.raises(KeyGone):
        moved.reach(2_999)


def test_skipped_keys_are_kept_for_31_days_and_no_longer() -> None:
    early = START.reach(2).move(NOW)
    later = early.reach(5).move(NOW + 100)
    assert len(later.skipped) == 4
    assert later.tidy(NOW + MAX_SKIPPED_KEY_AGE_SECONDS) == later
    kept = later.tidy(NOW + MAX_SKIPPED_KEY_AGE_SECONDS + 1)
    assert kept.reach(3).seed == seed(3)
    with pytest.raises(KeyGone):
        kept.reach(1)
    assert later.tidy(NOW + MAX_SKIPPED_KEY_AGE_SECONDS + 101).skipped == NOTHING_SKIPPED


@pytest.mark.parametrize("now", [-5.0, 0.0, 2.0**40])
def test_a_mad_clock_does_no_harm(now: float) -> None:
    assert len(START.reach(3).move(now).skipped) == 3


@QUICK
@given(st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_skipped_keys_are_found_and_taken_one_by_one(counters: set[int], wanted: int) -> None:
    keys = {counter: ChainKey(bytes([counter]) * 32, counter) for counter in counters}
    skipped = NOTHING_SKIPPED.added((keys[counter] for counter in sorted(counters)), NOW)
    assert len(skipped) == len(counters)
    if wanted not in counters:
        assert skipped.find(wanted) is None
        return
    assert skipped.find(wanted) == keys[wanted].seed()
    left = skipped.without(wanted)
    assert left.find(wanted) is None
    assert all(left.find(counter) == keys[counter].seed() for counter in counters - {wanted})


def test_an_entry_has_forty_bytes() -> None:
    skipped = SkippedKeys().added([ChainKey(b"k" * 32, 7)], 1.0)
    assert skipped.packed == b"\x00\x00\x00\x07" + b"\x00\x00\x00\x01" + ChainKey(b"k" * 32, 7).seed()
    assert len(skipped.packed) == ENTRY_BYTES == 40
