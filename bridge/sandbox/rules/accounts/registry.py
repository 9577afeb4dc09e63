"""Who there is: partners, their users (accounts) and the network's people, by both of their names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from bridge.ids import INTEROP_SERVER, Jid
from bridge.profile import Service

DAY_S = 86_400.0
FIRST_NUMBER = 2**33
"""Account ids are longer than 32 bits, so that nobody keeps them in a 32-bit field."""
NUMBERS = 9 * 10**13
MAX_IDENTIFIER_CHARACTERS = 254
"""The length of the longest e-mail address (RFC 5321 section 4.5.3.1.3, less the brackets)."""


@dataclass
class Integrator:
    """A partner: ``iss`` names it in tokens, ``base_url`` is where its keys are and where it is woken."""

    number: int
    iss: str
    base_url: str
    registered: bool = True


@dataclass
class Account:
    """A partner's user. ``connection`` is None while there is none; ``last_seen`` unix seconds."""

    jid: Jid
    integrator: int
    identifier: str
    name: str
    auth_key: bytes = field(repr=False)
    last_seen: float
    enlisted: bool = True
    connection: int | None = None
    read_receipts: bool = True
    banned_until: float = 0.0
    locked: bool = False
    restricted: bool = False


@dataclass
class Registry:
    """All of them. ``seed`` makes internal identifiers that a restart does not change."""

    seed: bytes = field(repr=False)
    integrators: dict[int, Integrator] = field(default_factory=dict)
    accounts: dict[Jid, Account] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    not_eligible: set[str] = field(default_factory=set)
    known_by: dict[Jid, set[Jid]] = field(default_factory=dict)
    """Who is to hear of a member's new identity: those who fetched its keys or wrote with it."""
    generations: dict[tuple[int, str], int] = field(default_factory=dict)
    """How often an identifier was deleted: the next account gets another number."""

    def integrator_named(self, iss: str) -> Integrator | None:
        """The registered partner that signs as ``iss``."""
        found = (each for each in self.integrators.values() if each.iss == iss and each.registered)
        return next(found, None)

    def account_numbered(self, number: int) -> Account | None:
        """The account whose internal identifier has this number."""
        return next((each for each in self.accounts.values() if each.jid.user == str(number)), None)

    def account_of(self, integrator: int, identifier: str) -> Account | None:
        """The account of a visible identifier."""
        found = (
            each
            for each in self.accounts.values()
            if each.integrator == integrator and each.identifier == identifier
        )
        return next(found, None)

    def make_known(self, one: Jid, other: Jid) -> None:
        """Each is to hear of the other's news from now on."""
        self.known_by.setdefault(one, set()).add(other)
        self.known_by.setdefault(other, set()).add(one)

    def account_jid(self, integrator: int, identifier: str) -> Jid:
        """The internal identifier for a partner's user."""
        generation = self.generations.get((integrator, identifier), 0)
        user = self._number(f"account/{integrator}/{identifier}/{generation}")
        return Jid(str(user), INTEROP_SERVER, integrator)

    def person_jid(self, service: Service, identifier: str) -> Jid:
        """The internal identifier for a person; phone numbers are their own."""
        if service.identifier_kind == "phone":
            return Jid(normalised(service, identifier).lstrip("+"), service.jid_server, service.integrator)
        user = self._number(f"person/{service.id}/{normalised(service, identifier)}")
        return Jid(str(user), service.jid_server, service.integrator)

    def forget(self, account: Account) -> None:
        """Remove an account and who knew it; its identifier is free."""
        del self.accounts[account.jid]
        key = (account.integrator, account.identifier)
        self.generations[key] = self.generations.get(key, 0) + 1
        for other in self.known_by.pop(account.jid, set()):
            self.known_by[other].discard(account.jid)

    def _number(self, what: str) -> int:
        digest = hashlib.sha256(self.seed + what.encode()).digest()
        return FIRST_NUMBER + int.from_bytes(digest[:8], "big") % NUMBERS


def normalised(service: Service, identifier: str) -> str:
    """One spelling for one person: digits for phones, lower case for addresses and handles."""
    if service.identifier_kind == "phone":
        return "+" + "".join(character for character in identifier if character in "0123456789")
    lowered = identifier.strip().lower()
    return "@" + lowered.lstrip("@") if service.identifier_kind == "handle" else lowered


def is_identifier(text: object) -> bool:
    """Whether a visible identifier has a form that can be stored and shown."""
    return isinstance(text, str) and 1 <= len(text) <= MAX_IDENTIFIER_CHARACTERS and text.isprintable()
