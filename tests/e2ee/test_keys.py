"""Identity, prekeys and bundles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curve import verify
from bridge.e2ee.errors import BadMessage
from bridge.e2ee.keys import (
    MAX_PREKEY_ID,
    MAX_REGISTRATION_ID,
    OwnKeys,
    PreKey,
    SignedPreKey,
    new_own_keys,
    new_prekeys,
    new_signed_prekey,
    typed,
    untyped,
)
from bridge.errors import RemoteProtocolError
from tests.e2ee.support import End, seeded_rng

OWN = new_own_keys(seeded_rng("own"))


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.binary(min_size=8, max_size=8))
def test_registration_id_is_in_range(drawn: bytes) -> None:
    own = new_own_keys(lambda count: drawn[:count] if count == 8 else b"k" * count)
    assert 1 <= own.registration_id <= MAX_REGISTRATION_ID


@pytest.mark.parametrize("id", [0, -1, MAX_REGISTRATION_ID + 1])
def test_registration_id_out_of_range_is_rejected(id: int) -> None:
    with pytest.raises(ValueError, match="16380"):
        OwnKeys(id, OWN.identity)


def test_signed_prekey_signature_covers_type_byte() -> None:
    signed = new_signed_prekey(OWN, 5, seeded_rng("signed"))
    assert signed.id == 5
    assert verify(OWN.identity.public, b"\x05" + signed.pair.public, signed.signature)
    assert not verify(OWN.identity.public, signed.pair.public, signed.signature)


def test_one_time_prekeys_have_consecutive_ids_and_own_keys() -> None:
    keys = new_prekeys(10, 100, seeded_rng("one"))
    assert [key.id for key in keys] == list(range(10, 110))
    assert len({key.pair.public for key in keys}) == 100


def test_prekey_ids_wrap_to_one_not_zero() -> None:
    assert [key.id for key in new_prekeys(MAX_PREKEY_ID - 1, 4, seeded_rng("wrap"))] == [
        MAX_PREKEY_ID - 1,
        MAX_PREKEY_ID,
        1,
        2,
    ]


@pytest.mark.parametrize("id", [0, -1, MAX_PREKEY_ID + 1])
def test_prekey_id_out_of_range_is_rejected(id: int) -> None:
    with pytest.raises(ValueError, match="16777215"):
        PreKey(id, OWN.identity)
    with pytest.raises(ValueError, match="16777215"):
        SignedPreKey(id, OWN.identity, bytes(64))
    with pytest.raises(ValueError, match="16777215"):
        new_prekeys(id, 1, seeded_rng("x"))


def test_prekey_count_out_of_range_is_rejected() -> None:
    assert new_prekeys(1, 0, seeded_rng("x")) == ()
    for count in (-1, MAX_PREKEY_ID + 1):
        with pytest.raises(ValueError, match="so many"):
            new_prekeys(1, count, seeded_rng("x"))


def test_typed_key_is_0x05_and_the_key() -> None:
    key = OWN.identity.public
    assert typed(key) == b"\x05" + key
    assert untyped(typed(key)) == untyped(typed(key) + b"trailing") == key
    for data in (b"", key, typed(key)[:32], b"\x04" + key):
        with pytest.raises(BadMessage):
            untyped(data)


@pytest.mark.parametrize("one_time", [True, False])
def test_bundle_verifies_under_its_own_identity_only(one_time: bool) -> None:
    bundle = End("bob").bundle(one_time=one_time)
    bundle.verify()
    with pytest.raises(RemoteProtocolError):
        replace(bundle, identity=OWN.identity.public).verify()


def test_bundle_with_prekey_id_zero_is_accepted() -> None:
    alice, bob = End("alice"), End("bob")
    bundle = bob.bundle()
    assert bundle.prekey_id is not None
    bob.unspent[0] = bob.unspent.pop(bundle.prekey_id)
    bob.signed[0] = bob.signed.pop(bundle.signed_prekey_id)
    alice.start(replace(bundle, prekey_id=0, signed_prekey_id=0))
    assert bob.open(alice.seal(b"zero")).spent_prekey == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"identity": End("mallory").own.identity.public},
        {"signed_prekey": End("mallory").own.identity.public},
        {"signature": bytes(64)},
        {"signature": bytes(63)},
        {"signature": b""},
        {"identity": b"short"},
        {"signed_prekey": b"\x05" + bytes(32)},
        {"prekey": b""},
        {"prekey": bytes(31)},
        {"prekey": None},
        {"prekey_id": None},
        {"prekey_id": -1},
        {"prekey_id": 2**24},
        {"signed_prekey_id": -1},
        {"signed_prekey_id": 2**24},
        {"registration_id": -1},
        {"registration_id": 2**32},
    ],
    ids=str,
)
def test_incomplete_or_unsigned_bundle_is_rejected(wrong: dict[str, object]) -> None:
    bundle = End("bob").bundle()
    with pytest.raises(RemoteProtocolError):
        replace(bundle, **wrong).verify()  # type: ignore[arg-type]
    alice = End("alice")
    with pytest.raises(RemoteProtocolError):
        alice.start(replace(bundle, **wrong))  # type: ignore[arg-type]
    assert alice.stored is None


def test_bundle_with_low_order_key_is_rejected() -> None:
    alice, bundle = End("alice"), End("bob").bundle()
    with pytest.raises(RemoteProtocolError, match="low order"):
        alice.start(replace(bundle, prekey=bytes(32)))
