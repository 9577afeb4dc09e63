"""A simulated bridge's world as JSON: homeserver, network, contact and keys, saved beside its database."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from bridge.curve import key_pair
from bridge.e2ee.keys import OwnKeys, SignedPreKey
from bridge.e2ee.record import Record
from bridge.ids import EventId, RoomId, UserId
from bridge.wire import stanza as codec
from tests.rules.sandbox_support import dice
from tests.sim.contact import SimulatedContact
from tests.sim.homeserver import Event
from tests.sim.whole import Whole

FOLDER = Path(__file__).parent
DATABASE = "bridge.db"

Values = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """What must become of the work that was under way.

    ``to_contact``: texts the contact has or gets, in order; ``events``: the Matrix event of each.
    ``to_user``: texts the user has or gets, in order, by contact. ``account_state``: at the end, if an
    account is expected to move.
    """

    to_contact: list[str]
    events: dict[str, str]
    to_user: dict[str, list[str]]
    account_state: str


async def save(bridge: Whole, expected: Expected, target: Path) -> None:
    """Write ``<target>.db.gz`` and ``<target>.json`` of a bridge, which is stopped."""
    await bridge.stop()
    source = bridge._folder / DATABASE
    copy = bridge._folder / "copy.db"
    connection = apsw.Connection(str(source))
    connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    target.parent.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(copy.read_bytes(), mtime=0)
    target.with_suffix(".db.gz").write_bytes(packed)
    values = {"expected": expected.__dict__, **_values(bridge)}
    target.with_suffix(".json").write_text(
        json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def unpack(source: Path, target: Path) -> Path:
    """Copy a golden database to ``target``."""
    with gzip.open(source.with_suffix(".db.gz")) as packed, target.open("xb") as unpacked:
        shutil.copyfileobj(packed, unpacked)
    return target


def load(source: Path, folder: Path, **settings: Any) -> tuple[Whole, Expected]:
    """A bridge on a copy of a golden database in ``folder``, not started; nothing is refused any more."""
    unpack(source, folder / DATABASE)
    values: Values = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
    bridge = Whole(folder, **settings)
    bridge._random.draw = dice(f"after {source.name}")  # a nonce of the first life never comes again
    bridge._keeper_key = bytes.fromhex(values["keeper_key"])
    bridge.clock.jump(values["now"] - bridge.clock.now())
    bridge.talk = RoomId(values["talk"])
    _restore_homeserver(bridge, values["homeserver"])
    _restore_contact(bridge, values["contact"])
    _restore_network(bridge, values["network"])
    return bridge, Expected(**values["expected"])


def _values(bridge: Whole) -> Values:
    return {
        "now": bridge.clock.now(),
        "keeper_key": bridge._keeper_key.hex(),
        "talk": bridge.talk,
        "homeserver": _homeserver(bridge),
        "network": _network(bridge),
        "contact": _contact(bridge.contact),
    }


def _homeserver(bridge: Whole) -> Values:
    home = bridge.home
    return {
        "rooms": home.rooms,
        "names": home.names,
        "events": [list(event.__dict__.values()) for event in home.events],
        "redacted": home.redacted,
        "read": home.read,
        "aliases": home.aliases,
        "sent": [[*key, event_id] for key, event_id in home._sent.items()],
    }


def _restore_homeserver(bridge: Whole, values: Values) -> None:
    home = bridge.home
    home.rooms = values["rooms"]
    home.names = values["names"]
    home.events = [Event(*event) for event in values["events"]]
    home.redacted = values["redacted"]
    home.read = [(UserId(user), EventId(event)) for user, event in values["read"]]
    home.aliases = values["aliases"]
    home._sent = {(user, room, key): event for user, room, key, event in values["sent"]}


def _network(bridge: Whole) -> Values:
    network = bridge.network
    directory = None
    if network.directory is not None:
        own, signed = network.directory
        directory = [_own(own), _signed(signed)]
    return {
        "directory": directory,
        "prekeys": network.prekeys,
        "mailbox": [codec.encode(stanza).hex() for stanza in network._mailbox],
    }


def _restore_network(bridge: Whole, values: Values) -> None:
    if values["directory"] is not None:
        own, signed = values["directory"]
        bridge.network.directory = _read_own(own), _read_signed(signed)
    bridge.network.prekeys = values["prekeys"]
    bridge.network._mailbox = [codec.decode(bytes.fromhex(stanza)) for stanza in values["mailbox"]]


def _contact(contact: SimulatedContact) -> Values:
    return {
        "own": _own(contact._own),
        "signed": _signed(contact._signed),
        "record": contact._record.to_bytes().hex() if contact._record is not None else None,
        "name": contact.name,
        "received": contact.received,
        "replies": contact.replies,
        "ids": contact.ids,
    }


def _restore_contact(bridge: Whole, values: Values) -> None:
    contact = bridge.contact
    contact._rng = bridge._random.draw
    contact._own = _read_own(values["own"])
    contact._signed = _read_signed(values["signed"])
    record = values["record"]
    contact._record = Record.from_bytes(bytes.fromhex(record)) if record is not None else None
    contact.name = values["name"]
    contact.received, contact.replies, contact.ids = values["received"], values["replies"], values["ids"]


def _own(own: OwnKeys) -> list[Any]:
    return [own.registration_id, own.identity.private.hex()]


def _read_own(values: list[Any]) -> OwnKeys:
    return OwnKeys(values[0], key_pair(bytes.fromhex(values[1])))


def _signed(signed: SignedPreKey) -> list[Any]:
    return [signed.id, signed.pair.private.hex(), signed.signature.hex()]


def _read_signed(values: list[Any]) -> SignedPreKey:
    return SignedPreKey(values[0], key_pair(bytes.fromhex(values[1])), bytes.fromhex(values[2]))
