"""The official libsignal 0.72.1 as the other end, in both roles.

This is what shows a mistake that both our ends would share.
"""

from __future__ import annotations

import pytest

from bridge.curve import key_pair, sign, verify
from bridge.e2ee.errors import KeyGone, UnknownPreKey
from bridge.e2ee.safety_number import half, safety_number
from tests.e2ee.conversation import AlreadyRead, CannotRead, Theirs
from tests.e2ee.peer.libsignal import Program, Refused
from tests.e2ee.support import DAY, NOW, End, seeded_rng


def pair(libsignal: Program, name: str) -> tuple[End, Theirs]:
    """One end with our code and one with libsignal, without a session."""
    return End(name), Theirs(libsignal.person(name))


@pytest.mark.parametrize("one_time", [True, False])
def test_we_start_and_both_can_write(libsignal: Program, one_time: bool) -> None:
    ours, theirs = pair(libsignal, f"we start {one_time}")
    bundle = theirs.bundle(one_time=one_time)
    ours.start(bundle)
    sealed = ours.seal(b"first")
    assert sealed[0] == "pkmsg"
    assert theirs.read(sealed) == b"first"
    assert ours.read(theirs.seal(b"answer")) == b"answer"
    sealed = ours.seal(b"third")
    assert sealed[0] == "msg"
    assert theirs.read(sealed) == b"third"
    if bundle.prekey_id is not None:
        assert not theirs.person.has_prekey(bundle.prekey_id)


@pytest.mark.parametrize("one_time", [True, False])
def test_libsignal_starts_and_both_can_write(libsignal: Program, one_time: bool) -> None:
    ours, theirs = pair(libsignal, f"they start {one_time}")
    bundle = ours.bundle(one_time=one_time)
    theirs.start(bundle)
    sealed = theirs.seal(b"first")
    assert sealed[0] == "pkmsg"
    opened = ours.open(sealed)
    assert (opened.plaintext, opened.spent_prekey) == (b"first", bundle.prekey_id)
    assert opened.identity == theirs.person.identity
    assert theirs.read(ours.seal(b"answer")) == b"answer"
    sealed = theirs.seal(b"third")
    assert sealed[0] == "msg"
    assert ours.read(sealed) == b"third"


def test_first_byte_0x34_is_read_and_0x33_is_written(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "first byte")
    theirs.start(ours.bundle())
    first = theirs.seal(b"x")
    assert first[1][0] == 0x34
    assert ours.read(first) == b"x"
    answer = ours.seal(b"y")
    assert answer[1][0] == 0x33
    assert theirs.read(answer) == b"y"
    plain = theirs.seal(b"z")
    assert plain[0] == "msg" and plain[1][0] == 0x34
    assert ours.read(plain) == b"z"


@pytest.mark.parametrize("text", [b"", b"x" * 15, b"x" * 16, b"x" * 65_536], ids=len)
def test_texts_of_any_length_arrive(libsignal: Program, text: bytes) -> None:
    ours, theirs = pair(libsignal, f"length {len(text)}")
    ours.start(theirs.bundle())
    assert theirs.read(ours.seal(text)) == text
    assert ours.read(theirs.seal(text)) == text


def test_prekey_messages_repeat_until_answered(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "repeated")
    theirs.start(ours.bundle())
    first, second = theirs.seal(b"1"), theirs.seal(b"2")
    assert first[0] == second[0] == "pkmsg"
    assert ours.open(second).spent_prekey is not None
    assert ours.open(first).spent_prekey is None
    ours, theirs = pair(libsignal, "repeated the other way")
    ours.start(theirs.bundle())
    first, second = ours.seal(b"1"), ours.seal(b"2")
    assert [theirs.read(second), theirs.read(first)] == [b"2", b"1"]


def test_reordered_and_lost_messages_do_no_harm(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "out of order")
    ours.start(theirs.bundle())
    assert theirs.read(ours.seal(b"start")) == b"start"
    from_us = [ours.seal(b"u%d" % number) for number in range(12)]
    from_them = [theirs.seal(b"t%d" % number) for number in range(12)]
    for number in (5, 0, 11, 3, 4):
        assert theirs.read(from_us[number]) == b"u%d" % number
        assert ours.read(from_them[number]) == b"t%d" % number
    assert theirs.read(ours.seal(b"on")) == b"on"
    assert ours.read(theirs.seal(b"on")) == b"on"
    assert theirs.read(from_us[1]) == b"u1"
    assert ours.read(from_them[1]) == b"t1"


def test_late_last_message_of_older_chain_is_read(libsignal: Program) -> None:
    # previous_counter is a last index, not a count; who mistakes it loses exactly this message.
    ours, theirs = pair(libsignal, "late last")
    ours.start(theirs.bundle())
    theirs.read(ours.seal(b"start"))
    late_theirs = [theirs.seal(b"a"), theirs.seal(b"late")]
    ours.read(late_theirs[0])
    late_ours = [ours.seal(b"b"), ours.seal(b"late too")]
    theirs.read(late_ours[0])
    ours.read(theirs.seal(b"turn"))
    theirs.read(ours.seal(b"turn"))
    assert ours.read(late_theirs[1]) == b"late"
    assert theirs.read(late_ours[1]) == b"late too"


def test_many_turns_in_a_row_are_read(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "turns")
    ours.start(theirs.bundle())
    for number in range(60):
        assert theirs.read(ours.seal(b"u%d" % number)) == b"u%d" % number
        assert ours.read(theirs.seal(b"t%d" % number)) == b"t%d" % number


def test_longest_jump_equals_libsignal(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "jump")
    ours.start(theirs.bundle())
    theirs.read(ours.seal(b"0"))
    ours.skip(25_000)
    assert theirs.read(ours.seal(b"25,000 ahead")) == b"25,000 ahead"
    ours.skip(25_001)
    with pytest.raises(CannotRead):
        theirs.read(ours.seal(b"one too far"))


def test_skipped_key_limit_equals_libsignal(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "skipped")
    ours.start(theirs.bundle())
    theirs.read(ours.seal(b"start"))
    ours.read(theirs.seal(b"start"))
    from_us = [ours.seal(b"%d" % number) for number in range(2_050)]
    from_them = [theirs.seal(b"%d" % number) for number in range(2_050)]
    assert theirs.read(from_us[-1]) == ours.read(from_them[-1]) == b"2049"
    # 2,049 were skipped and 2,000 are kept: 0 to 48 are gone and count as read.
    with pytest.raises(AlreadyRead):
        theirs.read(from_us[48])
    with pytest.raises(KeyGone):
        ours.read(from_them[48])
    for number in (49, 50, 2048):
        assert theirs.read(from_us[number]) == ours.read(from_them[number]) == b"%d" % number


def test_replay_is_refused_at_both_ends(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "replay")
    ours.start(theirs.bundle())
    first = ours.seal(b"1")
    theirs.read(first)
    with pytest.raises(AlreadyRead):
        theirs.read(first)
    answer = theirs.seal(b"2")
    ours.read(answer)
    with pytest.raises(KeyGone):
        ours.read(answer)


@pytest.mark.parametrize("first_to_read", ["ours", "theirs"])
def test_simultaneous_starts_with_libsignal_converge(libsignal: Program, first_to_read: str) -> None:
    ours, theirs = pair(libsignal, f"at once {first_to_read}")
    ours.start(theirs.bundle())
    theirs.start(ours.bundle())
    from_us, from_them = ours.seal(b"u"), theirs.seal(b"t")
    if first_to_read == "ours":
        assert ours.read(from_them) == b"t"
        answer = ours.seal(b"in their session")
        assert theirs.read(from_us) == b"u"
    else:
        assert theirs.read(from_us) == b"u"
        answer = ours.seal(b"still in ours")
        assert ours.read(from_them) == b"t"
    assert theirs.read(answer) in (b"in their session", b"still in ours")
    for number in range(3):
        assert ours.read(theirs.seal(b"t%d" % number)) == b"t%d" % number
        assert theirs.read(ours.seal(b"u%d" % number)) == b"u%d" % number
    assert ours.seal(b"x")[0] == "msg" and theirs.seal(b"x")[0] == "msg"


def test_message_for_archived_session_promotes_it(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "archived")
    ours.start(theirs.bundle())
    theirs.read(ours.seal(b"1"))
    late = theirs.seal(b"late")
    ours.start(theirs.bundle())
    assert len(ours.kept.archived) == 1
    assert ours.read(late) == b"late"
    # The promoted session is the one libsignal uses still, so both are together at once.
    sealed = ours.seal(b"2")
    assert sealed[0] == "msg" and theirs.read(sealed) == b"2"


def test_resend_after_retry_uses_new_session(libsignal: Program) -> None:
    # They lost all they had and cannot read ours: they ask again, and we start anew.
    ours, theirs = pair(libsignal, "retry")
    ours.start(theirs.bundle())
    theirs.read(ours.seal(b"1"))
    ours.read(theirs.seal(b"2"))
    lost = Theirs(libsignal.person("retry"))
    with pytest.raises(CannotRead):
        lost.read(ours.seal(b"3"))
    ours.archive()
    assert not ours.can_seal()
    ours.start(lost.bundle())
    assert ours.kept.identity == lost.person.identity
    assert lost.read(ours.seal(b"3")) == b"3"
    assert ours.read(lost.seal(b"4")) == b"4"


def test_missing_prekey_needs_a_new_session(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "gone")
    bundle = ours.bundle()
    theirs.start(bundle)
    assert bundle.prekey_id is not None
    del ours.unspent[bundle.prekey_id]
    with pytest.raises(UnknownPreKey):
        ours.read(theirs.seal(b"1"))
    assert ours.stored is None
    theirs.archive()
    theirs.start(ours.bundle())
    assert ours.read(theirs.seal(b"1")) == b"1"


def test_reinstall_reports_changed_identity(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "reinstall")
    theirs.start(ours.bundle())
    assert not ours.open(theirs.seal(b"1")).identity_changed
    again = Theirs(libsignal.person("reinstall"))
    again.start(ours.bundle())
    opened = ours.open(again.seal(b"2"))
    assert opened.identity_changed and opened.identity == again.person.identity == ours.kept.identity
    assert again.read(ours.seal(b"3")) == b"3"


def test_unanswered_session_expires_as_in_libsignal(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "thirty days")
    ours.start(theirs.bundle())
    theirs.person.start("other", ours.bundle(), NOW)
    for day, usable in ((30 * DAY, True), (30 * DAY + 1, False)):
        ours.now = NOW + day
        assert ours.can_seal() == theirs.person.can_encrypt("other", ours.now) == usable


def test_libsignal_rejects_forged_message(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "forged")
    ours.start(theirs.bundle())
    kind, ciphertext = ours.seal(b"1")
    with pytest.raises(Refused):
        theirs.person.decrypt("other", kind, ciphertext[:-20] + bytes(20))
    assert theirs.read((kind, ciphertext)) == b"1"


def test_safety_numbers_equal_libsignal(libsignal: Program) -> None:
    ours, theirs = pair(libsignal, "number")
    own, other = b"+31612345678", "Zo\u00eb@example.org".encode()
    identity = ours.own.identity.public
    number = safety_number(half(identity, own), half(theirs.person.identity, other))
    assert number == theirs.person.safety_number(other, own, identity)


def test_signatures_verify_both_ways(libsignal: Program) -> None:
    rng = seeded_rng("signatures")
    for number in range(20):
        message = rng(number * 7)
        person, ours = libsignal.person("signer"), key_pair(rng(32))
        assert verify(person.identity, message, person.sign(message))
        signature = sign(ours.private, message, rng(64))
        assert libsignal.verify(ours.public, message, signature)
        assert not libsignal.verify(ours.public, message + b"x", signature)
