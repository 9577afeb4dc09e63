"""Forged, truncated and replayed messages raise and change no state."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curve import KeyPair
from bridge.e2ee import session
from bridge.e2ee.cipher import encrypt, message_keys, tag
from bridge.e2ee.errors import BadMessage, KeyGone, UnknownPreKey
from bridge.e2ee.keys import typed
from bridge.e2ee.message import covered_part, prekey_message, read_prekey_message
from bridge.errors import RemoteProtocolError
from tests.e2ee.support import NOW, End, SealedMessage, connected_pair

QUICK = settings(max_examples=150, derandomize=True, deadline=None)


def assert_refused(end: End, sealed: SealedMessage, error: type[Exception] = RemoteProtocolError) -> None:
    """The message raises, and neither the record nor a prekey is touched."""
    before = end.stored, dict(end.unspent)
    with pytest.raises(error):
        end.open(sealed)
    assert (end.stored, end.unspent) == before


def first_message(*, one_time: bool = True) -> tuple[End, End, SealedMessage]:
    """Alice's first message, still on its way to bob."""
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle(one_time=one_time))
    return alice, bob, alice.seal()


PLAIN = connected_pair()[0].seal()
FIRST = first_message()[2]


@QUICK
@given(st.integers(0, len(PLAIN[1]) - 1), st.integers(0, 7))
def test_plain_message_with_flipped_bit_is_rejected(position: int, bit: int) -> None:
    alice, bob = connected_pair()
    kind, ciphertext = alice.seal()
    changed = bytearray(ciphertext)
    changed[position] ^= 1 << bit
    assert_refused(bob, (kind, bytes(changed)))
    assert bob.read((kind, ciphertext)) == b"hello"


@QUICK
@given(st.integers(0, len(FIRST[1]) - 1), st.integers(0, 7))
def test_first_message_with_flipped_bit_starts_no_other_session(position: int, bit: int) -> None:
    # Outside the MAC are only the low half of the first byte, the registration id and field numbers that
    # become unknown or the like; whatever is opened has the same text, sender and session.
    alice, bob, (kind, ciphertext) = first_message()
    changed = bytearray(ciphertext)
    changed[position] ^= 1 << bit
    before = bob.stored, dict(bob.unspent)
    try:
        opened = bob.open((kind, bytes(changed)))
    except RemoteProtocolError:
        assert (bob.stored, bob.unspent) == before
        assert bob.read((kind, ciphertext)) == b"hello"
        return
    was, now = read_prekey_message(ciphertext), read_prekey_message(bytes(changed))
    assert (now.base_key, now.identity, now.prekey_id) == (was.base_key, was.identity, was.prekey_id)
    assert (opened.plaintext, opened.identity) == (b"hello", alice.own.identity.public)


@pytest.mark.parametrize("size", range(0, len(PLAIN[1]), 3))
def test_truncated_plain_message_is_rejected(size: int) -> None:
    alice, bob = connected_pair()
    assert_refused(bob, ("msg", alice.seal()[1][:size]), BadMessage)


@pytest.mark.parametrize("size", range(0, len(FIRST[1]), 5))
def test_truncated_first_message_is_rejected(size: int) -> None:
    _, bob, (kind, ciphertext) = first_message()
    assert_refused(bob, (kind, ciphertext[:size]), BadMessage)


def test_replay_is_key_gone_and_changes_nothing() -> None:
    alice, bob, first = first_message()
    bob.read(first)
    assert_refused(bob, first, KeyGone)
    alice.read(bob.seal())
    second, third, fourth = alice.seal(), alice.seal(), alice.seal()
    for sealed in (fourth, second):
        bob.read(sealed)
        assert_refused(bob, sealed, KeyGone)
    bob.read(third)
    for sealed in (first, second, third, fourth):
        assert_refused(bob, sealed, KeyGone)


def test_replay_into_an_archived_session_is_key_gone() -> None:
    alice, bob = connected_pair()
    sealed = alice.seal()
    bob.read(sealed)
    bob.start(alice.bundle())
    assert_refused(bob, sealed, KeyGone)


@QUICK
@given(st.binary(max_size=120), st.sampled_from(["msg", "pkmsg"]))
def test_arbitrary_bytes_are_rejected(data: bytes, kind: session.Kind) -> None:
    _, bob = connected_pair()
    for start in (b"", b"\x33"):
        assert_refused(bob, (kind, start + data), BadMessage)


def test_wrong_kind_is_rejected() -> None:
    alice, bob, (_, ciphertext) = first_message()
    assert_refused(bob, ("msg", ciphertext))
    bob.read(("pkmsg", ciphertext))
    alice.read(bob.seal())
    assert_refused(bob, ("pkmsg", alice.seal()[1]), BadMessage)


def test_message_for_another_receiver_is_rejected() -> None:
    alice, bob = connected_pair()
    carol = End("carol")
    alice.stored = None
    alice.start(carol.bundle())
    assert_refused(bob, alice.seal())
    assert_refused(bob, ("msg", carol_message(alice, carol)), BadMessage)


def carol_message(alice: End, carol: End) -> bytes:
    """A plain message of alice to carol."""
    carol.read(alice.seal())
    alice.read(carol.seal())
    return alice.seal()[1]


def test_reflected_message_is_rejected() -> None:
    alice, bob = connected_pair()
    assert_refused(alice, alice.seal(), BadMessage)
    del bob


def test_swapped_identity_around_known_session_is_rejected() -> None:
    # The outer part has no MAC. Who could swap the identity there could make a stranger of a friend.
    alice, bob, (kind, ciphertext) = first_message()
    second = read_prekey_message(alice.seal()[1])
    bob.read((kind, ciphertext))
    assert second.prekey_id is not None
    swapped = prekey_message(
        registration_id=second.registration_id,
        prekey_id=second.prekey_id,
        signed_prekey_id=second.signed_prekey_id,
        base_key=second.base_key,
        identity=End("mallory").own.identity.public,
        message=second.message.covered + second.message.mac,
    )
    assert_refused(bob, ("pkmsg", swapped), BadMessage)


def test_first_message_under_foreign_identity_is_rejected() -> None:
    # Mallory knows alice's identity key, not its private half: X3DH gives another secret.
    mallory, bob = End("mallory"), End("bob")
    mallory.start(bob.bundle())
    own = read_prekey_message(mallory.seal()[1])
    forged = prekey_message(
        registration_id=1,
        prekey_id=own.prekey_id,
        signed_prekey_id=own.signed_prekey_id,
        base_key=own.base_key,
        identity=End("alice").own.identity.public,
        message=own.message.covered + own.message.mac,
    )
    assert_refused(bob, ("pkmsg", forged), BadMessage)


@pytest.mark.parametrize("which", ["base_key", "identity", "ratchet_key"])
def test_low_order_keys_are_rejected(which: str) -> None:
    _, bob, (_, ciphertext) = first_message()
    message = read_prekey_message(ciphertext)
    covered, mac = message.message.covered, message.message.mac
    if which == "ratchet_key":
        covered = covered_part(bytes(32), 0, 0, message.message.ciphertext)
    forged = prekey_message(
        registration_id=1,
        prekey_id=message.prekey_id,
        signed_prekey_id=message.signed_prekey_id,
        base_key=bytes(32) if which == "base_key" else message.base_key,
        identity=bytes(32) if which == "identity" else message.identity,
        message=covered + mac,
    )
    assert_refused(bob, ("pkmsg", forged), BadMessage)
    alice, bob = connected_pair()
    assert_refused(bob, ("msg", covered_part(bytes(32), 0, 0, bytes(16)) + bytes(8)), BadMessage)
    del alice


def test_forged_far_jump_draws_no_randomness() -> None:
    alice, bob = connected_pair()
    alice.skip(20_000)
    _, ciphertext = alice.seal()

    def no_randomness(count: int) -> bytes:
        raise AssertionError(f"{count} bytes drawn before the MAC held")

    bob.rng = no_randomness
    assert_refused(bob, ("msg", ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])), BadMessage)


def test_oversized_message_is_rejected_before_key_lookup() -> None:
    class Untouchable:
        def one_time(self, id: int) -> KeyPair | None:
            raise AssertionError(id)

        def signed(self, id: int) -> KeyPair | None:
            raise AssertionError(id)

    alice, bob, (_, ciphertext) = first_message()
    for kind in ("pkmsg", "msg"):
        with pytest.raises(BadMessage, match="too large"):
            session.open(
                bob.record,
                bob.own,
                kind,
                ciphertext + bytes(2**20),
                Untouchable(),
                bob.rng,
                NOW,
            )
    del alice


def test_wrong_padding_and_wrong_mac_give_one_error() -> None:
    # A peer may seal what has no right padding; nobody may learn from the answer which of both it was.
    texts = []
    for wrong in ("padding", "mac"):
        alice, bob = connected_pair()
        current = alice.kept.current
        assert current is not None
        keys = message_keys(current.ratchet.sending.seed())
        body = encrypt(keys, b"sixteen bytes ok")
        covered = covered_part(current.ratchet.own.public, 0, 0, body[:16] if wrong == "padding" else body)
        mac = tag(keys, typed(alice.own.identity.public), typed(bob.own.identity.public), covered)
        with pytest.raises(BadMessage) as caught:
            bob.open(("msg", covered + (mac if wrong == "padding" else bytes(8))))
        texts.append(str(caught.value))
    assert texts[0] == texts[1]


def test_failed_first_message_spends_no_prekey() -> None:
    alice, bob, (kind, ciphertext) = first_message()
    assert_refused(bob, (kind, ciphertext[:-30] + bytes(1) + ciphertext[-29:]))
    assert len(bob.unspent) == 1
    assert bob.open((kind, ciphertext)).spent_prekey is not None
    assert bob.unspent == {}
    late = alice.seal()
    bob.stored = None
    assert_refused(bob, late, UnknownPreKey)
