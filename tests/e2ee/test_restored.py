"""A record from a backup: its sessions receive, and none seals under a key that may have been used."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.e2ee import session
from bridge.e2ee.errors import BadMessage, KeyGone
from bridge.e2ee.message import SignalMessage, read_message, read_prekey_message
from bridge.e2ee.record import Record
from bridge.errors import LocalProtocolError, RemoteProtocolError
from tests.e2ee.conversation import Theirs
from tests.e2ee.peer.libsignal import Program
from tests.e2ee.support import End, SealedMessage, connected_pair

QUICK = settings(max_examples=150, derandomize=True, deadline=None)


def plain_part(sealed: SealedMessage) -> SignalMessage:
    """The plain message inside a sealed one of either kind."""
    kind, ciphertext = sealed
    return read_prekey_message(ciphertext).message if kind == "pkmsg" else read_message(ciphertext)


def key_of(sealed: SealedMessage) -> tuple[bytes, int]:
    """The ratchet key and counter, which determine the message key."""
    message = plain_part(sealed)
    return message.ratchet_key, message.counter


def both_sessions() -> tuple[End, End]:
    """Alice has an archived and a current session with bob, and both were answered."""
    alice, bob = connected_pair()
    alice.start(bob.bundle())
    bob.read(alice.seal())
    alice.read(bob.seal())
    return alice, bob


def test_restored_record_cannot_seal() -> None:
    alice, _ = both_sessions()
    alice.restore(alice.kept)
    assert [each.receive_only for each in alice.kept.sessions] == [True, True]
    assert not alice.can_seal()
    with pytest.raises(LocalProtocolError, match="no session"):
        alice.seal()


def test_restoring_is_idempotent() -> None:
    alice, _ = both_sessions()
    once = session.restored(alice.kept)
    assert session.restored(once) == once
    assert session.restored(Record(alice.kept.identity)).sessions == ()


def test_message_without_turn_leaves_session_receive_only() -> None:
    alice, bob = connected_pair()
    late = [bob.seal(b"1"), bob.seal(b"2")]
    alice.restore(alice.kept)
    assert [alice.read(sealed) for sealed in reversed(late)] == [b"2", b"1"]
    assert not alice.can_seal()


def test_turn_of_the_contact_allows_sealing_again() -> None:
    alice, bob = connected_pair()
    backup = alice.kept
    lost = alice.seal(b"after the backup")
    bob.read(lost)
    alice.restore(backup)
    alice.read(bob.seal(b"an answer to it"))
    assert alice.can_seal()
    sealed = alice.seal(b"under a new key")
    assert key_of(sealed)[0] != key_of(lost)[0]
    assert bob.read(sealed) == b"under a new key"


def test_failed_turn_leaves_the_session_receive_only() -> None:
    alice, bob = connected_pair()
    backup = alice.kept
    bob.read(alice.seal())
    alice.restore(backup)
    kind, ciphertext = bob.seal()
    with pytest.raises(BadMessage):
        alice.open((kind, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])))
    assert not alice.can_seal()
    assert alice.read((kind, ciphertext)) == b"hello" and alice.can_seal()


def test_late_message_does_not_replace_new_session() -> None:
    alice, bob = connected_pair()
    late = [bob.seal(b"1"), bob.seal(b"2")]
    alice.restore(alice.kept)
    alice.start(bob.bundle())
    new = alice.kept.sessions[0].base_key
    first = alice.seal(b"new session")
    assert [alice.read(sealed) for sealed in late] == [b"1", b"2"]
    assert alice.can_seal() and alice.kept.sessions[0].base_key == new
    assert bob.read(first) == b"new session"
    assert alice.read(bob.seal(b"joined")) == b"joined"
    assert bob.read(alice.seal(b"on")) == b"on"


@pytest.mark.parametrize("archived_before", [True, False])
def test_archived_restored_session_that_reads_cannot_seal(archived_before: bool) -> None:
    alice, bob = connected_pair()
    late = bob.seal(b"late")
    if archived_before:
        alice.archive()
    alice.restore(alice.kept)
    alice.archive()
    assert alice.read(late) == b"late"
    assert not alice.can_seal()


def test_archived_restored_session_is_promoted_by_a_turn() -> None:
    alice, bob = connected_pair()
    backup = alice.kept
    bob.read(alice.seal())
    turn = bob.seal(b"turn")
    alice.restore(backup)
    alice.archive()
    assert alice.read(turn) == b"turn"
    assert alice.can_seal() and bob.read(alice.seal(b"on")) == b"on"


def test_unanswered_session_seals_after_the_first_answer() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    bob.read(alice.seal())
    alice.restore(alice.kept)
    assert not alice.can_seal()
    alice.read(bob.seal())
    assert alice.can_seal() and alice.seal()[0] == "msg"


def test_session_that_the_contact_starts_can_seal() -> None:
    alice, bob = connected_pair()
    alice.restore(alice.kept)
    bob.start(alice.bundle())
    alice.read(bob.seal())
    assert alice.can_seal() and bob.read(alice.seal(b"on")) == b"on"


@QUICK
@given(st.lists(st.sampled_from("sbdrBRn"), min_size=4, max_size=40))
def test_no_message_key_is_used_twice_after_any_restores(steps: list[str]) -> None:
    alice, bob = connected_pair()
    backup = alice.kept
    to_alice: list[SealedMessage] = []
    used: list[tuple[bytes, int]] = []
    for step in steps:
        if step in "sb" and alice.can_seal():
            sealed = alice.seal()
            used.append(key_of(sealed))
            if step == "b":
                try_to_read(bob, sealed)
        elif step == "d":
            to_alice.append(bob.seal())
            try_to_read(alice, to_alice[-1])
        elif step == "r" and to_alice:
            try_to_read(alice, to_alice[0])
        elif step == "B":
            backup = alice.kept
        elif step == "R":
            alice.restore(backup)
        elif step == "n":
            alice.start(bob.bundle())
    assert len(set(used)) == len(used)
    alice.start(bob.bundle())
    assert bob.read(alice.seal(b"in the end")) == b"in the end"
    assert alice.read(bob.seal(b"both agree")) == b"both agree"


def try_to_read(end: End, sealed: SealedMessage) -> None:
    """Read a message that a restored record may have lost the keys of."""
    try:
        end.read(sealed)
    except RemoteProtocolError:
        return


def test_unmarked_restored_session_repeats_a_key() -> None:
    # What the flag is for.
    alice, _ = connected_pair()
    backup = alice.stored
    first = alice.seal(b"before")
    alice.stored = backup
    assert key_of(alice.seal(b"after")) == key_of(first)


def test_libsignal_continues_in_the_new_session(libsignal: Program) -> None:
    ours, theirs = End("restored"), Theirs(libsignal.person("restored"))
    ours.start(theirs.bundle())
    theirs.read(ours.seal(b"1"))
    ours.read(theirs.seal(b"2"))
    backup = ours.kept
    theirs.read(ours.seal(b"lost with the database"))
    under_way = theirs.seal(b"3")
    ours.restore(backup)
    ours.start(theirs.bundle())
    sealed = ours.seal(b"4")
    assert ours.read(under_way) == b"3"
    assert theirs.read(sealed) == b"4"
    assert ours.read(theirs.seal(b"5")) == b"5"
    assert theirs.read(ours.seal(b"6")) == b"6"


def test_libsignal_turn_ends_receive_only(libsignal: Program) -> None:
    ours, theirs = End("turn"), Theirs(libsignal.person("turn"))
    theirs.start(ours.bundle())
    ours.read(theirs.seal(b"1"))
    theirs.read(ours.seal(b"2"))
    backup = ours.kept
    theirs.read(ours.seal(b"lost with the database"))
    ours.restore(backup)
    assert not ours.can_seal()
    assert ours.read(theirs.seal(b"3")) == b"3"
    sealed = ours.seal(b"4")
    assert sealed[0] == "msg" and theirs.read(sealed) == b"4"


def test_libsignal_that_turned_since_the_backup_needs_a_new_session(libsignal: Program) -> None:
    ours, theirs = End("further"), Theirs(libsignal.person("further"))
    ours.start(theirs.bundle())
    theirs.read(ours.seal(b"1"))
    ours.read(theirs.seal(b"2"))
    backup = ours.kept
    for _ in range(2):
        theirs.read(ours.seal(b"lost"))
        ours.read(theirs.seal(b"lost"))
    ours.restore(backup)
    with pytest.raises((BadMessage, KeyGone)):
        ours.read(theirs.seal(b"3"))
    assert not ours.can_seal()
    ours.start(theirs.bundle())
    assert theirs.read(ours.seal(b"4")) == b"4"
    assert ours.read(theirs.seal(b"3 again")) == b"3 again"
