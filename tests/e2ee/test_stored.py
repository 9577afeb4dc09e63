"""The stored form of a record: round trips, older versions, damage.

``records/version-N.json`` holds one record of each version that was ever written, made by
two ends of ours (messages skipped, a session archived and, from version 2 on, restored), with
the keys and the messages that must open from it. They are never made anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import FrozenInstanceError, fields, is_dataclass
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curve import KeyPair, key_pair
from bridge.e2ee import session
from bridge.e2ee.keys import OwnKeys
from bridge.e2ee.record import VERSION, Record
from bridge.errors import LocalProtocolError
from tests.e2ee.support import NOW, End, connected_pair, seeded_rng

FOLDER = Path(__file__).parent / "records"
QUICK = settings(max_examples=100, derandomize=True, deadline=None)


class NoPreKeys:
    """Prekeys for messages that need none."""

    def one_time(self, id: int) -> KeyPair | None:
        return None

    def signed(self, id: int) -> KeyPair | None:
        return None


def busy() -> End:
    """An end with a pending session, archived ones, skipped keys and several chains."""
    alice, bob = connected_pair()
    for number in range(4):
        alice.seal()
        bob.read(alice.seal())
        bob.skip(number)
        alice.read(bob.seal())
    alice.start(bob.bundle())
    alice.start(bob.bundle(one_time=False))
    return alice


BUSY = busy().kept.to_bytes()


def test_record_round_trips() -> None:
    record = Record.from_bytes(BUSY)
    assert record.to_bytes() == BUSY
    assert Record.from_bytes(record.to_bytes()) == record
    assert BUSY[0] == VERSION


def parts(value: object) -> Iterator[object]:
    """The value and everything it is made of."""
    yield value
    if is_dataclass(value) and not isinstance(value, type):
        yield from chain.from_iterable(parts(getattr(value, each.name)) for each in fields(value))
    elif isinstance(value, tuple):
        yield from chain.from_iterable(map(parts, value))


def test_record_is_immutable_all_the_way_down() -> None:
    # A decoded record is kept in memory and shared by every step that uses it.
    for part in parts(Record.from_bytes(BUSY)):
        if is_dataclass(part):
            with pytest.raises(FrozenInstanceError):
                part.anything = None  # type: ignore[union-attr]
        else:
            assert isinstance(part, bytes | int | float | bool | tuple | None)


def test_record_kept_in_memory_stores_as_a_decoded_one() -> None:
    alice, bob = connected_pair()
    record = alice.kept
    for step in range(8):
        if step % 3 == 0:
            record = session.start(record, alice.own, bob.bundle(), alice.rng, NOW)
        sealed = session.seal(record, alice.own, b"x", alice.rng, NOW)
        bob.read((sealed.kind, sealed.ciphertext))
        bob.skip(step)
        kind, ciphertext = bob.seal()
        opened = session.open(sealed.record, alice.own, kind, ciphertext, NoPreKeys(), alice.rng, NOW)
        record = opened.record
        assert Record.from_bytes(record.to_bytes()).to_bytes() == record.to_bytes()
        assert Record.from_bytes(record.to_bytes()) == record


@QUICK
@given(st.lists(st.sampled_from("aAbBsx"), max_size=25))
def test_any_record_round_trips(steps: list[str]) -> None:
    alice, bob = connected_pair()
    for step in steps:
        end, other = (alice, bob) if step in "aAs" else (bob, alice)
        if step in "sx":
            end.start(other.bundle(one_time=step == "s"))
        else:
            sealed = end.seal()
            if step in "ab":
                other.read(sealed)
    for end in (alice, bob):
        record = end.kept
        assert Record.from_bytes(record.to_bytes()) == record


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_record_of_every_version_can_be_used(version: int) -> None:
    saved = json.loads((FOLDER / f"version-{version}.json").read_text())
    own = OwnKeys(saved["registration_id"], key_pair(bytes.fromhex(saved["identity"])))
    record = Record.from_bytes(bytes.fromhex(saved["record"]))
    flags = saved.get("receive_only", [False] * len(record.sessions))
    assert [each.receive_only for each in record.sessions] == flags
    for sealed in saved["letters"]:
        opened = session.open(
            record,
            own,
            sealed["kind"],
            bytes.fromhex(sealed["ciphertext"]),
            NoPreKeys(),
            seeded_rng("on"),
            NOW,
        )
        assert opened.plaintext == sealed["text"].encode()
        record = opened.record
    assert session.seal(record, own, b"on", seeded_rng("on"), NOW).kind == "msg"


@pytest.mark.parametrize("version", [0, VERSION + 1, 255])
def test_record_of_unknown_version_is_rejected(version: int) -> None:
    with pytest.raises(LocalProtocolError, match="version"):
        Record.from_bytes(bytes([version]) + BUSY[1:])


def test_truncated_or_longer_record_is_rejected() -> None:
    for size in range(len(BUSY)):
        with pytest.raises(LocalProtocolError):
            Record.from_bytes(BUSY[:size])
    with pytest.raises(LocalProtocolError, match="left over"):
        Record.from_bytes(BUSY + b"\x00")


@QUICK
@given(st.integers(0, len(BUSY) - 1), st.integers(1, 255))
def test_damaged_record_is_rejected_or_round_trips(position: int, change: int) -> None:
    damaged = bytearray(BUSY)
    damaged[position] ^= change
    try:
        record = Record.from_bytes(bytes(damaged))
    except LocalProtocolError:
        return
    assert Record.from_bytes(record.to_bytes()).to_bytes() == bytes(damaged)


@QUICK
@given(st.binary(max_size=300))
def test_arbitrary_bytes_parse_or_raise_local_error(data: bytes) -> None:
    for start in (b"", bytes([VERSION])):
        with suppress(LocalProtocolError):
            record = Record.from_bytes(start + data)
            assert Record.from_bytes(record.to_bytes()) == record


def test_record_without_its_current_session_is_rejected() -> None:
    with pytest.raises(LocalProtocolError, match="damaged"):
        Record.from_bytes(bytes([VERSION]) + bytes(32) + b"\x01\x00\x00\x00")
    assert Record.from_bytes(bytes([VERSION]) + bytes(32) + b"\x00\x00\x00\x00").sessions == ()
