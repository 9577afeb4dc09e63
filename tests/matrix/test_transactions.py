"""How a transaction is taken apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.matrix.reader import BadJson, NotJson
from bridge.matrix.transactions import Received, split

EVENT: dict[str, Any] = {
    "event_id": "$one",
    "room_id": "!room",
    "sender": "@anna:hs.test",
    "type": "m.room.message",
    "origin_server_ts": 1,
    "content": {"msgtype": "m.text", "body": "hallo"},
}
RECEIPT = {
    "type": "m.receipt",
    "room_id": "!room",
    "content": {
        "$one": {"m.read": {"@anna:hs.test": {"ts": 5}, "@ben:hs.test": {"ts": 6}}},
        "$two": {"m.read": {"@anna:hs.test": {"ts": 7}}, "m.read.private": {"@anna:hs.test": {"ts": 7}}},
    },
}


def parts(transaction: object, *, id_: str = "1") -> list[Received]:
    return split(id_, json.dumps(transaction).encode())


def test_each_event_is_a_part_of_its_room_in_order() -> None:
    found = parts({"events": [EVENT, {**EVENT, "event_id": "$two", "room_id": "!other"}]})
    assert [(part.kind, part.lane, part.key) for part in found] == [
        ("event", "!room", "$one"),
        ("event", "!other", "$two"),
    ]
    assert json.loads(found[0].body) == EVENT


@pytest.mark.parametrize("name", ["ephemeral", "de.sorunome.msc2409.ephemeral"])
def test_receipts_become_one_part_for_each_room_user_and_event(name: str) -> None:
    found = parts({"events": [], name: [RECEIPT]})
    read = [json.loads(part.body) for part in found]
    assert [(fields["user_id"], fields["event_id"]) for fields in read] == [
        ("@anna:hs.test", "$one"),
        ("@ben:hs.test", "$one"),
        ("@anna:hs.test", "$two"),
    ]
    assert {(part.kind, part.lane) for part in found} == {("receipt", "!room")}
    assert len({part.key for part in found}) == 3


def test_a_receipt_has_the_same_key_when_it_is_sent_again_at_another_time() -> None:
    again = json.loads(json.dumps(RECEIPT).replace('"ts": 5', '"ts": 500'))
    first, second = parts({"ephemeral": [RECEIPT]}), parts({"ephemeral": [again]}, id_="2")
    assert [part.key for part in first] == [part.key for part in second]


def test_typing_and_presence_are_not_durable() -> None:
    typing = {"type": "m.typing", "room_id": "!room", "content": {"user_ids": ["@anna:hs.test"]}}
    assert parts({"events": [], "ephemeral": [typing, {"type": "m.presence", "content": {}}]}) == []


@pytest.mark.parametrize("prefix", ["", "old"])
def test_device_parts_are_recognised_under_stable_and_unstable_names(prefix: str) -> None:
    names = {
        "to_device": "de.sorunome.msc2409.to_device",
        "device_lists": "org.matrix.msc3202.device_lists",
        "device_one_time_keys_count": "org.matrix.msc3202.device_one_time_key_counts",
        "device_unused_fallback_key_types": "org.matrix.msc3202.device_unused_fallback_key_types",
    }
    values: dict[str, Any] = {
        "to_device": [{"type": "m.room.encrypted", "content": {}}],
        "device_lists": {"changed": ["@anna:hs.test"], "left": []},
        "device_one_time_keys_count": {"@bot:hs.test": {"D": {"signed_curve25519": 3}}},
        "device_unused_fallback_key_types": {"@bot:hs.test": {"D": []}},
    }
    sent = {names[name] if prefix else name: value for name, value in values.items()}
    assert [part.kind for part in parts({"events": [], **sent})] == [
        "to_device",
        "device_lists",
        "key_counts",
    ]


def test_empty_device_parts_are_no_parts() -> None:
    assert (
        parts({"events": [], "to_device": [], "device_lists": {"changed": [], "left": []}, "ephemeral": []})
        == []
    )


def test_the_same_device_list_in_a_later_transaction_is_news() -> None:
    lists = {"events": [], "device_lists": {"changed": ["@anna:hs.test"]}}
    assert parts(lists, id_="1")[0].key == parts(lists, id_="1")[0].key
    assert parts(lists, id_="1")[0].key != parts(lists, id_="2")[0].key


@pytest.mark.fault("F21")
@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        "text",
        [],
        {},
        {"event_id": 5},
        {"event_id": "$a\0", "room_id": "!b\0"},
        {"event_id": "$" + "x" * 300, "room_id": "!" + "y" * 300},
    ],
)
def test_an_odd_event_is_kept_under_a_digest_beside_its_good_neighbours(odd: object) -> None:
    found = parts({"events": [EVENT, odd, {**EVENT, "event_id": "$two"}]})
    assert [part.key for part in found if not part.key.startswith("digest:")] == ["$one", "$two"]
    assert found[1].lane == "" and json.loads(found[1].body) == odd


def test_ids_have_at_most_255_bytes() -> None:
    longest = {**EVENT, "event_id": "$" + "x" * 254}
    assert parts({"events": [longest]})[0].key == longest["event_id"]
    assert parts({"events": [{**EVENT, "event_id": "$" + "x" * 255}]})[0].key.startswith("digest:")


def test_a_lone_surrogate_in_an_event_survives() -> None:
    body = b'{"events":[{"event_id":"$one","room_id":"!room","content":{"body":"a\\ud800b"}}]}'
    assert json.loads(split("1", body)[0].body)["content"]["body"] == "a\ud800b"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff{}", b'{"events":[NaN]}', b'{"a":' + b"1" * 5000 + b"}", "{}".encode("utf-16")]
)
def test_what_is_no_json_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(NotJson):
        split("1", body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'{"events":{}}', b'{"events":[],"ephemeral":7}'])
def test_json_of_another_shape_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(BadJson):
        split("1", body)


def test_an_event_as_deep_as_a_homeserver_takes_is_read() -> None:
    deepest = json.loads('{"a":' * 128 + "1" + "}" * 128)  # Synapse refuses 150 levels, as serde_json does
    assert parts({"events": [{**EVENT, "content": deepest}]})[0].key == "$one"


def test_json_too_deep_to_read_is_refused_as_a_whole() -> None:
    with pytest.raises(BadJson):
        split("1", b'{"events":' + b"[" * 200_000 + b"]" * 200_000 + b"}")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(derandomize=True, max_examples=60)
@given(st.lists(_json), st.lists(_json), st.lists(_json))
def test_any_json_as_an_event_is_kept_and_nothing_raises(
    events: list[Any], ephemeral: list[Any], to_device: list[Any]
) -> None:
    found = parts({"events": events, "ephemeral": ephemeral, "to_device": to_device})
    kept = [json.loads(part.body) for part in found if part.kind == "event"]
    assert kept == events
    assert all(part.key for part in found)
