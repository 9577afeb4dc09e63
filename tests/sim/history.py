"""What happened in a simulation, as the four logs that the checker of the promises reads."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.ids import RoomId
from bridge.matrix.events import MARKER
from bridge.wire.vocabulary import message, receipt
from tests.faults.checker import Asked, Chat, Given, Logs, Says, Shown, Taken
from tests.faults.said import worth
from tests.sim.homeserver import BOT, Event
from tests.sim.whole import ADA, Whole

CHAT: Chat = ("ada", "anna")


def logs(bridge: Whole) -> Logs:
    """The logs of a simulated bridge, of its one user and one contact."""
    portals = set(bridge.home.portals())
    return Logs(
        asked=[
            Asked(event.event_id, CHAT, str(event.content["body"]))
            for event in bridge.home.events
            if event.sender == ADA and event.room in portals and event.type == "m.room.message"
        ],
        shown=list(_shown(bridge, portals).values()),
        given=_given(bridge),
        taken=_taken(bridge),
        receipts=[
            (CHAT, stanza_id, found.type)
            for each in bridge.network.sent
            if each.tag == "receipt"
            if isinstance(found := receipt.parse(each, "to"), receipt.Receipt)
            for stanza_id in found.ids
        ],
    )


def _shown(bridge: Whole, portals: set[RoomId]) -> Mapping[str, Shown]:
    found: dict[str, Shown] = {}
    for event in bridge.home.events:
        ours = event.sender == BOT or event.sender.startswith("@ib_")
        if event.type != "m.room.message" or event.room not in portals or not ours:
            continue
        relation = event.content.get("m.relates_to", {})
        if relation.get("rel_type") == "m.replace":
            edited = found.get(relation["event_id"])
            if edited is not None:
                found[edited.event_id] = _as_shown(bridge, event, edited)
            continue
        found[event.event_id] = _as_shown(bridge, event, None)
    return found


def _as_shown(bridge: Whole, event: Event, edited: Shown | None) -> Shown:
    """An event as it stands; ``edited`` is what it changes."""
    content = event.content["m.new_content"] if edited is not None else event.content
    notice, body = content.get("msgtype") == "m.notice", str(content.get("body", ""))
    event_id = edited.event_id if edited is not None else event.event_id
    answered = event.content.get("m.relates_to", {}).get("m.in_reply_to", {}).get("event_id")
    return Shown(
        event_id,
        CHAT,
        body,
        says=worth(body) if notice else Says.WORDS,
        about=edited.about if edited is not None else answered if notice else None,
        marker=content.get(MARKER, edited.marker if edited is not None else None),
        redacted=event_id in bridge.home.redacted,
    )


def _given(bridge: Whole) -> list[Given]:
    unacked = {str(each.attributes["id"]) for each in bridge.network.waiting}
    found = [message.parse(each, "from") for each in bridge.network.given if each.tag == "message"]
    return [
        Given(CHAT, each.id, bridge.contact.written[each.id], each.ciphertext, acked=each.id not in unacked)
        for each in found
    ]


def _taken(bridge: Whole) -> list[Taken]:
    read = dict(zip(bridge.contact.ids, bridge.contact.received, strict=True))
    found = [message.parse(each, "to") for each in bridge.network.accepted]
    return [
        Taken(CHAT, each.id, each.kind, each.ciphertext, read.get(each.id), each.count or 0) for each in found
    ]
