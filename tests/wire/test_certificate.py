"""The server's certificates: everything that must not pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import curve
from bridge.errors import RemoteProtocolError
from bridge.wire import certificate
from bridge.wire.certificate import Chain, Details, Signed
from tests.wire.support import NOW, QUICK, certificates, dice, key

ROOT, INTERMEDIATE, SERVER = key("root"), key("intermediate"), key("server")
START, END = int(NOW) - 10, int(NOW) + 10
UPPER = Details(7, 0, INTERMEDIATE.public, START, END)
LOWER = Details(8, 7, SERVER.public, START, END)


def chain(upper: Details = UPPER, lower: Details = LOWER) -> bytes:
    """Details signed by those who should sign them."""
    rng = dice("chain")
    return Chain(
        intermediate=certificate.sign(ROOT, upper, rng),
        leaf=certificate.sign(INTERMEDIATE, lower, rng),
    ).to_bytes()


def verify(data: bytes, now: float = NOW) -> None:
    certificate.verify(data, ROOT.public, SERVER.public, now)


def refused(data: bytes, now: float = NOW, *, because: str) -> None:
    with pytest.raises(RemoteProtocolError, match=because):
        verify(data, now)


def test_own_chain_is_valid() -> None:
    verify(certificates())
    verify(chain())


def test_field_numbers_are_the_published_ones() -> None:
    assert UPPER.to_bytes().startswith(b"\x08\x07\x10\x00\x1a\x20" + INTERMEDIATE.public + b"\x20")
    data = Chain(intermediate=Signed(b"i", b"I"), leaf=Signed(b"l", b"L")).to_bytes()
    assert data == b"\x0a\x06\x0a\x01l\x12\x01L" + b"\x12\x06\x0a\x01i\x12\x01I"


def test_chain_of_another_root_is_rejected() -> None:
    with pytest.raises(RemoteProtocolError, match="not signed"):
        certificate.verify(certificates(), key("another root").public, SERVER.public, NOW)


def test_chain_for_another_server_key_is_rejected() -> None:
    with pytest.raises(RemoteProtocolError, match="another key"):
        certificate.verify(certificates(), ROOT.public, key("another server").public, NOW)


@pytest.mark.parametrize("now", [START, END])
def test_validity_bounds_are_inclusive(now: int) -> None:
    verify(chain(), now)


@pytest.mark.parametrize("now", [START - 1, END + 1])
def test_chain_outside_its_validity_is_rejected(now: int) -> None:
    refused(chain(), now, because="not valid at this time")


def test_leaf_and_intermediate_must_be_valid() -> None:
    refused(chain(upper=replace(UPPER, not_after=int(NOW) - 1)), because="not valid at this time")
    refused(chain(lower=replace(LOWER, not_before=int(NOW) + 1)), because="not valid at this time")


def test_wrong_issuer_serial_is_rejected() -> None:
    refused(chain(upper=replace(UPPER, issuer_serial=1)), because="another issuer")
    refused(chain(lower=replace(LOWER, issuer_serial=9)), because="another issuer")


def test_leaf_signed_by_root_is_rejected() -> None:
    rng = dice("chain")
    data = Chain(certificate.sign(ROOT, UPPER, rng), certificate.sign(ROOT, LOWER, rng)).to_bytes()
    refused(data, because="not signed")


def test_key_of_another_size_is_rejected() -> None:
    refused(chain(upper=replace(UPPER, key=bytes(31))), because="not 32 bytes")
    refused(chain(lower=replace(LOWER, key=bytes(33))), because="not 32 bytes")


def test_signature_of_another_size_is_rejected() -> None:
    data = Chain.from_bytes(chain())
    short = replace(data, leaf=replace(data.leaf, signature=data.leaf.signature[:63]))
    refused(short.to_bytes(), because="not 64 bytes")


def test_empty_payload_is_rejected() -> None:
    refused(b"", because="not 64 bytes")


def test_unreadable_signed_details_are_rejected() -> None:
    rng = dice("chain")
    raw = b"\xff\xff"
    upper = Signed(raw, curve.sign(ROOT.private, raw, rng(64)))
    data = Chain(upper, certificate.sign(INTERMEDIATE, LOWER, rng)).to_bytes()
    refused(data, because="cannot be read")


@QUICK
@given(st.integers(0, 10_000))
def test_any_flipped_bit_is_rejected(bit: int) -> None:
    data = bytearray(chain())
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    with pytest.raises(RemoteProtocolError):
        verify(bytes(data))


@QUICK
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_rejected(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        verify(data)


def test_serials_are_never_the_roots() -> None:
    made = certificate.make_chain(ROOT, INTERMEDIATE, SERVER.public, NOW, bytes)
    details = Details.from_bytes(Chain.from_bytes(made).intermediate.details)
    assert details.serial == 1
