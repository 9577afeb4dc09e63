"""What to tell somebody whose account cannot be used now, by where it stands."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.sentences import Sentence, say
from bridge.states import AccountState

_SENTENCES: Mapping[AccountState | None, str] = {
    None: "address.none",
    AccountState.AGREED: "policy.still_enlisting",
    AccountState.ENLISTING: "policy.still_enlisting",
    AccountState.EXPIRED: "policy.expired",
    AccountState.SUSPENDED: "policy.suspended",
    AccountState.LEAVING: "policy.leaving",
    AccountState.LEFT: "address.none",
}


def why_not(state: AccountState | None) -> Sentence | None:
    """Why an account in this state (None: there is none) is of no use now; None when it is."""
    return None if state is AccountState.ENLISTED else say(_SENTENCES[state])
