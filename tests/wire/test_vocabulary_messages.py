"""Messages, receipts, acknowledgements, typing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import Direction, ack, chatstate, message, parse, receipt
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.chatstate import ChatState
from bridge.wire.vocabulary.keys import PublicBundle
from bridge.wire.vocabulary.message import Message
from bridge.wire.vocabulary.reading import MAX_TEXT_CHARACTERS
from bridge.wire.vocabulary.receipt import Receipt, RetryReceipt
from tests.wire.support import QUICK
from tests.wire.vocabulary import (
    CONTACT,
    NAMES,
    SERVER,
    US,
    T,
    bundles,
    changed,
    ids,
    persons,
    registrations,
    sent,
    times,
    without,
    words,
)

directions: st.SearchStrategy[Direction] = st.sampled_from(["to", "from"])
messages = st.builds(
    Message,
    ids,
    persons,
    st.sampled_from(["pkmsg", "msg"]),
    st.binary(max_size=100),
    words,
    st.integers(0, 10),
    times,
    st.none() | words,
    st.booleans(),
    st.none() | words,
    st.none() | words,
    st.booleans(),
)
receipts = st.builds(
    Receipt,
    st.lists(ids, min_size=1, max_size=5).map(tuple),
    persons,
    st.none() | words,
    times,
    st.booleans(),
)
retries = st.builds(
    RetryReceipt, ids, persons, st.integers(1, 20), registrations, st.none(), times, st.booleans()
)
retries_with_keys = st.builds(
    lambda retry, keys: replace(retry, registration_id=keys.registration_id, keys=keys), retries, bundles
)
acks = st.builds(Ack, words, ids, persons, st.none() | words, times, st.none() | st.integers(0, 999))
chatstates = st.one_of(
    st.builds(ChatState, persons, st.just(True), st.none() | words),
    st.builds(ChatState, persons, st.just(False)),
)
MESSAGE = Message("3EB0A1", CONTACT, "pkmsg", b"sealed")
RETRY = RetryReceipt("3EB0A1", CONTACT, 2, 4711)


@QUICK
@given(
    st.one_of(messages, receipts, retries, retries_with_keys, acks, chatstates),
    directions,
)
def test_message_round_trips_in_its_direction(
    word: Message | Receipt | RetryReceipt | Ack | ChatState, direction: Direction
) -> None:
    assert parse(sent(word.to_stanza(direction)), direction, NAMES) == word


def test_message_has_documented_shape() -> None:
    assert MESSAGE.to_stanza("to") == Stanza(
        "message",
        {"to": CONTACT, "id": "3EB0A1", "type": "text"},
        (Stanza("enc", {"v": "2", "type": "pkmsg"}, b"sealed"),),
    )


def test_server_ignores_from_added_by_client() -> None:
    forged = changed(MESSAGE.to_stanza("to"), from_=str(US))
    assert message.parse(forged, "to").peer == CONTACT


def test_message_of_other_direction_is_rejected() -> None:
    with pytest.raises(RemoteProtocolError, match="from is missing"):
        message.parse(MESSAGE.to_stanza("to"), "from")


@pytest.mark.parametrize("missing", ["id", "to", "type"])
def test_incomplete_message_is_rejected(missing: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"{missing} is missing"):
        message.parse(without(MESSAGE.to_stanza("to"), missing), "to")


@pytest.mark.parametrize(
    "inside",
    [
        None,
        b"bytes",
        (),
        (Stanza("enc", {"v": "2", "type": "msg"}),),
        (Stanza("enc", {"v": "2", "type": "msg"}, ()),),
        (Stanza("enc", {"v": "3", "type": "msg"}, b"x"),),
        (Stanza("enc", {"type": "msg"}, b"x"),),
        (Stanza("enc", {"v": "2", "type": "skmsg"}, b"x"),),
        (Stanza("enc", {"v": "2"}, b"x"),),
        (Stanza("enc", {"v": "2", "type": "msg"}, b"x"), Stanza("enc", {"v": "2", "type": "msg"}, b"y")),
        (Stanza("enc", {"v": "2", "type": "msg", "count": "many"}, b"x"),),
    ],
)
def test_message_with_unknown_content_is_rejected(inside: tuple[Stanza, ...] | bytes | None) -> None:
    outer = MESSAGE.to_stanza("to").attributes
    with pytest.raises(RemoteProtocolError):
        message.parse(Stanza("message", outer, inside), "to")


@pytest.mark.parametrize("name", ["x" * 10_000, "\0" * 10_000, "a\0b", "\U0001f600" * 1_025, ""])
def test_unusable_name_does_not_cost_the_message(name: str) -> None:
    arrived = message.parse(changed(MESSAGE.to_stanza("from"), notify=name), "from")
    assert arrived == replace(MESSAGE, notify=name[:MAX_TEXT_CHARACTERS])


@pytest.mark.parametrize("attribute", ["edit", "offline"])
def test_long_side_attribute_does_not_cost_the_message(attribute: str) -> None:
    stanza = changed(MESSAGE.to_stanza("from"), **{attribute: "x" * 10_000})
    assert message.parse(stanza, "from").ciphertext == MESSAGE.ciphertext


def test_long_media_type_does_not_cost_the_message() -> None:
    enc = Stanza("enc", {"v": "2", "type": "pkmsg", "mediatype": "x" * 10_000}, b"sealed")
    stanza = Stanza("message", MESSAGE.to_stanza("from").attributes, (enc,))
    assert message.parse(stanza, "from").ciphertext == b"sealed"


def test_receipt_for_one_message_has_no_list() -> None:
    assert Receipt(("A",), CONTACT, "read", T).to_stanza("to") == Stanza(
        "receipt", {"id": "A", "to": CONTACT, "type": "read", "t": str(T)}
    )


def test_receipt_for_several_messages_lists_the_rest() -> None:
    stanza = Receipt(("A", "B", "C"), CONTACT).to_stanza("from")
    items = (Stanza("item", {"id": "B"}), Stanza("item", {"id": "C"}))
    assert stanza == Stanza("receipt", {"id": "A", "from": CONTACT}, (Stanza("list", {}, items),))


def test_empty_receipt_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        Receipt((), CONTACT).to_stanza("to")


def test_retry_is_not_a_plain_receipt() -> None:
    with pytest.raises(LocalProtocolError):
        Receipt(("A",), CONTACT, receipt.RETRY).to_stanza("to")


def test_receipt_item_without_id_is_rejected() -> None:
    listed = Stanza("list", {}, (Stanza("item"),))
    with pytest.raises(RemoteProtocolError, match="item"):
        receipt.parse(Stanza("receipt", {"id": "A", "to": CONTACT}, (listed,)), "to")


def test_retry_receipt_has_documented_shape() -> None:
    keys = PublicBundle(4711, b"i" * 32, 5, b"s" * 32, b"g" * 64, 9, b"o" * 32)
    stanza = replace(RETRY, keys=keys, t=T).to_stanza("to")
    assert stanza.attributes == {"id": "3EB0A1", "to": CONTACT, "type": "retry"}
    retry, registration, bundle = stanza.children()
    assert retry == Stanza("retry", {"count": "2", "id": "3EB0A1", "t": str(T), "v": "1"})
    assert registration == Stanza("registration", {}, b"\x00\x00\x12\x67")
    assert [node.tag for node in bundle.children()] == ["type", "identity", "key", "skey"]
    assert bundle.child("type") == Stanza("type", {}, b"\x05")
    skey = bundle.child("skey")
    assert skey is not None and skey.child("id") == Stanza("id", {}, b"\x00\x00\x05")


def test_retry_of_other_id_or_without_count_is_rejected() -> None:
    good = RETRY.to_stanza("to")
    retry, registration = good.children()
    for bad in (
        (registration,),
        (changed(retry, id="another"), registration),
        (changed(retry, count="0"), registration),
        (without(retry, "count"), registration),
        (retry,),
        (retry, Stanza("registration", {}, b"\0\0\0\0")),
        (retry, Stanza("registration", {}, (16_381).to_bytes(4, "big"))),
        (retry, Stanza("registration", {}, b"\0\0\1")),
        (retry, registration, Stanza("keys")),
    ):
        with pytest.raises(RemoteProtocolError):
            receipt.parse(Stanza("receipt", good.attributes, bad), "to")


@pytest.mark.parametrize("missing", ["class", "id", "to"])
def test_ack_without_match_attributes_is_rejected(missing: str) -> None:
    whole = Ack(ack.MESSAGE, "A", CONTACT, t=T).to_stanza("to")
    with pytest.raises(RemoteProtocolError, match=f"{missing} is missing"):
        ack.parse(without(whole, missing), "to")


def test_ack_of_the_server_is_read() -> None:
    for value in (SERVER, "s.whatsapp.net"):
        stanza = Stanza("ack", {"class": "notification", "id": "1", "from": value})
        assert ack.parse(stanza, "from").peer == SERVER


def test_unknown_chat_state_is_rejected() -> None:
    for content in (None, (), (Stanza("dancing"),)):
        with pytest.raises(RemoteProtocolError):
            chatstate.parse(Stanza("chatstate", {"from": CONTACT}, content), "from")
