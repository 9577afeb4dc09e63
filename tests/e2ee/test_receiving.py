"""Receiving chains and skipped keys, at and beyond each limit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.e2ee.chain import ChainKey
from bridge.e2ee.errors import BadMessage, KeyGone
from bridge.e2ee.receiving import MAX_JUMP, Position, ReceivingChain
from bridge.e2ee.skipped import (
    ENTRY_BYTES,
    MAX_SKIPPED_KEY_AGE_SECONDS,
    MAX_SKIPPED_KEYS_PER_CHAIN,
    NOTHING_SKIPPED,
    SkippedKeys,
)
from tests.e2ee.support import NOW, run

START = ReceivingChain(b"r" * 32, ChainKey(b"c" * 32))
QUICK = settings(max_examples=60, derandomize=True, deadline=None)


def find(chain: ReceivingChain, counter: int) -> Position:
    """Look for a message, without pauses."""
    return run(chain.find(counter))


def seed(index: int) -> bytes:
    """The seed that the chain ``START`` has for a message."""
    chain = START.chain
    for _ in range(index):
        chain = chain.next()
    return chain.seed()


@QUICK
@given(st.permutations(range(12)))
def test_each_message_gets_its_seed_once_in_any_order(order: list[int]) -> None:
    chain = START
    for counter in order:
        found = find(chain, counter)
        assert found.seed == seed(counter)
        chain = found.advanced(NOW)
        with pytest.raises(KeyGone):
            find(chain, counter)
    assert chain.chain.index == 12 and chain.skipped == NOTHING_SKIPPED


def test_search_leaves_the_chain_unchanged() -> None:
    before = find(START, 5).advanced(NOW)
    find(before, 9)
    find(before, 2)
    assert before == find(START, 5).advanced(NOW)


def test_jump_limit_is_exact() -> None:
    assert find(START, MAX_JUMP).counter == MAX_JUMP
    with pytest.raises(BadMessage, match="too far"):
        find(START, MAX_JUMP + 1)


def test_full_chain_evicts_oldest_skipped_key() -> None:
    full = find(START, MAX_SKIPPED_KEYS_PER_CHAIN).advanced(NOW)
    assert len(full.skipped) == MAX_SKIPPED_KEYS_PER_CHAIN
    assert find(full, 0).seed == seed(0)
    over = find(full, MAX_SKIPPED_KEYS_PER_CHAIN + 2).advanced(NOW)
    assert len(over.skipped) == MAX_SKIPPED_KEYS_PER_CHAIN
    with pytest.raises(KeyGone):
        find(over, 0)
    assert find(over, 1).seed == seed(1)
    assert find(over, MAX_SKIPPED_KEYS_PER_CHAIN + 1).seed == seed(MAX_SKIPPED_KEYS_PER_CHAIN + 1)


def test_long_jump_keeps_last_2000_skipped_keys() -> None:
    moved = find(START, 5_000).advanced(NOW)
    assert len(moved.skipped) == MAX_SKIPPED_KEYS_PER_CHAIN
    assert find(moved, 3_000).seed == seed(3_000)
    with pytest.raises(KeyGone):
        find(moved, 2_999)


def test_skipped_keys_expire_after_31_days() -> None:
    early = find(START, 2).advanced(NOW)
    later = find(early, 5).advanced(NOW + 100)
    assert len(later.skipped) == 4
    assert later.pruned(NOW + MAX_SKIPPED_KEY_AGE_SECONDS) == later
    kept = later.pruned(NOW + MAX_SKIPPED_KEY_AGE_SECONDS + 1)
    assert find(kept, 3).seed == seed(3)
    with pytest.raises(KeyGone):
        find(kept, 1)
    assert later.pruned(NOW + MAX_SKIPPED_KEY_AGE_SECONDS + 101).skipped == NOTHING_SKIPPED


@pytest.mark.parametrize("now", [-5.0, 0.0, 2.0**40])
def test_skipping_accepts_any_clock(now: float) -> None:
    assert len(find(START, 3).advanced(now).skipped) == 3


@QUICK
@given(st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_skipped_keys_are_found_and_removed_singly(counters: set[int], wanted: int) -> None:
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


def test_skipped_entry_has_40_bytes() -> None:
    skipped = SkippedKeys().added([ChainKey(b"k" * 32, 7)], 1.0)
    assert skipped.packed == b"\x00\x00\x00\x07" + b"\x00\x00\x00\x01" + ChainKey(b"k" * 32, 7).seed()
    assert len(skipped.packed) == ENTRY_BYTES == 40
