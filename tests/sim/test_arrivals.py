"""What arrives is stored together; what cannot be stored or read concerns nothing that came with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.flow.connections.registry import Connections
from bridge.flow.contacts.contacts import People
from bridge.flow.contacts.first_contact import Strangers
from bridge.flow.contacts.portals import Portals
from bridge.flow.contacts.sessions import Sessions
from bridge.flow.inbound.pipeline import Inbound
from bridge.flow.inbound.receive import Arrivals
from bridge.flow.inbound.retries import Awaiting
from bridge.flow.inbound.show import Showing
from bridge.flow.keyring import Keyring
from bridge.flow.outbound.reports import Reports
from bridge.flow.outbound.retries import Retries
from bridge.flow.rooms.management import Reception
from bridge.flow.unknown_outcomes import Doubts
from bridge.ids import Jid
from bridge.network.connector import Connector
from bridge.wire import stanza as codec
from bridge.wire.stanza import Stanza, UnreadableStanza
from bridge.wire.vocabulary import ack
from tests.network.support import CONTACT
from tests.sim.flow_support import House, house
from tests.store.journal_support import bodies
from tests.wire.support import QUICK

BEYOND = Jid("4915112345678", "s.whatsapp.net", device=300)
"""An identifier that the codec does not write; nor does it read one, but that may change."""


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


def arrivals(house: House) -> Arrivals:
    """The flow, with those it gives its entries' names from."""
    parts = house.parts
    keyring, people, sessions, portals = Keyring(parts), People(parts), Sessions(parts), Portals(parts)
    connections = Connections(parts, keyring, cast(Connector, None))
    awaiting = Awaiting(parts, keyring, people, portals, connections)
    doubts = Doubts(parts)
    showing = Showing(parts, people, portals, doubts)
    inbound = Inbound(parts, keyring, people, sessions, showing, Strangers(people, connections), awaiting)
    reports = Reports(parts, keyring, people, connections, doubts, Reception(parts))
    return Arrivals(parts, inbound, reports, Retries(parts, keyring, people, sessions, connections))


def message(id: str, sender: Jid = CONTACT) -> Stanza:
    """A message; nobody opens it here."""
    inside = Stanza("enc", {"v": "2", "type": "msg"}, b"ciphertext of " + id.encode())
    return Stanza("message", {"from": sender, "id": id, "type": "text", "t": "1790000000"}, (inside,))


def answers(found: Sequence[Stanza]) -> list[tuple[str, int | None]]:
    """Whose acknowledgement, and the number when it is a refusal."""
    read = [ack.parse(stanza, "to") for stanza in found]
    return [(each.id, each.error) for each in read]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (message("bad", BEYOND), ack.PARSING_ERROR),
        (Stanza("message", {"from": CONTACT, "id": "bad"}), ack.PARSING_ERROR),
        (Stanza("receipt", {"from": CONTACT, "id": "bad", "t": "soon"}), ack.PARSING_ERROR),
        (Stanza("gossip", {"from": CONTACT, "id": "bad"}), ack.UNRECOGNISED_STANZA),
    ],
)
async def test_one_bad_stanza_is_refused_and_its_neighbours_are_stored(
    home: House, bad: Stanza, error: int
) -> None:
    good = [message("before"), message("behind")]
    found = await arrivals(home).take(home.unlocked, [good[0], bad, good[1]])
    assert answers(found) == [("before", None), ("bad", error), ("behind", None)]
    assert [codec.decode(body) for body in await bodies(home.parts.journal)] == good


@pytest.mark.parametrize("sender", ["4915112345678:300@s.whatsapp.net", "1:5@g.us", "1@No Server", "nobody@"])
async def test_one_from_nobody_who_could_be_answered_is_left_out(home: House, sender: str) -> None:
    bad = message("bad")
    bad = Stanza(bad.tag, {**bad.attributes, "from": sender}, bad.content)
    found = await arrivals(home).take(home.unlocked, [bad, message("good")])
    assert answers(found) == [("good", None)]
    assert len(await bodies(home.parts.journal)) == 1


@pytest.mark.parametrize("tag", sorted(ack.WITHOUT))
async def test_what_waits_for_no_acknowledgement_gets_none(home: House, tag: str) -> None:
    found = await arrivals(home).take(home.unlocked, [Stanza(tag, {"from": CONTACT, "id": "1"})])
    assert found == []
    assert await bodies(home.parts.journal) == []


WHOLE = [
    message("A1"),
    Stanza("receipt", {"from": CONTACT, "id": "A1", "t": "1790000000", "type": "read"}),
    Stanza(
        "receipt",
        {"from": CONTACT, "id": "A1", "type": "retry"},
        (
            Stanza("retry", {"count": "1", "id": "A1", "t": "1790000000", "v": "1"}),
            Stanza("registration", {}, b"1234"),
        ),
    ),
    Stanza("notification", {"from": CONTACT, "id": "N1", "type": "encrypt"}, (Stanza("identity"),)),
]
damages = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2), st.binary(max_size=2)), max_size=3)


@settings(QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(WHOLE), damages)
async def test_whatever_can_be_read_is_stored_or_left_out_and_its_answer_can_be_written(
    home: House, whole: Stanza, harm: list[tuple[int, int, bytes]]
) -> None:
    data = codec.encode(whole)
    for at, gone, come in harm:
        data = data[:at] + come + data[at + gone :]
    try:
        stanza = codec.decode(data)
    except UnreadableStanza:
        return
    for answer in await arrivals(home).take(home.unlocked, [stanza]):
        assert codec.decode(codec.encode(answer)) == answer
