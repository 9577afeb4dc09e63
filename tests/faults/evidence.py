"""Puts the four logs of the two fakes into the checker's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bridge.matrix.events import MARKER
from tests.faults.checker import Asked, Chat, Given, Logs, Says, Shown, Taken
from tests.faults.said import worth

Json = Mapping[str, Any]


def logs(home: Sequence[Json], network: Json, rooms: Mapping[str, Chat], users: Sequence[str]) -> Logs:
    """The logs. ``home`` and ``network`` as the fakes say (``Network.evidence``), ``rooms`` the portals."""
    return Logs(
        asked=_asked(home, rooms, users),
        shown=_shown(home, rooms),
        given=_given(network),
        taken=_taken(network),
        receipts=[
            ((entry["account"], entry["to"]), stanza_id, entry["type"])
            for entry in network["receipts"]
            for stanza_id in entry["ids"]
        ],
    )


def _asked(home: Sequence[Json], rooms: Mapping[str, Chat], users: Sequence[str]) -> list[Asked]:
    found: dict[str, Asked] = {}
    for push in home:
        for event in push["events"] if push["kind"] == "push" else ():
            id_, chat = event["event_id"], rooms.get(event["room_id"])
            if chat is None or event["type"] != "m.room.message" or event["sender"] not in users:
                continue
            answered = push["answer"] == 200 or (id_ in found and found[id_].answered)
            found[id_] = Asked(id_, chat, event["content"]["body"], answered)
    return list(found.values())


def _shown(home: Sequence[Json], rooms: Mapping[str, Chat]) -> list[Shown]:
    """What the bridge made in the portals. An edit is no event of its own: it changes the one it names."""
    found: dict[str, Shown] = {}
    for entry in home:
        event = entry["event"] if entry["kind"] == "out" else {}
        if event.get("type") != "m.room.message" or event["room_id"] not in rooms:
            continue
        content = event["content"]
        relation = content.get("m.relates_to", {})
        redacted = "redacted_because" in event["unsigned"]
        if relation.get("rel_type") == "m.replace":
            edited = found.get(relation["event_id"])
            if edited is not None and not redacted:
                found[edited.event_id] = _edited(edited, content["m.new_content"])
            continue
        notice = content.get("msgtype") == "m.notice"
        body = content.get("body", "")
        found[event["event_id"]] = Shown(
            event["event_id"],
            rooms[event["room_id"]],
            body,
            says=worth(body) if notice else Says.WORDS,
            about=relation.get("m.in_reply_to", {}).get("event_id") if notice else None,
            marker=content.get(MARKER),
            redacted=redacted,
        )
    return list(found.values())


def _edited(shown: Shown, content: Json) -> Shown:
    notice, body = content.get("msgtype") == "m.notice", content.get("body", "")
    says = worth(body) if notice else Says.WORDS
    return replace(shown, text=body, says=says, marker=content.get(MARKER, shown.marker))


def _given(network: Json) -> list[Given]:
    """A message that was never acknowledged with success counts as acknowledged all the same, if it was."""
    return [
        Given(
            (entry["account"], entry["sender"]),
            entry["id"],
            entry["text"],
            bytes.fromhex(entry["ciphertext"]),
            acked=entry["acked_order"] is not None,
        )
        for entry in network["n_in"]
    ]


def _taken(network: Json) -> list[Taken]:
    return [
        Taken(
            (entry["account"], entry["to"]),
            entry["id"],
            entry["kind"],
            bytes.fromhex(entry["ciphertext"]),
            entry["text"],
            entry["count"],
        )
        for entry in network["n_out"]
    ]
