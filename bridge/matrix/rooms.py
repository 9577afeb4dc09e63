"""What a room of ours looks like when it is made (pure).

Portals: made by the bot, invite-only, never federated, and nobody but the bot can change who is in
them (threat S31). The owner may name them as they like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mautrix.types import (
    EventType,
    JoinRule,
    JoinRulesStateEventContent,
    PowerLevelStateEventContent,
    RoomCreateStateEventContent,
    Serializable,
    StrippedStateEvent,
    UserID,
)

from bridge.ids import NetworkId, RoomId, ServiceId, UserId
from bridge.ports import RoomSpec

BOT_LEVEL = 100
OWNER_LEVEL = 50
"""The most a user has: enough to name a chat and to remove what they do not want to see."""

FIRST_VERSION_WITHOUT_CREATOR_LEVEL = 12
"""From this room version on, the creator stands above all levels and may not be named in them."""

OWNER_STATE = (
    EventType.ROOM_NAME,
    EventType.ROOM_TOPIC,
    EventType.ROOM_AVATAR,
    EventType.ROOM_PINNED_EVENTS,
)
"""State that is the owner's taste; the bridge never overwrites it."""
BOT_STATE = (EventType.ROOM_CANONICAL_ALIAS,)
"""State that Dendrite leaves to users of level 50 unless it is named; a portal is adopted by its alias."""
NAME = str(EventType.ROOM_NAME)
DIRECT = str(EventType.DIRECT)
"""The account data that lists a user's direct chats."""
_GUEST_ACCESS = EventType("m.room.guest_access", EventType.Class.STATE)
_FUNCTIONAL_MEMBERS = EventType("io.element.functional_members", EventType.Class.STATE)
_BRIDGE = EventType("m.bridge", EventType.Class.STATE)
_INVITE_ONLY = JoinRulesStateEventContent(JoinRule.INVITE)  # type: ignore[arg-type]  # wrongly annotated
_BRIDGE_OLD = EventType("uk.half-shot.bridge", EventType.Class.STATE)


@dataclass(frozen=True)
class BridgeInfo:
    """What m.bridge says of a portal. Ids of people in it are opaque: members see all of it."""

    appservice_id: str
    network: NetworkId
    network_name: str
    service: ServiceId
    service_name: str
    receiver: str
    """Opaque and the same in all portals of one account."""


@dataclass(frozen=True)
class Portal:
    """A portal that is to be made. ``alias_localpart`` is a keyed hash, the room's lasting name."""

    bot: UserId
    owner: UserId
    ghost: UserId
    alias_localpart: str
    name: str
    topic: str
    room_version: str
    info: BridgeInfo


def portal_room(portal: Portal) -> RoomSpec:
    """The room of a portal. The owner and the ghost are invited at once; the ghost still has to join."""
    return RoomSpec(
        alias_localpart=portal.alias_localpart,
        name=portal.name,
        topic=portal.topic,
        invite=(portal.owner, portal.ghost),
        room_version=portal.room_version,
        creation_content=_unfederated(portal.room_version),
        initial_state=(*_closed(portal.bot), *bridge_state(portal)),
        power_levels=power_levels(portal.bot, portal.owner, portal.room_version),
    )


def management_room(
    bot: UserId, owner: UserId, *, alias_localpart: str, name: str, topic: str, room_version: str
) -> RoomSpec:
    """A room in which the bot writes to a user who has not written to it."""
    return RoomSpec(
        alias_localpart=alias_localpart,
        name=name,
        topic=topic,
        invite=(owner,),
        room_version=room_version,
        creation_content=_unfederated(room_version),
        initial_state=_closed(bot),
        power_levels=power_levels(bot, owner, room_version),
    )


def management_user(members: Mapping[UserId, str], bot: UserId) -> UserId | None:
    """Whose management room this is: with the bot and one other, invited or joined, it is that user's."""
    present = {user for user, membership in members.items() if membership in ("join", "invite")}
    others = present - {bot}
    return next(iter(others)) if bot in present and len(others) == 1 else None


def power_levels(bot: UserId, owner: UserId, room_version: str) -> dict[str, Any]:
    """Everybody may write; only the bot may change the room or its members."""
    users = {UserID(owner): OWNER_LEVEL}
    if _names_creator(room_version):
        users[UserID(bot)] = BOT_LEVEL
    levels = PowerLevelStateEventContent(
        users=users,
        users_default=0,
        events={**dict.fromkeys(OWNER_STATE, OWNER_LEVEL), **dict.fromkeys(BOT_STATE, BOT_LEVEL)},
        events_default=0,
        state_default=BOT_LEVEL,
        invite=BOT_LEVEL,
        kick=BOT_LEVEL,
        ban=BOT_LEVEL,
        redact=OWNER_LEVEL,
    )
    levels.notifications.room = BOT_LEVEL
    return _json(levels)


def bridge_state(portal: Portal) -> tuple[dict[str, Any], ...]:
    """The state that tells clients what kind of room this is (MSC2346 under both names)."""
    info = portal.info
    content = {
        "bridgebot": portal.bot,
        "creator": portal.bot,
        "protocol": {"id": info.network, "displayname": info.network_name},
        "network": {"id": info.service, "displayname": info.service_name},
        "channel": {
            "id": portal.alias_localpart,
            "displayname": portal.name,
            "fi.mau.receiver": info.receiver,
        },
        "com.beeper.room_type": "dm",
        "com.beeper.room_type.v2": "dm",
    }
    state_key = f"{portal.bot.partition(':')[2]}/{info.appservice_id}"
    return (_state(_BRIDGE, content, state_key), _state(_BRIDGE_OLD, content, state_key))


def with_direct(direct: Mapping[str, Any], partner: UserId, room: RoomId) -> dict[str, Any] | None:
    """m.direct with one more room for ``partner``, all else as it was; None when nothing is to be done.

    Account data is a user's own: what another client wrote in another shape is left alone.
    """
    rooms = direct.get(partner, [])
    if not isinstance(rooms, list) or room in rooms:
        return None
    return {**direct, partner: [*rooms, room]}


def _closed(bot: UserId) -> tuple[dict[str, Any], ...]:
    return (
        _state(EventType.ROOM_JOIN_RULES, _INVITE_ONLY),
        _state(EventType.ROOM_HISTORY_VISIBILITY, {"history_visibility": "invited"}),
        _state(_GUEST_ACCESS, {"guest_access": "forbidden"}),
        _state(_FUNCTIONAL_MEMBERS, {"service_members": [bot]}),
    )


def _unfederated(room_version: str) -> dict[str, Any]:
    return _json(RoomCreateStateEventContent(room_version=room_version, federate=False))


def _state(event_type: EventType, content: Any, state_key: str = "") -> dict[str, Any]:
    """A state event; ``content`` is mautrix's, or JSON where mautrix has no type for it."""
    return _json(StrippedStateEvent(type=event_type, state_key=state_key, content=content))


def _json(content: Serializable) -> dict[str, Any]:
    """What mautrix makes of its own types: an object of plain JSON."""
    plain: dict[str, Any] = content.serialize()
    return plain


def _names_creator(room_version: str) -> bool:
    """False from version 12 on; versions that are no number are older experiments."""
    return not (room_version.isdecimal() and int(room_version) >= FIRST_VERSION_WITHOUT_CREATOR_LEVEL)
