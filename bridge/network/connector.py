"""What a network offers to the flows: two protocols, and the plain data they take and give.

``Connector`` is one network; ``Link`` one account's live connection to it. Errors of both:
``TryAgain`` for what may pass, ``GiveUp`` for what will not, ``LoginRefused`` where a login is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bridge.curve import KeyPair
from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import OwnKeys, PreKey, SignedPreKey
from bridge.ids import Jid
from bridge.network.backoff import End
from bridge.ports import Step
from bridge.profile import Reason
from bridge.wire.login import REASON_USER_ACTIVATED
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.people import Person

OnStanzas = Callable[[Sequence[Stanza]], Awaitable[Sequence[Stanza]]]
"""Takes the stanzas that arrived together, and gives what acknowledges them, which then leaves in order.

The next are not read before it returns, so it waits on nothing but the store. When it raises, the
connection ends and what was not acknowledged comes again."""


@dataclass(frozen=True)
class Subject:
    """Who a token speaks for: the identifier and the name others see, and the keys it is bound to.

    ``static`` (the chat key) and ``identity`` are public keys of 32 bytes.
    """

    identifier: str = field(repr=False)
    name: str = field(repr=False)
    static: bytes
    identity: bytes


@dataclass(frozen=True)
class Enlistment:
    """What one enlistment is made of. The same values again are the same enlistment."""

    identifier: str = field(repr=False)
    name: str = field(repr=False)
    static: KeyPair = field(repr=False)
    own: OwnKeys = field(repr=False)
    signed: SignedPreKey = field(repr=False)

    @property
    def subject(self) -> Subject:
        """Whom its token speaks for."""
        return Subject(self.identifier, self.name, self.static.public, self.own.identity.public)


@dataclass(frozen=True)
class Enlisted:
    """The network knows the account under ``login``."""

    login: Jid


@dataclass(frozen=True)
class EnlistRefused:
    """The network does not take the account.

    ``code`` is its own word, for the log; ``retry_after`` seconds when it named a time.
    """

    code: str
    reason: Reason
    retry_after: float | None = None


@dataclass(frozen=True)
class Credentials:
    """What a login takes: ``login`` as the enlistment gave it, the static chat key, and the subject."""

    login: Jid
    static: KeyPair = field(repr=False)
    identity: bytes
    identifier: str = field(repr=False)
    name: str = field(repr=False)
    read_receipts: bool = True

    @property
    def subject(self) -> Subject:
        """Whom its tokens speak for."""
        return Subject(self.identifier, self.name, self.static.public, self.identity)


class Link(Protocol):
    """One account's live connection. After its end every call raises ``TryAgain``."""

    @property
    def end(self) -> End | None:
        """Why it ended; None while it lives."""
        ...

    async def ended(self) -> End:
        """Wait for the end. Cancelling the caller does not touch the connection."""
        ...

    async def send(self, stanza: Stanza, *, step: Step) -> None:
        """Hand a stanza to the network; its acknowledgement comes as a stanza."""
        ...

    async def resolve(self, service: str, identifier: str) -> Person | None:
        """Who that is; None for nobody who can be written to, whatever the cause."""
        ...

    async def resolve_jid(self, jid: Jid) -> Person | None:
        """Who is behind an internal identifier."""
        ...

    async def fetch_keys(self, jid: Jid) -> PreKeyBundle:
        """A prekey bundle, its signature not yet checked; ``PersonUnreachable`` when there is none."""
        ...

    async def upload_keys(self, own: OwnKeys, signed: SignedPreKey, one_time: Sequence[PreKey]) -> None:
        """Give the directory these keys; those it knows already change nothing.

        ``signed`` is the one it hands out from now on; ``one_time`` may be empty.
        """
        ...

    async def prekey_count(self) -> int:
        """How many of our one-time prekeys the directory still has."""
        ...

    async def reach(self, jid: Jid) -> None:
        """Ask a person for permission to write; any answer comes later as a notification."""
        ...

    async def delete(self) -> None:
        """Remove the account from the network; keys are destroyed after this returns."""
        ...

    async def finish(self) -> None:
        """End the connection once nothing is on its way to us: what still came was given to the handler."""
        ...

    async def close(self) -> None:
        """End the connection at once; harmless when it ended before."""
        ...


class Connector(Protocol):
    """One network."""

    async def enlist(self, enlistment: Enlistment) -> Enlisted | EnlistRefused:
        """Make the account known; ``TryAgain`` when no answer came (it may have happened)."""
        ...

    async def connect(
        self, credentials: Credentials, on_stanzas: OnStanzas, *, reason: int = REASON_USER_ACTIVATED
    ) -> Link:
        """Log in. ``reason`` is one of ``REASON_`` in ``wire.login``.

        ``LoginRefused`` when the network says no, ``TryAgain`` for everything else.
        """
        ...
