"""The lives of an account, a message and a connection, each as one transition table."""

from __future__ import annotations

from bridge.errors import LocalProtocolError
from bridge.lifecycle.account import ACCOUNT
from bridge.lifecycle.account import AccountEvent as Happening
from bridge.lifecycle.reminders import DAY_S, due_reminders, has_expired
from bridge.states import AccountState

__all__ = ["DAY_S", "Happening", "after", "due_reminders", "has_expired"]


def after(state: AccountState, happening: Happening) -> AccountState:
    """The state that follows; ``LocalProtocolError`` when nothing does."""
    transition = ACCOUNT.after(state, happening)
    if transition.ignored:
        raise LocalProtocolError(f"an account, {state.value}: event {happening.value!r} changes nothing")
    return transition.state
