"""The life of an account: every state with every event."""

from __future__ import annotations

from bridge.lifecycle.account import ACCOUNT, AccountEffect
from bridge.states import AccountState
from tests.rules.lifecycle_support import (
    check_every_cell,
    dead_effects,
    dead_events,
    effects,
    reachable,
)

CELLS = """
                          agreed    enlisting enlisted  expired   suspended leaving   left
keys made                 enlisting .         .         .         .         .         .
enlisted                  .         enlisted  .         .         .         -         .
refused                   expired   expired   .         .         .         -         .
suspended                 .         suspended suspended -         -         -         -
forgotten by the network  .         -         expired   -         -         -         -
enlist again              .         -         -         enlisting enlisting -         -
leave                     leaving   leaving   leaving   leaving   leaving   leaving   -
deleted                   .         .         .         .         .         left      -
"""

TELL = ("tell the owner",)
DELETE = ("delete at the network",)
EFFECTS = {
    ("agreed", "refused"): TELL,
    ("agreed", "leave"): DELETE,
    ("enlisting", "enlisted"): ("upload prekeys",),
    ("enlisting", "refused"): TELL,
    ("enlisting", "suspended"): TELL,
    ("enlisting", "leave"): DELETE,
    ("enlisted", "forgotten by the network"): TELL,
    ("enlisted", "suspended"): TELL,
    ("enlisted", "leave"): DELETE,
    ("expired", "enlist again"): ("enlist",),
    ("expired", "leave"): DELETE,
    ("suspended", "enlist again"): ("enlist",),
    ("suspended", "leave"): DELETE,
    ("leaving", "leave"): DELETE,
    ("leaving", "deleted"): ("destroy keys", "tell the owner", "tell every chat"),
}


def test_account_table_has_the_expected_cells() -> None:
    check_every_cell(ACCOUNT, CELLS)


def test_account_table_has_the_expected_effects() -> None:
    assert effects(ACCOUNT) == EFFECTS
    assert dead_effects(ACCOUNT, AccountEffect) == set()
    assert dead_events(ACCOUNT) == set()


def test_every_account_can_leave_in_the_end() -> None:
    for state in AccountState:
        assert AccountState.LEFT in reachable(ACCOUNT, state)
    assert ACCOUNT.final == {AccountState.LEFT}


def test_leaving_account_does_not_come_back() -> None:
    assert reachable(ACCOUNT, AccountState.LEAVING) == {AccountState.LEAVING, AccountState.LEFT}


def test_owner_is_told_of_every_state_the_network_puts_an_account_into() -> None:
    for state in (AccountState.EXPIRED, AccountState.SUSPENDED, AccountState.LEFT):
        into = [
            cell.effects
            for row in ACCOUNT.table.values()
            for cell in row.values()
            if cell and cell.state is state
        ]
        assert into
        assert all(AccountEffect.TELL_OWNER in owed for owed in into)
