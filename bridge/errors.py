"""Every failure is named for what happens next.

Edges translate foreign exceptions into these, most specific first. Anything
else that escapes is a mistake of ours and is treated as such: the entry that
met it is kept, counted and tried again later, never dropped.
"""

from __future__ import annotations

from bridge.sentences import Sentence

LONGEST_ASKED_SECONDS = 3600.0
"""The longest wait that another side may name: a longer one is a mistake, and asking once an hour does
no harm."""


class BridgeError(Exception):
    """The root of all errors raised on purpose."""


class TryAgain(BridgeError):
    """It did not work now; the same thing may work later.

    ``after`` is the least number of seconds to wait, when the other side named one (an hour at most).
    It may have happened all the same: repeat it only by the same key.
    """

    def __init__(self, why: str, *, after: float | None = None) -> None:
        super().__init__(why)
        self.after = None if after is None else min(after, LONGEST_ASKED_SECONDS)


class GiveUp(BridgeError):
    """It will never work; the person concerned is told ``sentence``."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(sentence.key)
        self.sentence = sentence


class PeerFault(BridgeError):
    """The other side broke its own rules; it is counted and acknowledged as the rules say."""


class Misconfigured(BridgeError):
    """The admin has to change something: where, what is wrong, and the remedy.

    ``exit_code`` is the process's exit code when this ends a start
    (the ecosystem's numbers; ours are 40 and above).
    """

    def __init__(self, where: str, what: str, remedy: str, *, exit_code: int = 11) -> None:
        super().__init__(f"{where}: {what} {remedy}")
        self.where, self.what, self.remedy, self.exit_code = where, what, remedy, exit_code


class ProtocolError(BridgeError):
    """A rule of the wire or of the cryptography was broken."""


class LocalProtocolError(ProtocolError):
    """We tried to do what the protocol does not allow now: a mistake of ours."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow; nothing of our state has moved."""
