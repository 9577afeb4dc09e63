"""The state of the simulated network, as plain data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.ids import Jid
from bridge.profile import Profile
from bridge.sandbox.rules.accounts.registry import Account, Integrator, Registry
from bridge.sandbox.rules.accounts.tokens import Tokens
from bridge.sandbox.rules.chat.mailbox import Entry, Mailbox
from bridge.sandbox.rules.chat.prekeys import Directory
from bridge.sandbox.rules.faults import Faults
from bridge.sandbox.rules.log import Log
from bridge.sandbox.rules.outputs import Output
from bridge.sandbox.rules.person import Person
from bridge.sandbox.rules.rate_limit import Buckets
from bridge.sandbox.rules.variant import Variant
from bridge.wire.stanza import Stanza, encode
from bridge.wire.vocabulary.people import PeopleNames

Rng = Callable[[int], bytes]
"""n -> n random bytes."""


@dataclass
class State:
    """The network's state. ``to_people`` and ``from_people`` are queues of encoded stanzas."""

    profile: Profile
    variant: Variant
    rng: Rng
    push: PushSigner
    registry: Registry
    directory: Directory
    enlistments: Buckets
    tokens: Tokens
    mailboxes: dict[Jid, Mailbox] = field(default_factory=dict)
    connections: dict[int, Jid] = field(default_factory=dict)
    people: dict[Jid, Person] = field(default_factory=dict)
    reach_requests: dict[Jid, set[Jid]] = field(default_factory=dict)
    """Person -> who asked to reach them and waits for an answer."""
    held_back: dict[Jid, Entry] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    log: Log = field(default_factory=Log)
    to_people: deque[tuple[Jid, bytes]] = field(default_factory=deque)
    from_people: deque[tuple[Jid, bytes]] = field(default_factory=deque)
    outputs: list[Output] = field(default_factory=list)
    minimum_version: tuple[int, int, int] = (0, 0, 0)

    @property
    def names(self) -> PeopleNames:
        """The profile's names of requests about people."""
        words = self.profile.stanzas
        return PeopleNames(words.namespace, words.resolve, words.reach, words.delete)

    @property
    def server(self) -> Jid:
        """The server's JID, the sender of its notifications."""
        return Jid("", self.profile.services[0].jid_server)

    def mailbox(self, account: Jid) -> Mailbox:
        """The account's mailbox, made when first needed."""
        return self.mailboxes.setdefault(account, Mailbox())

    def new_id(self) -> str:
        """An id for a stanza from the server."""
        return self.rng(8).hex().upper()

    def post(self, person: Jid, stanza: Stanza) -> None:
        """Queue a stanza to a person, encoded."""
        self.to_people.append((person, encode(stanza)))

    def partner_of(self, account: Account) -> Integrator:
        """The account's partner."""
        return self.registry.integrators[account.integrator]


@dataclass(frozen=True)
class PushSigner:
    """The network's RSA key, which signs wake-ups. ``private_pem`` is PKCS #8."""

    kid: str
    private_pem: bytes = field(repr=False)


def make_state(
    profile: Profile, variant: Variant, rng: Rng, push: PushSigner, seed: bytes, partner_url: str
) -> State:
    """An empty network with one partner: the bridge."""
    allowed = variant.allowances
    registry = Registry(seed)
    own = profile.own
    registry.integrators[own.integrator] = Integrator(own.integrator, own.iss, partner_url.rstrip("/"))
    return State(
        profile=profile,
        variant=variant,
        rng=rng,
        push=push,
        registry=registry,
        directory=Directory(
            Buckets(allowed.key_fetches_burst, allowed.key_fetches_refill_s),
            profile.limits.prekeys_uploaded,
        ),
        enlistments=Buckets(allowed.enlistments_burst, allowed.enlistments_refill_s),
        tokens=Tokens(once=allowed.token_once),
    )
