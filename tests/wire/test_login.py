"""The login payload."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire.login import MAX_TOKEN_BYTES, REASON_PUSH, ClientPayload
from tests.wire.support import QUICK

LOGIN = ClientPayload(10853634039893, b"a.b.c", True, (2, 25, 7), REASON_PUSH)
_32_bits = st.integers(0, 2**32 - 1)


@QUICK
@given(
    st.builds(
        ClientPayload,
        st.integers(0, 2**64 - 1),
        st.binary(max_size=50),
        st.booleans(),
        st.tuples(_32_bits, _32_bits, _32_bits),
        _32_bits,
    )
)
def test_login_round_trips(login: ClientPayload) -> None:
    assert ClientPayload.from_bytes(login.to_bytes()) == login


def test_field_numbers_are_the_published_ones() -> None:
    assert (
        LOGIN.to_bytes()
        == bytes.fromhex(
            "2a08" + "1206" + "0802" + "1019" + "1807"  # userAgent=5 { appVersion=2 { 1, 2, 3 } }
            "6001"  # connectType=12
            "6800"  # connectReason=13
            "a00102"  # product=20
            "b20211" + "08d5c081f8f0bb02" + "1205612e622e63" + "1801"  # interopData=38 { 1, 2, 3 }
        )
    )


def test_token_size_limit_is_exact() -> None:
    fits = replace(LOGIN, token=b"x" * MAX_TOKEN_BYTES)
    assert ClientPayload.from_bytes(fits.to_bytes()) == fits
    with pytest.raises(LocalProtocolError):
        replace(LOGIN, token=b"x" * (MAX_TOKEN_BYTES + 1)).to_bytes()
    # What the other end would see if it were sent all the same.
    longer = (
        fits.to_bytes()
        .replace(b"\x12\x80\x20", b"\x12\x81\x20y")
        .replace(b"\xb2\x02\x8d\x20", b"\xb2\x02\x8e\x20")
    )
    with pytest.raises(RemoteProtocolError, match="4096"):
        ClientPayload.from_bytes(longer)


@pytest.mark.parametrize(
    "changed",
    [
        replace(LOGIN, account_id=2**64),
        replace(LOGIN, account_id=-1),
        replace(LOGIN, version=(0, 0, 2**32)),
        replace(LOGIN, connect_reason=-1),
    ],
)
def test_number_out_of_range_is_a_local_error(changed: ClientPayload) -> None:
    with pytest.raises(LocalProtocolError):
        changed.to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        bytes.fromhex("a00101"),  # another product
        bytes.fromhex("a00102"),  # no account, no token
        bytes.fromhex("a00102b202020801"),  # no token
    ],
)
def test_malformed_login_is_rejected(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        ClientPayload.from_bytes(data)


@QUICK
@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_rejected_or_round_trip(data: bytes) -> None:
    for start in (b"", LOGIN.to_bytes()):
        try:
            found = ClientPayload.from_bytes(start + data)
        except RemoteProtocolError:
            continue
        assert ClientPayload.from_bytes(found.to_bytes()) == found


def test_repr_shows_no_token() -> None:
    assert "a.b.c" not in repr(LOGIN)
