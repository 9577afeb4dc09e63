"""Refusals of the network, named for what they concern: a login, a question, a person."""

from __future__ import annotations

from bridge.errors import BridgeError, GiveUp, TryAgain
from bridge.profile import Reason, Refusal
from bridge.sentences import say


class LoginRefused(BridgeError):
    """The network refused a login. ``reason`` says what becomes of the account.

    ``code`` is the network's own word, for the log; ``retry_after`` the least number of seconds to
    wait, when the network named one.
    """

    def __init__(self, code: str, reason: Reason, *, retry_after: float | None = None) -> None:
        super().__init__(f"login refused: {code}")
        self.code, self.reason, self.retry_after = code, reason, retry_after


class NetworkBusy(TryAgain):
    """The network answered with an error that may pass: a rate, a fault of its own."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the network answers {code}")
        self.code = code


class QuestionRefused(GiveUp):
    """The network answered a question with an error that will be the same next time."""

    def __init__(self, code: int, sentence_key: str = "network.refused") -> None:
        super().__init__(say(sentence_key, code=code))
        self.code = code


class PersonUnreachable(QuestionRefused):
    """Nobody to write to: not registered, not opted in, blocked. The network does not say which."""

    def __init__(self, code: int) -> None:
        super().__init__(code, "network.person_unreachable")


UNKNOWN_LOGIN_FAILURE = Reason(state=Refusal.SUSPENDED, sentence="login.unknown_reason")
"""A reason the profile does not list: nothing is sent until a person has looked."""
UNKNOWN_ENLIST_REASON = Reason(state=Refusal.SUSPENDED, sentence="enlist.unknown_reason")
