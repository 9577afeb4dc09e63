"""Noise_XX_25519_AESGCM_SHA256: the published vector and an independent library.

The vector is the only one for this name in haskell-cryptography/cacophony,
vectors/cacophony.txt (at 8ee9d41).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection  # type: ignore[import-untyped]

from bridge.curve import key_pair
from bridge.errors import RemoteProtocolError
from bridge.wire.noise import Cipher, Handshake, Message
from tests.wire.support import PROLOGUE, QUICK, key

INIT_STATIC = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1"
INIT_EPHEMERAL = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"
RESP_STATIC = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893"
RESP_EPHEMERAL = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"
VECTOR_PROLOGUE = bytes.fromhex("4a6f686e2047616c74")
HANDSHAKE_HASH = "1b7aefb1125762aa21a252890d00af54519638b76437444538f9a52f21e2e0dc"
# Payload and ciphertext of each message, the first three being the handshake.
MESSAGES = (
    (
        "4c756477696720766f6e204d69736573",
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
    ),
    (
        "4d757272617920526f746862617264",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
        "757117acceb05bd7a45733bc22015c97a9d0cbaf41b80446d5988ff5127235d7"
        "6b79eade70f473d6a4ef521fdcbeda5340d01e028ba793fc059f2724a83af05f"
        "12dda0448a7621a926b379a92477fd",
    ),
    (
        "462e20412e20486179656b",
        "c90f1cf77eba4e50edb038991565e36c9758943a989229b6051244dc4fbecb69"
        "46744b401af2ee1a5881b65fbb87fd07cb6a328ececc9ce6ce84c399dc332d4f"
        "d521fa4bb7f467ce909395",
    ),
    ("4361726c204d656e676572", "bc3fa77f6aca3e8466d7dc6bea10013e88a6a29add5132b461806c"),
    (
        "4a65616e2d426170746973746520536179",
        "250b01074cdfe0df2ecf8ccbf1737b15a2ddb5b52fd9a396604e9c793cee3b3bb9",
    ),
    (
        "457567656e2042f6686d20766f6e2042617765726b",
        "449d4d433b3cdc3d02bf6fc881774b9df54366ebcffb9689bb13f14709822cd7ef42bcdb4d",
    ),
)


def slices(message: Message) -> bytes:
    """The message as the specification writes it: one piece after the other."""
    return (message.ephemeral or b"") + (message.static or b"") + (message.payload or b"")


def initiator(prologue: bytes = PROLOGUE, *, mix_empty_payload: bool = False) -> Handshake:
    return Handshake(
        initiator=True,
        static=key("client"),
        ephemeral=key("client ephemeral"),
        prologue=prologue,
        mix_empty_payload=mix_empty_payload,
    )


def responder(prologue: bytes = PROLOGUE, *, mix_empty_payload: bool = False) -> Handshake:
    return Handshake(
        initiator=False,
        static=key("server"),
        ephemeral=key("server ephemeral"),
        prologue=prologue,
        mix_empty_payload=mix_empty_payload,
    )


def library(*, initiator: bool) -> NoiseConnection:
    """The other implementation, with the keys that our own side of that role would have."""
    role = "client" if initiator else "server"
    peer = NoiseConnection.from_name(b"Noise_XX_25519_AESGCM_SHA256")
    peer.set_as_initiator() if initiator else peer.set_as_responder()
    peer.set_prologue(PROLOGUE)
    peer.set_keypair_from_private_bytes(Keypair.STATIC, key(role).private)
    peer.set_keypair_from_private_bytes(Keypair.EPHEMERAL, key(f"{role} ephemeral").private)
    peer.start_handshake()
    return peer


def test_both_roles_match_the_published_vector() -> None:
    first = Handshake(
        initiator=True,
        static=key_pair(bytes.fromhex(INIT_STATIC)),
        ephemeral=key_pair(bytes.fromhex(INIT_EPHEMERAL)),
        prologue=VECTOR_PROLOGUE,
    )
    second = Handshake(
        initiator=False,
        static=key_pair(bytes.fromhex(RESP_STATIC)),
        ephemeral=key_pair(bytes.fromhex(RESP_EPHEMERAL)),
        prologue=VECTOR_PROLOGUE,
    )
    payloads = [bytes.fromhex(payload) for payload, _ in MESSAGES]
    ciphertexts = [bytes.fromhex(ciphertext) for _, ciphertext in MESSAGES]

    hello = first.write_first(payloads[0])
    assert slices(hello) == ciphertexts[0]
    assert second.read_first(hello) == payloads[0]
    answer = second.write_second(payloads[1])
    assert slices(answer) == ciphertexts[1]
    assert first.read_second(answer) == payloads[1]
    finish, ours = first.write_third(payloads[2])
    assert slices(finish) == ciphertexts[2]
    read, theirs = second.read_third(finish)
    assert read == payloads[2]
    assert ours.hash.hex() == theirs.hash.hex() == HANDSHAKE_HASH
    # Transport messages go on in turn: the responder writes the fourth.
    for payload, ciphertext, sender, receiver in (
        (payloads[3], ciphertexts[3], theirs.sending, ours.receiving),
        (payloads[4], ciphertexts[4], ours.sending, theirs.receiving),
        (payloads[5], ciphertexts[5], theirs.sending, ours.receiving),
    ):
        assert sender.encrypt(payload) == ciphertext
        assert receiver.decrypt(ciphertext) == payload


# The library warns that fixed ephemeral keys are for tests, which this is.
fixed_keys = pytest.mark.filterwarnings("ignore:One of ephemeral keypairs is already set")


@fixed_keys
def test_initiator_works_with_independent_library() -> None:
    ours, theirs = initiator(), library(initiator=False)
    assert theirs.read_message(slices(ours.write_first(b"hello"))) == b"hello"
    answer = bytes(theirs.write_message(b"certificates"))
    assert ours.read_second(Message(answer[:32], answer[32:80], answer[80:])) == b"certificates"
    assert ours.remote_static == key("server").public
    finish, transport = ours.write_third(b"login")
    assert theirs.read_message(slices(finish)) == b"login"
    for round_ in range(3):
        assert theirs.decrypt(transport.sending.encrypt(b"out %d" % round_)) == b"out %d" % round_
        assert transport.receiving.decrypt(theirs.encrypt(b"in %d" % round_)) == b"in %d" % round_


@fixed_keys
def test_responder_works_with_independent_library() -> None:
    ours, theirs = responder(), library(initiator=True)
    hello = bytes(theirs.write_message(b""))
    assert ours.read_first(Message(ephemeral=hello[:32], payload=hello[32:])) == b""
    assert theirs.read_message(slices(ours.write_second(b"certificates"))) == b"certificates"
    finish = bytes(theirs.write_message(b"login"))
    payload, transport = ours.read_third(Message(static=finish[:48], payload=finish[48:]))
    assert payload == b"login"
    assert ours.remote_static == key("client").public
    assert transport.receiving.decrypt(theirs.encrypt(b"in")) == b"in"
    assert theirs.decrypt(transport.sending.encrypt(b"out")) == b"out"


def test_absent_payload_is_not_mixed_in() -> None:
    # As the network's public clients do; an empty payload is the specification's way.
    absent, empty = initiator(), initiator()
    second = responder()
    second.read_first(absent.write_first())
    empty.write_first(b"")
    answer = second.write_second(b"x")
    assert absent.read_second(answer) == b"x"
    with pytest.raises(RemoteProtocolError):
        empty.read_second(answer)


@fixed_keys
def test_initiator_can_mix_an_empty_payload_as_the_library_does() -> None:
    ours, theirs = initiator(mix_empty_payload=True), library(initiator=False)
    hello = ours.write_first()
    assert hello.payload is None
    assert theirs.read_message(slices(hello)) == b""
    answer = bytes(theirs.write_message(b"certificates"))
    assert ours.read_second(Message(answer[:32], answer[32:80], answer[80:])) == b"certificates"


@fixed_keys
def test_responder_can_mix_an_empty_payload_as_the_library_does() -> None:
    ours, theirs = responder(mix_empty_payload=True), library(initiator=True)
    hello = bytes(theirs.write_message(b""))
    assert ours.read_first(Message(ephemeral=hello)) is None
    assert theirs.read_message(slices(ours.write_second(b"certificates"))) == b"certificates"


@pytest.mark.parametrize("mixes", [False, True])
def test_sent_payload_is_mixed_once_in_either_setting(mixes: bool) -> None:
    first, second = initiator(mix_empty_payload=mixes), responder(mix_empty_payload=not mixes)
    assert second.read_first(first.write_first(b"hello")) == b"hello"
    assert first.read_second(second.write_second(b"x")) == b"x"


def test_handshake_fails_with_another_prologue() -> None:
    first, second = initiator(b"one"), responder(b"another")
    second.read_first(first.write_first())
    with pytest.raises(RemoteProtocolError):
        first.read_second(second.write_second(b""))


@QUICK
@given(st.sampled_from(["ephemeral", "static", "payload"]), st.integers(0, 10_000))
def test_handshake_fails_with_any_flipped_bit(part: str, bit: int) -> None:
    first, second = initiator(), responder()
    second.read_first(first.write_first())
    answer = second.write_second(b"certificates")
    data = bytearray(getattr(answer, part))
    # The top bit of a Curve25519 point is ignored, but it is hashed.
    data[bit // 8 % len(data)] ^= 1 << bit % 8
    with pytest.raises(RemoteProtocolError):
        first.read_second(replace(answer, **{part: bytes(data)}))


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_handshake_fails_with_low_order_point(point: bytes) -> None:
    second = responder()
    second.read_first(Message(ephemeral=point))
    with pytest.raises(RemoteProtocolError):
        second.write_second(b"")


@pytest.mark.parametrize(
    "hello",
    [Message(), Message(ephemeral=b""), Message(ephemeral=bytes(31)), Message(ephemeral=bytes(33))],
)
def test_hello_with_short_key_is_rejected(hello: Message) -> None:
    with pytest.raises(RemoteProtocolError):
        responder().read_first(hello)


def test_hello_of_another_pattern_is_rejected() -> None:
    with pytest.raises(RemoteProtocolError):
        responder().read_first(Message(ephemeral=key("x").public, static=bytes(48)))


@pytest.mark.parametrize("missing", ["static", "payload"])
def test_incomplete_handshake_message_is_rejected(missing: str) -> None:
    first, second = initiator(), responder()
    second.read_first(first.write_first())
    answer = second.write_second(b"x")
    with pytest.raises(RemoteProtocolError):
        first.read_second(replace(answer, **{missing: None}))


def test_forged_transport_message_keeps_the_counter() -> None:
    sending, receiving = Cipher(bytes(32)), Cipher(bytes(32))
    genuine = sending.encrypt(b"text")
    for forged in (b"", genuine[:15], genuine[:-1], b"\0" + genuine[1:]):
        with pytest.raises(RemoteProtocolError):
            receiving.decrypt(forged)
    assert receiving.decrypt(genuine) == b"text"


def test_replayed_transport_message_is_rejected() -> None:
    sending, receiving = Cipher(bytes(32)), Cipher(bytes(32))
    ciphertext = sending.encrypt(b"text")
    receiving.decrypt(ciphertext)
    with pytest.raises(RemoteProtocolError):
        receiving.decrypt(ciphertext)


def test_transport_message_may_exceed_65535_bytes() -> None:
    # Frames hold 16 MiB, the specification's messages 65,535 bytes.
    sending, receiving = Cipher(bytes(32)), Cipher(bytes(32))
    assert receiving.decrypt(sending.encrypt(bytes(200_000))) == bytes(200_000)
