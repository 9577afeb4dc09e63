"""The life of a connection: every state with every event."""

from __future__ import annotations

from bridge.lifecycle.connection import CONNECTION, ConnectionEffect, ConnectionEvent, ConnectionState
from tests.rules.lifecycle_support import (
    check_every_cell,
    dead_effects,
    dead_events,
    effects,
    reachable,
)

CELLS = """
                    idle       connecting  open        closing     backing_off conflict  refused    forgotten
wanted              connecting -           -           -           -           -         connecting .
opened              .          open        .           .           .           .         .          .
unreachable         .          backing_off backing_off backing_off .           .         .          .
refused for now     .          backing_off .           .           .           .         .          .
login refused       .          refused     .           .           .           .         .          .
not enlisted        .          refused     .           .           .           .         .          .
of no more use      .          .           closing     .           .           .         .          .
closed by us        .          .           idle        idle        .           .         .          .
lost                .          .           backing_off .           .           .         .          .
silent              .          .           idle        .           .           .         .          .
replaced            .          .           conflict    .           .           .         .          .
replaced too often  .          .           refused     .           .           .         .          .
unexpected error    backing_off backing_off backing_off backing_off backing_off backing_off backing_off .
wait over           .          .           .           .           idle        idle      .          .
enlisted again      idle       connecting  -           -           backing_off -         idle       .
forget              forgotten  forgotten   forgotten   forgotten   forgotten   forgotten forgotten  -
"""

DROP, WANT, REFUSE = "drop the link", "want it again", "refuse whoever waits"
EFFECTS = {
    ("idle", "enlisted again"): ("forget the refusal",),
    ("connecting", "opened"): ("note the time", "forget the refusal", "release whoever waits"),
    ("connecting", "unreachable"): (DROP, WANT),
    ("connecting", "refused for now"): (WANT,),
    ("connecting", "login refused"): ("change the account", REFUSE),
    ("connecting", "not enlisted"): (REFUSE,),
    ("connecting", "unexpected error"): (DROP, WANT),
    ("connecting", "enlisted again"): ("forget the refusal",),
    ("open", "unreachable"): (DROP,),
    ("open", "closed by us"): (DROP,),
    ("open", "lost"): (DROP, WANT),
    ("open", "silent"): (DROP, WANT),
    ("open", "replaced"): (DROP,),
    ("open", "replaced too often"): (DROP, "tell the user", REFUSE),
    ("open", "unexpected error"): (DROP, WANT),
    ("closing", "closed by us"): (DROP,),
    ("closing", "unreachable"): (DROP,),
    ("closing", "unexpected error"): (DROP,),
    ("backing off", "enlisted again"): ("forget the refusal",),
    ("refused", "enlisted again"): ("forget the refusal",),
    **{
        (state, "forget"): (REFUSE,) for state in ("idle", "connecting", "backing off", "conflict", "refused")
    },
    **{(state, "forget"): (DROP, REFUSE) for state in ("open", "closing")},
}


def test_connection_table_has_the_expected_cells() -> None:
    check_every_cell(CONNECTION, CELLS)


def test_connection_table_has_the_expected_effects() -> None:
    assert effects(CONNECTION) == EFFECTS
    assert dead_effects(CONNECTION, ConnectionEffect) == set()
    assert dead_events(CONNECTION) == set()


def test_only_a_forgotten_connection_has_ended() -> None:
    assert CONNECTION.final == {ConnectionState.FORGOTTEN}
    for state in ConnectionState:
        assert ConnectionState.FORGOTTEN in reachable(CONNECTION, state)
    for state in set(ConnectionState) - {ConnectionState.FORGOTTEN}:
        assert ConnectionState.OPEN in reachable(CONNECTION, state)


def test_waiters_are_refused_wherever_no_link_will_come() -> None:
    for row in CONNECTION.table.values():
        for event, cell in row.items():
            ends = cell is not None and cell.state in (ConnectionState.REFUSED, ConnectionState.FORGOTTEN)
            assert not ends or (cell and ConnectionEffect.REFUSE_WAITERS in cell.effects), event


def test_link_is_dropped_by_every_way_out_of_the_states_that_have_one() -> None:
    with_link = {ConnectionState.OPEN, ConnectionState.CLOSING}
    for state in with_link:
        for event, cell in CONNECTION.table[state].items():
            leaves = cell is not None and cell.state not in with_link
            assert not leaves or (cell and ConnectionEffect.DROP_LINK in cell.effects), event


def test_connection_that_broke_is_wanted_again() -> None:
    broken = (ConnectionEvent.LOST, ConnectionEvent.SILENT, ConnectionEvent.FAULT)
    for event in broken:
        owed = CONNECTION.after(ConnectionState.OPEN, event).effects
        assert ConnectionEffect.WANT_AGAIN in owed
