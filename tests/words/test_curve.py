"""Curve25519: agreement by RFC 7748, signatures by XEdDSA as Signal writes them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nacl import bindings

from bridge.curve import KeyPair, agree, key_pair, sign, verify

KEYS = st.binary(min_size=32, max_size=32)
RANDOM_64 = st.binary(min_size=64, max_size=64)
QUICK = settings(max_examples=50, derandomize=True, deadline=None)
ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19

# Points whose product with any clamped scalar is zero: https://cr.yp.to/ecdh.html#validate.
LOW_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


@pytest.mark.parametrize(
    ("scalar", "point", "secret"),
    [  # RFC 7748 section 5.2
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ],
)
def test_agreement_matches_rfc_7748(scalar: str, point: str, secret: str) -> None:
    assert agree(bytes.fromhex(scalar), bytes.fromhex(point)).hex() == secret


def test_thousand_agreements_match_rfc_7748() -> None:
    scalar = point = bytes([9]) + bytes(31)
    for _ in range(1000):
        scalar, point = agree(scalar, point), scalar
    assert scalar.hex() == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"


def test_key_pairs_match_rfc_7748() -> None:
    # Section 6.1. The stored private keys are clamped, the public keys are as printed.
    alice = key_pair(bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
    bob = key_pair(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    assert alice.public.hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert bob.public.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert agree(alice.private, bob.public).hex() == agree(bob.private, alice.public).hex() == secret


@QUICK
@given(KEYS, KEYS)
def test_both_ends_agree_on_one_secret(seed: bytes, other: bytes) -> None:
    ours, theirs = key_pair(seed), key_pair(other)
    assert agree(ours.private, theirs.public) == agree(theirs.private, ours.public)


@pytest.mark.parametrize("point", LOW_ORDER)
@pytest.mark.parametrize("high_bit", [0, 0x80])
def test_point_of_low_order_is_refused(point: str, high_bit: int) -> None:
    data = bytes.fromhex(point)
    with pytest.raises(ValueError, match="low order"):
        agree(key_pair(b"k" * 32).private, data[:31] + bytes([data[31] | high_bit]))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        agree(bytes(32), bytes(size))
    with pytest.raises(ValueError, match="32 random bytes"):
        key_pair(bytes(size))
    with pytest.raises(ValueError, match="32 bytes"):
        KeyPair(bytes(size), bytes(32))


def test_private_key_does_not_show_in_a_repr() -> None:
    pair = key_pair(b"secret, as long as a key must be")
    assert repr(pair.private) not in repr(pair)


@QUICK
@given(KEYS, st.binary(max_size=200), RANDOM_64)
def test_signature_verifies(seed: bytes, message: bytes, randomness: bytes) -> None:
    pair = key_pair(seed)
    assert verify(pair.public, message, sign(pair.private, message, randomness))


@QUICK
@given(KEYS, RANDOM_64)
def test_unclamped_key_signs_for_its_agreement_point(raw: bytes, randomness: bytes) -> None:
    # The trap: agreement clamps by itself, so an unclamped key works there and would sign for another point.
    public = bindings.crypto_scalarmult_base(raw)
    assert key_pair(raw).public == public
    assert verify(public, b"message", sign(raw, b"message", randomness))


@QUICK
@given(KEYS, RANDOM_64)
def test_last_bit_of_a_signature_is_the_sign_of_the_point(seed: bytes, randomness: bytes) -> None:
    # Signal's own rule; the paper would force the bit to zero.
    pair = key_pair(seed)
    edwards = bindings.crypto_scalarmult_ed25519_base_noclamp(pair.private)
    assert sign(pair.private, b"m", randomness)[63] & 0x80 == edwards[31] & 0x80


def test_signatures_occur_with_both_signs() -> None:
    signs = {sign(key_pair(bytes([n]) * 32).private, b"m", bytes(64))[63] & 0x80 for n in range(16)}
    assert signs == {0, 0x80}


def test_fresh_randomness_changes_the_signature() -> None:
    private = key_pair(b"k" * 32).private
    assert sign(private, b"m", b"a" * 64) != sign(private, b"m", b"b" * 64)
    with pytest.raises(ValueError, match="64 random bytes"):
        sign(private, b"m", b"a" * 32)


@QUICK
@given(KEYS, st.binary(min_size=1, max_size=64), st.integers(0), st.integers(0, 7))
def test_any_changed_bit_breaks_a_signature(seed: bytes, message: bytes, where: int, bit: int) -> None:
    pair = key_pair(seed)
    whole = sign(pair.private, message, b"r" * 64) + message
    position = where % len(whole)
    changed = bytearray(whole)
    changed[position] ^= 1 << bit
    assert not verify(pair.public, bytes(changed[64:]), bytes(changed[:64]))


@QUICK
@given(KEYS, KEYS)
def test_signature_fails_under_another_key(seed: bytes, other: bytes) -> None:
    ours, theirs = key_pair(seed), key_pair(other)
    assume(ours.public != theirs.public)
    assert not verify(theirs.public, b"m", sign(ours.private, b"m", b"r" * 64))


@pytest.mark.parametrize("bit", [0x20, 0x40])
def test_signature_with_oversized_scalar_is_refused(bit: int) -> None:
    pair = key_pair(b"k" * 32)
    signature = sign(pair.private, b"m", b"r" * 64)
    assert not verify(pair.public, b"m", signature[:63] + bytes([signature[63] | bit]))


def test_signature_is_not_malleable() -> None:
    # s and s + L give the same point; only the smaller one is a signature.
    pair = key_pair(b"k" * 32)
    signature = sign(pair.private, b"m", b"r" * 64)
    scalar = int.from_bytes(signature[32:63] + bytes([signature[63] & 0x7F]), "little") + ORDER
    other = bytearray(signature[:32] + scalar.to_bytes(32, "little"))
    other[63] |= signature[63] & 0x80
    assert not verify(pair.public, b"m", bytes(other))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_signature_of_another_size_is_refused(size: int) -> None:
    assert not verify(key_pair(b"k" * 32).public, b"m", bytes(size))


@pytest.mark.parametrize("point", [*LOW_ORDER, (PRIME - 1).to_bytes(32, "little").hex(), "ff" * 32])
def test_impossible_key_verifies_nothing(point: str) -> None:
    # A zero signature would pass for the neutral point; u = -1 has no image on the Edwards curve.
    for signature in (bytes(64), bytes([1]) + bytes(63), b"\x00" * 63 + b"\x80"):
        assert not verify(bytes.fromhex(point), b"m", signature)


@QUICK
@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=70))
def test_verify_never_raises(public: bytes, message: bytes, signature: bytes) -> None:
    assert not verify(public, message, signature)
