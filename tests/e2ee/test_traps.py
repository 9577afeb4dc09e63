"""Known pitfalls of the protocol, one test each.

Tested elsewhere: 0x33 out and any low half in (test_message.py), clamping
(tests/words/test_curve.py), nothing moved before the MAC held, one error for MAC and padding,
size bounds before keys (test_forging.py), prekey ids (test_keys.py), the late last message of an
older chain (test_libsignal.py).
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from bridge.e2ee import errors, session
from bridge.e2ee.cipher import message_keys, tag
from bridge.e2ee.errors import BadMessage, KeyGone, NoSession, UnknownPreKey
from bridge.e2ee.keys import typed
from bridge.e2ee.message import MAX_CIPHERTEXT_BYTES, MAX_COUNTER, read_message, read_prekey_message
from bridge.e2ee.session import glimpse
from bridge.errors import LocalProtocolError, RemoteProtocolError
from tests.e2ee.peer import libsignal
from tests.e2ee.support import NOW, End, connected_pair, run


def test_first_message_carries_zero_counters() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    covered = read_prekey_message(alice.seal()[1]).message.covered
    assert covered[36:40] == b"\x10\x00\x18\x00"


def test_every_message_begins_with_0x33() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    first = alice.seal()
    bob.read(first)
    assert first[1][0] == read_prekey_message(first[1]).message.covered[0] == bob.seal()[1][0] == 0x33


@pytest.mark.parametrize("first_byte", [0x30, 0x32, 0x34, 0x3F])
def test_mac_covers_first_byte_as_received(first_byte: int) -> None:
    alice, bob = connected_pair()
    current = alice.kept.current
    assert current is not None
    covered = bytes([first_byte]) + read_message(alice.seal()[1]).covered[1:]
    keys = message_keys(current.ratchet.sending.seed())
    mac = tag(keys, typed(alice.own.identity.public), typed(bob.own.identity.public), covered)
    assert bob.read(("msg", covered + mac)) == b"hello"


def test_mac_covers_writer_identity_first() -> None:
    alice, bob = connected_pair()
    current = alice.kept.current
    assert current is not None
    message = read_message(alice.seal()[1])
    keys = message_keys(current.ratchet.sending.seed())
    ours, theirs = typed(alice.own.identity.public), typed(bob.own.identity.public)
    assert message.mac == tag(keys, ours, theirs, message.covered)
    with pytest.raises(BadMessage):
        bob.open(("msg", message.covered + tag(keys, theirs, ours, message.covered)))


def test_new_message_of_restored_sender_is_key_gone() -> None:
    # A sender restored from a backup repeats counters. Dropping this as a duplicate would lose the text.
    alice, bob = connected_pair()
    backup = alice.stored
    bob.read(alice.seal(b"before"))
    alice.stored = backup
    sealed = alice.seal(b"never seen")
    with pytest.raises(KeyGone):
        bob.read(sealed)


def test_sealing_twice_from_one_record_loses_a_message() -> None:
    # Why a record has one writer: both messages have the same keys, and only one of them is read.
    alice, bob = connected_pair()
    one = session.seal(alice.record, alice.own, b"one", alice.rng, NOW)
    two = session.seal(alice.record, alice.own, b"two", alice.rng, NOW)
    assert read_message(one.ciphertext).counter == read_message(two.ciphertext).counter
    assert bob.read((one.kind, one.ciphertext)) == b"one"
    with pytest.raises(KeyGone):
        bob.read((two.kind, two.ciphertext))


@pytest.mark.parametrize(("sent", "previous"), [(1, 0), (2, 1), (5, 4)])
def test_previous_counter_is_a_last_index(sent: int, previous: int) -> None:
    alice, bob = connected_pair()
    messages = [alice.seal() for _ in range(sent)]
    bob.read(messages[-1])
    alice.read(bob.seal())
    assert read_message(alice.seal()[1]).previous_counter == previous


def test_previous_counter_is_zero_after_unused_chain() -> None:
    _, bob = connected_pair()
    assert read_message(bob.seal()[1]).previous_counter == 0


def test_errors_are_distinct() -> None:
    # The caller chooses between ignore and retry by the class.
    kinds = (KeyGone, NoSession, UnknownPreKey, BadMessage)
    for kind in kinds:
        assert issubclass(kind, RemoteProtocolError)
        assert not any(issubclass(kind, other) for other in kinds if other is not kind)
    assert {name for name in dir(errors) if isinstance(getattr(errors, name), type)} == {
        "RemoteProtocolError",
        *(kind.__name__ for kind in kinds),
    }


def test_key_gone_in_one_session_ends_the_search() -> None:
    alice, bob = connected_pair()
    sealed = alice.seal()
    bob.read(sealed)
    for _ in range(3):
        bob.start(alice.bundle())
    with pytest.raises(KeyGone):
        bob.read(sealed)


def test_repr_shows_no_key_or_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    alice, bob = connected_pair()
    alice.skip(2)
    opened = bob.open(alice.seal(b"a very private text"))
    current = opened.record.current
    assert current is not None
    ratchet = current.ratchet
    chain = ratchet.receiving[-1]
    position = run(chain.find(1))
    seen = repr(
        (
            opened,
            opened.record,
            bob.own,
            run(chain.find(9)),
            position,
            message_keys(position.seed),
            bob.unspent,
        )
    )
    secrets = [
        b"a very private text",
        bob.own.identity.private,
        ratchet.root,
        ratchet.own.private,
        ratchet.sending.key,
        chain.chain.key,
        chain.skipped.packed,
        position.seed,
        message_keys(position.seed).cipher,
    ]
    assert not [secret for secret in secrets if repr(secret)[2:-1] in seen]
    assert caplog.records == []


def test_errors_show_no_key_or_text() -> None:
    alice, bob = connected_pair()
    _, ciphertext = alice.seal(b"a very private text")
    for broken in (ciphertext[:-1], ciphertext[:40], b"\x43" + ciphertext[1:], ciphertext + b"x"):
        with pytest.raises(RemoteProtocolError) as caught:
            bob.open(("msg", broken))
        assert str(caught.value).isascii() and len(str(caught.value)) < 80


def test_glimpse_reads_identity_and_prekey_ids() -> None:
    alice, bob = End("alice"), End("bob")
    bundle = bob.bundle()
    alice.start(bundle)
    seen = glimpse(alice.seal()[1])
    assert seen.identity == alice.own.identity.public
    assert (seen.prekey_id, seen.signed_prekey_id) == (bundle.prekey_id, bundle.signed_prekey_id)
    assert seen.registration_id == alice.own.registration_id
    assert seen.base_key == alice.kept.sessions[0].base_key
    with pytest.raises(BadMessage):
        glimpse(b"\x33")


def test_plaintext_size_limit_is_exact() -> None:
    alice, bob = End("alice"), End("bob")
    alice.start(bob.bundle())
    overhead = len(alice.seal(b"")[1]) + 4
    text = b"x" * ((MAX_CIPHERTEXT_BYTES - overhead) // 16 * 16 - 1)
    sealed = alice.seal(text)
    assert MAX_CIPHERTEXT_BYTES - 32 < len(sealed[1]) <= MAX_CIPHERTEXT_BYTES
    assert bob.read(sealed) == text
    before = alice.stored
    with pytest.raises(LocalProtocolError, match="too large"):
        alice.seal(text + b"x" * 32)
    assert alice.stored == before


def test_sending_chain_ends_before_counter_overflow() -> None:
    alice, bob = connected_pair()
    current = alice.kept.current
    assert current is not None
    for index, works in ((MAX_COUNTER, True), (MAX_COUNTER + 1, False)):
        sending = replace(current.ratchet.sending, index=index)
        moved = replace(current, ratchet=replace(current.ratchet, sending=sending))
        alice.stored = replace(alice.kept, current=moved).to_bytes()
        if works:
            assert read_message(alice.seal()[1]).counter == MAX_COUNTER
        else:
            with pytest.raises(LocalProtocolError, match="used up"):
                alice.seal()
    del bob


def test_libsignal_is_pinned_to_last_x3dh_release() -> None:
    # From 0.75 on libsignal refuses X3DH; a caret in the version would bring that one.
    package = json.loads((libsignal.FOLDER / "package.json").read_text())
    assert package["dependencies"] == {"@signalapp/libsignal-client": "0.72.1"}
    lock = (libsignal.FOLDER / "package-lock.json").read_text()
    assert '"version": "0.72.1"' in lock and "resolved" not in lock and "integrity" in lock
