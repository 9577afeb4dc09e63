"""The lives of messages, out and in: every state with every event; and the key of a message."""

from __future__ import annotations

import hashlib
import hmac
from enum import Enum
from typing import Any

import pytest

from bridge.ids import ContactId, StanzaId
from bridge.lifecycle.machine import Machine
from bridge.lifecycle.message import (
    INCOMING,
    OUTGOING,
    Direction,
    InEffect,
    InState,
    OutEffect,
    OutEvent,
    OutState,
    message_key,
)
from tests.rules.lifecycle_support import (
    check_every_cell,
    dead_effects,
    dead_events,
    effects,
    reachable,
)

OUT_CELLS = """
                              queued sealed    failed    unsure    withdrawn accepted  delivered read gone
sealed                        sealed .         .         .         .         .         .         .    .
given up before it left       failed failed    .         .         .         .         -         -    .
refused by the network        .      failed    .         .         .         .         -         -    .
given up after it may have left  .   unsure    .         .         .         .         -         -    .
removed before it left        .      withdrawn .         .         .         .         -         -    .
accepted by the network       .      accepted  .         .         .         -         -         -    -
delivery receipt              -      delivered delivered delivered -         delivered -         -    -
read receipt                  -      read      read      read      -         read      read      -    -
retry receipt                 -      sealed    -         -         -         accepted  -         -    -
account left                  failed unsure    gone      gone      gone      gone      gone      gone -
"""

NOT_SENT = ("tell the sender it was not sent",)
UNSURE = ("tell the sender it may have arrived",)
OUT_EFFECTS = {
    ("queued", "given up before it left"): NOT_SENT,
    ("queued", "account left"): NOT_SENT,
    ("sealed", "given up before it left"): NOT_SENT,
    ("sealed", "refused by the network"): NOT_SENT,
    ("sealed", "given up after it may have left"): UNSURE,
    ("sealed", "account left"): UNSURE,
    ("sealed", "accepted by the network"): ("status: sent",),
    **{
        (state, "delivery receipt"): ("show it as delivered",)
        for state in ("sealed", "accepted", "failed", "unsure")
    },
    **{
        (state, "read receipt"): ("show it as read",)
        for state in ("sealed", "accepted", "failed", "unsure", "delivered")
    },
    **{(state, "retry receipt"): ("seal it again",) for state in ("sealed", "accepted")},
}

IN_CELLS = """
                          arrived  dropped awaiting   opened     unreadable shown seen gone
refused by policy         dropped  .       -          -          -          -     -    .
seen before               dropped  .       -          -          -          -     -    .
cannot be opened          awaiting .       awaiting   -          unreadable -     -    .
cannot be opened again    awaiting .       awaiting   -          -          -     -    .
opened                    opened   .       opened     -          unreadable -     -    .
shown                     .        .       .          shown      shown      .     .    .
placeholder shown         .        .       .          unreadable unreadable .     .    .
no room took it for days  .        .       .          unreadable unreadable .     .    .
deadline                  .        .       unreadable -          -          -     -    -
hidden deadline           .        .       -          -          -          -     -    -
read in Matrix            .        .       -          -          -          seen  -    -
account left              gone     .       gone       gone       gone       gone  gone -
"""

IN_EFFECTS = {
    **{(state, "cannot be opened"): ("ask for it again",) for state in ("arrived", "awaiting", "unreadable")},
    **{(state, "cannot be opened again"): ("deadline now",) for state in ("arrived", "awaiting")},
    **{(state, "opened"): ("show it",) for state in ("arrived", "awaiting", "unreadable")},
    ("awaiting", "deadline"): ("tell the user it is unreadable",),
    ("opened", "shown"): ("delivery receipt",),
    ("opened", "no room took it for days"): ("tell the user it is lost",),
    ("unreadable", "shown"): ("take the placeholder back", "delivery receipt"),
    ("unreadable", "placeholder shown"): ("take the placeholder back",),
    ("unreadable", "no room took it for days"): ("tell the user it is lost",),
    ("shown", "read in Matrix"): ("read receipt",),
}

BOTH = [pytest.param(OUTGOING, id="out"), pytest.param(INCOMING, id="in")]
AnyMachine = Machine[Any, Any, Any]


@pytest.mark.parametrize(
    ("machine", "rows"), [(OUTGOING, OUT_CELLS), (INCOMING, IN_CELLS)], ids=["out", "in"]
)
def test_message_table_has_the_expected_cells(machine: AnyMachine, rows: str) -> None:
    check_every_cell(machine, rows)


def test_message_tables_have_the_expected_effects() -> None:
    assert effects(OUTGOING) == OUT_EFFECTS
    assert effects(INCOMING) == IN_EFFECTS
    assert dead_effects(OUTGOING, OutEffect) | dead_effects(INCOMING, InEffect) == set()


@pytest.mark.parametrize("machine", BOTH)
def test_every_message_event_and_state_has_a_use(machine: AnyMachine) -> None:
    unused = {event.value for event in dead_events(machine)}
    assert unused <= {"hidden deadline"}
    states: type[Enum] = type(machine.start)
    assert reachable(machine, machine.start) == set(states)


@pytest.mark.parametrize("machine", BOTH)
def test_message_never_goes_backwards(machine: AnyMachine) -> None:
    states: type[Enum] = type(machine.start)
    rank = {state: number for number, state in enumerate(states)}
    for state, row in machine.table.items():
        for event, cell in row.items():
            assert cell is None or rank[cell.state] >= rank[state], (state, event)


@pytest.mark.parametrize(
    ("machine", "effect"),
    [
        (OUTGOING, OutEffect.TELL_NOT_SENT),
        (OUTGOING, OutEffect.TELL_MAY_HAVE_ARRIVED),
        (OUTGOING, OutEffect.STATUS_ACCEPTED),
        (OUTGOING, OutEffect.SHOW_DELIVERED),
        (OUTGOING, OutEffect.SHOW_READ),
        (INCOMING, InEffect.TELL_UNREADABLE),
        (INCOMING, InEffect.OWE_DELIVERED),
        (INCOMING, InEffect.OWE_READ),
    ],
)
def test_effect_is_owed_once_in_a_life(machine: AnyMachine, effect: Enum) -> None:
    owing = {
        (state, cell.state)
        for state, row in machine.table.items()
        for cell in row.values()
        if cell is not None and effect in cell.effects
    }
    assert owing
    sources = {state for state, _ in owing}
    for _, following in owing:
        assert not reachable(machine, following) & sources


def test_failure_is_told_in_one_way_only() -> None:
    """Neither of the two sentences can follow the other."""
    assert OutState.UNSURE not in reachable(OUTGOING, OutState.FAILED)
    assert OutState.FAILED not in reachable(OUTGOING, OutState.UNSURE)


def test_message_ends_only_where_nothing_is_owed() -> None:
    assert OUTGOING.final == {OutState.GONE}
    assert INCOMING.final == {InState.GONE, InState.DROPPED}


@pytest.mark.parametrize("state", [OutState.FAILED, OutState.UNSURE])
def test_failed_message_always_tells_its_sender(state: OutState) -> None:
    told = OutEffect.TELL_NOT_SENT if state is OutState.FAILED else OutEffect.TELL_MAY_HAVE_ARRIVED
    into = [c for row in OUTGOING.table.values() for c in row.values() if c and c.state is state]
    assert into
    assert all(told in cell.effects for cell in into)


def test_only_an_unsealed_or_sealed_message_can_be_given_up() -> None:
    giving_up = (OutEvent.NOT_SENT, OutEvent.NACKED, OutEvent.GIVEN_UP, OutEvent.WITHDRAWN)
    changed = {
        state
        for state, row in OUTGOING.table.items()
        for event, cell in row.items()
        if cell and event in giving_up
    }
    assert changed == {OutState.QUEUED, OutState.SEALED}


def test_message_that_may_have_left_is_never_called_not_sent() -> None:
    for event in (OutEvent.GIVEN_UP, OutEvent.ACCOUNT_LEFT):
        assert OUTGOING.after(OutState.SEALED, event).effects == (OutEffect.TELL_MAY_HAVE_ARRIVED,)


def test_delivery_receipt_is_owed_only_for_words_that_stand_in_matrix() -> None:
    into_shown = set()
    for row in INCOMING.table.values():
        for cell in row.values():
            if cell is not None and InEffect.OWE_DELIVERED in cell.effects:
                into_shown.add(cell.state)
    assert into_shown == {InState.SHOWN}


def test_replaced_message_is_told_before_or_with_its_state() -> None:
    """Opened -> unreadable without words for the user happens only where a placeholder stands."""
    silent = {
        event.value
        for row in INCOMING.table.values()
        for event, cell in row.items()
        if cell is not None and cell.state is InState.UNREADABLE and not cell.effects
    }
    assert silent == {"placeholder shown"}


def test_states_in_the_database_keep_their_words() -> None:
    assert {"sealed", "accepted", "delivered", "read", "failed"} <= {state.value for state in OutState}
    assert {"awaiting", "opened", "shown", "seen", "unreadable"} <= {state.value for state in InState}


@pytest.mark.parametrize("direction", Direction)
def test_message_key_is_a_keyed_hash_of_framed_parts(direction: Direction) -> None:
    parts = [b"message", b"c" * 16, direction.value.encode(), b"3EB0A1"]
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    derived = message_key(b"k" * 32, ContactId(b"c" * 16), direction, StanzaId("3EB0A1"))
    assert derived == hmac.new(b"k" * 32, framed, hashlib.sha256).digest()[:16]
