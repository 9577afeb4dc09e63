"""All sessions with one peer: archiving, promotion, limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.e2ee import session
from bridge.e2ee.errors import BadMessage, KeyGone, NoSession, UnknownPreKey
from bridge.e2ee.ratchet import MAX_RECEIVING_CHAINS
from bridge.e2ee.record import (
    MAX_ARCHIVED_SESSIONS,
    MAX_RETIRED_BASE_KEYS,
    MAX_SKIPPED_KEYS_PER_RECORD,
    Record,
)
from bridge.e2ee.state import MAX_UNACKNOWLEDGED_SECONDS, Session
from bridge.errors import LocalProtocolError
from tests.e2ee.support import NOW, End, connected_pair


def test_no_record_needs_a_bundle() -> None:
    alice = End("alice")
    assert not alice.can_seal()
    with pytest.raises(LocalProtocolError):
        alice.seal()
    with pytest.raises(NoSession):
        alice.open(("msg", connected_pair()[0].seal()[1]))


def test_unanswered_session_expires_after_30_days() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    alice.now = NOW + MAX_UNACKNOWLEDGED_SECONDS
    assert alice.can_seal()
    alice.seal()
    alice.now += 1
    assert not alice.can_seal()
    with pytest.raises(LocalProtocolError):
        alice.seal()


def test_answered_session_never_expires() -> None:
    alice, bob = connected_pair()
    alice.now = bob.now = NOW + 100 * MAX_UNACKNOWLEDGED_SECONDS
    assert alice.can_seal() and bob.can_seal()
    assert bob.read(alice.seal(b"after years")) == b"after years"


def test_any_answer_ends_prekey_messages() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    messages = [alice.seal(b"%d" % number) for number in range(3)]
    assert {kind for kind, _ in messages} == {"pkmsg"}
    bob.read(messages[2])
    lost, arrived = bob.seal(), bob.seal()
    alice.read(arrived)
    assert alice.seal()[0] == "msg"
    assert [bob.read(sealed) for sealed in messages[:2]] == [b"0", b"1"]
    assert alice.read(lost) == b"hello"


def test_repeated_first_message_spends_prekey_once() -> None:
    alice, bob = End("alice"), End("bob")
    bundle = bob.bundle()
    alice.start(bundle)
    first, second = alice.seal(), alice.seal()
    assert bob.open(first).spent_prekey == bundle.prekey_id
    assert bob.unspent == {}
    assert bob.open(second).spent_prekey is None


@pytest.mark.parametrize("which", ["signed", "unspent"])
def test_unknown_prekey_is_reported_without_state_change(which: str) -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    getattr(bob, which).clear()
    with pytest.raises(UnknownPreKey):
        bob.read(alice.seal())
    assert bob.stored is None


def test_archived_session_reads_late_messages_only() -> None:
    alice, bob = connected_pair()
    late = bob.seal(b"late")
    alice.archive()
    assert not alice.can_seal()
    assert alice.kept.current is None and len(alice.kept.archived) == 1
    assert alice.read(late) == b"late"
    assert alice.can_seal() and len(alice.kept.sessions) == 1


def test_archiving_is_idempotent() -> None:
    alice, _ = connected_pair()
    alice.archive()
    once = alice.stored
    alice.archive()
    assert alice.stored == once


def test_archiving_clears_the_pending_prekeys() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    assert alice.kept.current is not None and alice.kept.current.pending is not None
    alice.archive()
    assert alice.kept.archived[0].pending is None


def test_archive_keeps_newest_40_sessions() -> None:
    alice, bob = connected_pair()
    oldest = bob.seal(b"oldest")
    base_keys = []
    for _ in range(MAX_ARCHIVED_SESSIONS):
        alice.start(bob.bundle())
        assert alice.kept.current is not None
        base_keys.append(alice.kept.current.base_key)
    at_limit = alice.stored
    assert len(alice.kept.archived) == MAX_ARCHIVED_SESSIONS
    assert [each.base_key for each in alice.kept.sessions[:-1]] == base_keys[::-1]
    assert alice.read(oldest) == b"oldest"
    alice.stored = at_limit
    alice.start(bob.bundle())
    assert len(alice.kept.archived) == MAX_ARCHIVED_SESSIONS
    with pytest.raises(BadMessage):
        alice.read(oldest)


def test_replayed_first_message_of_dropped_session_is_refused() -> None:
    # Without a one-time prekey nothing else would stop it.
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle(one_time=False))
    first = alice.seal(b"once")
    assert bob.read(first) == b"once"
    with pytest.raises(KeyGone):
        bob.read(first)
    for _ in range(MAX_ARCHIVED_SESSIONS + 1):
        bob.start(alice.bundle())
    assert len(bob.kept.retired) == 1
    before = bob.stored
    with pytest.raises(NoSession, match="dropped"):
        bob.read(first)
    assert bob.stored == before


def test_base_keys_of_256_dropped_sessions_are_kept() -> None:
    alice, bob = End("alice"), End("bob")
    record: Record | None = None
    bundle, base_keys = bob.bundle(), []
    for _ in range(MAX_RETIRED_BASE_KEYS + MAX_ARCHIVED_SESSIONS + 2):
        record = session.start(record, alice.own, bundle, alice.rng, NOW)
        assert record.current is not None
        base_keys.append(record.current.base_key)
    assert record is not None
    assert record.retired == tuple(base_keys[MAX_RETIRED_BASE_KEYS:0:-1])
    assert Record.from_bytes(record.to_bytes()) == record


def test_prekey_message_promotes_its_archived_session() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    first, second = alice.seal(b"1"), alice.seal(b"2")
    bob.read(first)
    base_key = bob.kept.sessions[0].base_key
    bob.start(alice.bundle())
    assert bob.kept.sessions[0].base_key != base_key
    assert bob.read(second) == b"2"
    assert bob.kept.sessions[0].base_key == base_key


def test_new_identity_replaces_old_and_is_reported() -> None:
    alice, bob = connected_pair()
    old = alice.own.identity.public
    again = End("alice, reinstalled")
    again.start(bob.bundle())
    opened = bob.open(again.seal(b"me again"))
    assert opened.identity_changed
    assert opened.identity == bob.kept.identity == again.own.identity.public != old
    assert again.read(bob.seal(b"hi")) == b"hi"


def test_session_of_old_identity_reads_but_is_not_promoted() -> None:
    alice, bob = connected_pair()
    late = alice.seal(b"written before")
    again = End("alice, reinstalled")
    again.start(bob.bundle())
    bob.read(again.seal())
    opened = bob.open(late)
    assert opened.plaintext == b"written before"
    assert opened.identity == alice.own.identity.public and not opened.identity_changed
    assert bob.kept.identity == again.own.identity.public
    assert again.read(bob.seal(b"to the new one")) == b"to the new one"
    with pytest.raises(KeyGone):
        bob.open(late)


def test_bundle_replaces_identity() -> None:
    alice, bob = connected_pair()
    again = End("bob, reinstalled")
    alice.start(again.bundle())
    assert alice.kept.identity == again.own.identity.public
    assert again.read(alice.seal(b"welcome back")) == b"welcome back"
    assert bob.own.identity.public in {each.identity for each in alice.kept.archived}


def test_record_keeps_five_receiving_chains() -> None:
    alice, bob = connected_pair()
    for _ in range(MAX_RECEIVING_CHAINS + 2):
        bob.read(alice.seal())
        alice.read(bob.seal())
    for end in (alice, bob):
        assert len(end.kept.sessions[0].ratchet.receiving) == MAX_RECEIVING_CHAINS


def skipped_in(record: Record) -> int:
    """All skipped keys of all sessions."""
    return sum(len(chain.skipped) for each in record.sessions for chain in each.ratchet.receiving)


def with_one_skipped_more(end: End, other: End, count: int) -> None:
    """A turn, and a message that jumps over ``count`` others."""
    other.read(end.seal())
    other.skip(count)
    end.read(other.seal())


def test_record_evicts_oldest_skipped_keys_above_10000() -> None:
    alice, bob = connected_pair()
    for _ in range(MAX_RECEIVING_CHAINS):
        with_one_skipped_more(alice, bob, 2_000)
    assert skipped_in(alice.kept) == MAX_SKIPPED_KEYS_PER_RECORD
    alice.start(bob.bundle())
    bob.read(alice.seal())
    bob.skip(3)
    alice.read(bob.seal())
    assert skipped_in(alice.kept) == MAX_SKIPPED_KEYS_PER_RECORD
    current, archived = alice.kept.sessions
    assert len(current.ratchet.receiving[-1].skipped) == 3
    assert [len(chain.skipped) for chain in archived.ratchet.receiving] == [1_997, 2_000, 2_000, 2_000, 2_000]


def test_stored_size_of_largest_record_is_bounded() -> None:
    # 41 sessions, 5 chains each, 10,000 skipped keys, 256 base keys: under 500 kB.
    alice, bob = connected_pair()
    for _ in range(MAX_RECEIVING_CHAINS):
        with_one_skipped_more(alice, bob, 2_000)
    full = alice.kept
    assert full.current is not None
    chains = tuple(replace(chain, skipped=type(chain.skipped)()) for chain in full.current.ratchet.receiving)
    bare = replace(full.current, ratchet=replace(full.current.ratchet, receiving=chains))
    archived: tuple[Session, ...] = (bare,) * MAX_ARCHIVED_SESSIONS
    largest = replace(full, archived=archived, retired=(bytes(32),) * MAX_RETIRED_BASE_KEYS)
    assert 400_000 < len(largest.to_bytes()) < 500_000
    assert Record.from_bytes(largest.to_bytes()) == largest


def test_expired_skipped_keys_are_removed_at_next_message() -> None:
    alice, bob = connected_pair()
    bob.skip(5)
    alice.read(bob.seal())
    assert skipped_in(alice.kept) == 5
    alice.now += 32 * 24 * 3600
    alice.read(bob.seal())
    assert skipped_in(alice.kept) == 0
