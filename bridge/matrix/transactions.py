"""A transaction of the homeserver, taken apart into what must be stored (Application Service API).

Parsed only as far as keys and lanes need it: everything else is for whoever opens the entry.
A part that is odd is kept all the same, under a key made of its bytes, so that nothing is lost
and no part can hold up its neighbours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast

from bridge.ids import RoomId
from bridge.matrix.reader import BadJson, Reader, TooMuch, read_text

PartKind = Literal["event", "receipt", "to_device", "device_lists", "key_counts"]

MAX_ID_BYTES = 255
"""Matrix limits every identifier to this (specification, appendix Identifier Grammar)."""

MAX_PARTS = 10_000
"""Elements and what is made of them. An honest transaction has at most 100 events, 100 ephemeral and 100
to-device parts, each of which counts twice; a receipt may name many readers, and others may send more."""

_STABLE_AND_OLD: Mapping[str, Sequence[str]] = {
    "events": ("events",),
    "ephemeral": ("ephemeral", "de.sorunome.msc2409.ephemeral"),
    "to_device": ("to_device", "de.sorunome.msc2409.to_device"),
    "device_lists": ("device_lists", "org.matrix.msc3202.device_lists"),
    "key_counts": (
        "device_one_time_keys_count",
        "org.matrix.msc3202.device_one_time_keys_count",
        "org.matrix.msc3202.device_one_time_key_counts",
    ),
    "fallback_keys": (
        "device_unused_fallback_key_types",
        "org.matrix.msc3202.device_unused_fallback_key_types",
    ),
}
"""Names of the parts, the stable one first: Synapse still sends the old ones, others only the new."""


@dataclass(frozen=True)
class Received:
    """One durable part of a transaction.

    ``lane`` is the room, or empty for what belongs to none. ``key`` is unique for the part within
    its kind: the event id, or a digest. ``body`` is the part as canonical JSON.
    """

    kind: PartKind
    lane: RoomId
    key: str
    body: bytes = field(repr=False)


class Intake(Protocol):
    """Where the endpoint puts what it received."""

    async def accept(self, received: Sequence[Received]) -> None:
        """Return once all of it is durable, skipping each known (kind, key); an exception: not stored."""
        ...


def read_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object in ``body``; ``NotJson``, ``BadJson`` or ``TooMuch`` otherwise."""
    reader = Reader(read_text(body))
    return {name: reader.value() for name in reader.members()}


def split(transaction_id: str, body: bytes) -> list[Received]:
    """The durable parts of a transaction in their order; typing and presence are not durable.

    ``NotJson`` or ``BadJson`` when the transaction as a whole cannot be understood, ``TooMuch`` when it
    holds more than an honest one. No more than one element of it is built at a time.
    """
    reader, room = Reader(read_text(body)), _Room()
    lists: dict[str, list[Received]] = {}
    state: dict[str, Any] = {}
    try:
        for name in reader.members():
            if (parts_of := _LISTS.get(name)) is not None:
                lists[name] = list(room.bounded(parts_of(element) for element in reader.elements()))
            elif (value := reader.value()) is not None and name in _STATE:
                state[name] = value
        parts = [part for kind in _PARTS_OF for part in _first(lists, _STABLE_AND_OLD[kind]) or ()]
        parts += _device_state(transaction_id, state)
    except RecursionError as error:
        raise BadJson from error
    return parts


class _Room:
    """How many parts there is still room for."""

    def __init__(self) -> None:
        self._left = MAX_PARTS

    def bounded(self, elements: Iterable[Iterator[Received]]) -> Iterator[Received]:
        """The parts of each element; ``TooMuch`` as soon as there are too many of either."""
        for element in elements:
            self._count()
            for part in element:
                self._count()
                yield part

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooMuch


def _first(transaction: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((transaction[name] for name in names if name in transaction), None)


def _canonical(value: Any) -> bytes:
    """Canonical JSON; a lone surrogate, which JSON can name but UTF-8 cannot, survives for json.loads."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _digest(*parts: str | bytes) -> str:
    state = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big") + data)
    return "digest:" + state.hexdigest()


def _id(value: Any) -> str | None:
    """An identifier that can be stored, or None: PostgreSQL, for one, takes no NUL in a text."""
    if not isinstance(value, str) or not value or not value.isprintable():
        return None
    try:
        return value if len(value.encode()) <= MAX_ID_BYTES else None
    except UnicodeEncodeError:
        return None


def _event(event: Any) -> Iterator[Received]:
    body = _canonical(event)
    fields = event if isinstance(event, dict) else {}
    key = _id(fields.get("event_id")) or _digest(body)
    yield Received("event", RoomId(_id(fields.get("room_id")) or ""), key, body)


def _receipts(edu: Any) -> Iterator[Received]:
    """Read receipts, one for each room, user and event."""
    if not isinstance(edu, dict) or edu.get("type") != "m.receipt":
        return
    room, content = _id(edu.get("room_id")), edu.get("content")
    if room is None or not isinstance(content, dict):
        return
    for event, user, data in _readers(content):
        part = {"room_id": room, "user_id": user, "event_id": event, "type": "m.read", "data": data}
        yield Received("receipt", RoomId(room), _digest(room, user, event), _canonical(part))


def _readers(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for event, types in content.items():
        users = types.get("m.read") if isinstance(types, dict) else None
        for user, data in users.items() if isinstance(users, dict) else ():
            if _id(event) and _id(user):
                yield event, user, data


def _to_device(message: Any) -> Iterator[Received]:
    body = _canonical(message)
    yield Received("to_device", RoomId(""), _digest(body), body)


def _device_state(transaction_id: str, transaction: Mapping[str, Any]) -> Iterator[Received]:
    """Device lists and key counts; the same words mean news later, so the key names the transaction."""
    lists = _first(transaction, _STABLE_AND_OLD["device_lists"])
    if isinstance(lists, dict) and any(lists.values()):
        body = _canonical(lists)
        yield Received("device_lists", RoomId(""), _digest(transaction_id, body), body)
    counts = {
        "one_time_keys_count": _first(transaction, _STABLE_AND_OLD["key_counts"]),
        "unused_fallback_key_types": _first(transaction, _STABLE_AND_OLD["fallback_keys"]),
    }
    known = cast(dict[str, Any], {name: value for name, value in counts.items() if value})
    if known:
        body = _canonical(known)
        yield Received("key_counts", RoomId(""), _digest(transaction_id, body), body)


_PARTS_OF: Mapping[str, Callable[[Any], Iterator[Received]]] = {
    "events": _event,
    "ephemeral": _receipts,
    "to_device": _to_device,
}
"""What each element of a list becomes."""
_LISTS = {name: parts_of for kind, parts_of in _PARTS_OF.items() for name in _STABLE_AND_OLD[kind]}
_STATE = frozenset(name for kind, names in _STABLE_AND_OLD.items() if kind not in _PARTS_OF for name in names)
