"""The sixty digits; that they equal libsignal's is in test_libsignal.py."""

from __future__ import annotations

from bridge.e2ee.safety_number import half, safety_number
from tests.e2ee.support import End

ALICE, BOB = End("alice").own.identity.public, End("bob").own.identity.public


def test_both_ends_compute_the_same_number() -> None:
    a, b = half(ALICE, b"alice"), half(BOB, b"bob")
    assert safety_number(a, b) == safety_number(b, a)
    assert len(safety_number(a, b)) == 60 and safety_number(a, b).isdigit()


def test_number_depends_on_key_and_identifier() -> None:
    halves = {half(ALICE, b"alice"), half(BOB, b"alice"), half(ALICE, b"bob")}
    assert len(halves) == 3 and {len(each) for each in halves} == {30}
