"""What our rooms look like (threat S31)."""

from __future__ import annotations

import pytest

from bridge.ids import RoomId, UserId
from bridge.matrix.rooms import (
    BOT_LEVEL,
    OWNER_LEVEL,
    management_room,
    management_user,
    portal_room,
    power_levels,
    with_direct,
)
from tests.matrix.conftest import BOT
from tests.matrix.test_homeserver import ANNA, BEN, ghost, portal

ROOM = RoomId("!room")


def test_a_portal_is_direct_never_federated_and_known_by_its_opaque_alias() -> None:
    spec = portal_room(portal("abc"))
    assert spec.is_direct and spec.creation_content == {"m.federate": False, "room_version": "11"}
    assert (spec.alias_localpart, spec.room_version) == ("ib_abc", "11")
    assert tuple(spec.invite) == (ANNA, ghost("abc"))


def test_a_portal_says_who_bridges_it_in_both_shapes_and_names_nobody() -> None:
    state = {event["type"]: event for event in portal_room(portal("abc")).initial_state}
    expected = {
        "bridgebot": BOT,
        "creator": BOT,
        "protocol": {"id": "sandbox", "displayname": "Sandbox"},
        "network": {"id": "whatsapp", "displayname": "WhatsApp"},
        "channel": {"id": "ib_abc", "displayname": "Anna (WhatsApp)", "fi.mau.receiver": "ib_receiver"},
        "com.beeper.room_type": "dm",
        "com.beeper.room_type.v2": "dm",
    }
    for name in ("m.bridge", "uk.half-shot.bridge"):
        assert state[name]["content"] == expected
        assert state[name]["state_key"] == "hs.test/interop"


@pytest.mark.threat("S31")
@pytest.mark.parametrize("event_type", ["invite", "kick", "ban", "state_default"])
def test_only_the_bot_changes_a_portal_and_its_members(event_type: str) -> None:
    levels = power_levels(BOT, ANNA, "11")
    assert levels[event_type] == BOT_LEVEL > OWNER_LEVEL
    assert levels["users"] == {BOT: BOT_LEVEL, ANNA: OWNER_LEVEL}
    assert levels["users_default"] == 0


@pytest.mark.parametrize("event_type", ["m.room.name", "m.room.topic", "m.room.avatar"])
def test_the_owner_may_name_a_portal(event_type: str) -> None:
    assert power_levels(BOT, ANNA, "11")["events"][event_type] == OWNER_LEVEL


@pytest.mark.threat("S31")
def test_only_the_bot_changes_the_alias_of_a_portal() -> None:
    assert power_levels(BOT, ANNA, "11")["events"]["m.room.canonical_alias"] == BOT_LEVEL


@pytest.mark.parametrize(
    ("version", "named"), [("10", True), ("11", True), ("12", False), ("13", False), ("org.matrix.x", True)]
)
def test_the_creator_is_named_in_the_levels_where_the_room_version_wants_it(
    version: str, named: bool
) -> None:
    assert (BOT in power_levels(BOT, ANNA, version)["users"]) == named


def test_a_management_room_has_no_ghost_and_no_bridge_state() -> None:
    spec = management_room(BOT, ANNA, alias_localpart="ib_m", name="Interop", topic="help", room_version="11")
    assert tuple(spec.invite) == (ANNA,)
    assert "m.bridge" not in {event["type"] for event in spec.initial_state}


@pytest.mark.parametrize(
    ("members", "user"),
    [
        ({BOT: "invite", ANNA: "join"}, ANNA),
        ({BOT: "join", ANNA: "invite"}, ANNA),
        ({BOT: "join", ANNA: "join", BEN: "leave"}, ANNA),
        ({BOT: "join", ANNA: "join", BEN: "invite"}, None),
        ({BOT: "join", ANNA: "leave"}, None),
        ({BOT: "leave", ANNA: "join"}, None),
        ({BOT: "join"}, None),
        ({}, None),
    ],
)
def test_a_management_room_has_the_bot_and_one_user(members: dict[UserId, str], user: UserId | None) -> None:
    assert management_user(members, BOT) == user


def test_a_chat_becomes_direct_and_all_else_in_the_list_stays() -> None:
    direct = {"@x:y": ["!a"], "odd": 7, "@g:hs.test": ["!old"]}
    assert with_direct(direct, UserId("@g:hs.test"), ROOM) == {**direct, "@g:hs.test": ["!old", "!room"]}
    assert with_direct({}, UserId("@g:hs.test"), ROOM) == {"@g:hs.test": ["!room"]}
    assert with_direct({"@g:hs.test": ["!room"]}, UserId("@g:hs.test"), ROOM) is None
    assert with_direct({"@g:hs.test": "odd"}, UserId("@g:hs.test"), ROOM) is None
