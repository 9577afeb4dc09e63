"""The registry: partners and their users (accounts), and the JIDs of accounts and people."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from bridge.ids import INTEROP_SERVER, Jid
from bridge.profile import Service

DAY_S = 86_400.0
FIRST_NUMBER = 2**33
"""Account numbers exceed 32 bits, so that a client with a 32-bit field fails early."""
NUMBERS = 9 * 10**13
MAX_IDENTIFIER_CHARACTERS = 254
"""The length of the longest e-mail address (RFC 5321 section 4.5.3.1.3, less the brackets)."""


@dataclass
class Integrator:
    """A partner. ``iss`` is its issuer in tokens; ``base_url`` serves its keys and takes wake-ups."""

    number: int
    iss: str
    base_url: str
    registered: bool = True


@dataclass
class Account:
    """A partner's user. ``connection`` is None while offline; ``last_seen`` in unix seconds."""

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
    """Partners and accounts. ``seed`` keeps JIDs the same over restarts."""

    seed: bytes = field(repr=False)
    integrators: dict[int, Integrator] = field(default_factory=dict)
    accounts: dict[Jid, Account] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    not_eligible: set[str] = field(default_factory=set)
    known_by: dict[Jid, set[Jid]] = field(default_factory=dict)
    """Member -> who is notified of its new identity: those who fetched its keys or exchanged messages."""
    generations: dict[tuple[int, str], int] = field(default_factory=dict)
    """How often an identifier was deleted; the next account gets another number."""

    def integrator_named(self, iss: str) -> Integrator | None:
        """The registered partner that signs as ``iss``."""
        found = (each for each in self.integrators.values() if each.iss == iss and each.registered)
        return next(found, None)

    def account_numbered(self, number: int) -> Account | None:
        """The account with this number in its JID."""
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
        """From now on each is notified of the other's changes."""
        self.known_by.setdefault(one, set()).add(other)
        self.known_by.setdefault(other, set()).add(one)

    def account_jid(self, integrator: int, identifier: str) -> Jid:
        """The JID of a partner's user."""
        generation = self.generations.get((integrator, identifier), 0)
        user = self._number(f"account/{integrator}/{identifier}/{generation}")
        return Jid(str(user), INTEROP_SERVER, integrator)

    def person_jid(self, service: Service, identifier: str) -> Jid:
        """The JID of a person; for a phone number, the number itself."""
        if service.identifier_kind == "phone":
            return Jid(normalised(service, identifier).lstrip("+"), service.jid_server, service.integrator)
        user = self._number(f"person/{service.id}/{normalised(service, identifier)}")
        return Jid(str(user), service.jid_server, service.integrator)

    def forget(self, account: Account) -> None:
        """Remove an account and its contacts; its identifier becomes free."""
        del self.accounts[account.jid]
        key = (account.integrator, account.identifier)
        self.generations[key] = self.generations.get(key, 0) + 1
        for other in self.known_by.pop(account.jid, set()):
            self.known_by[other].discard(account.jid)

    def _number(self, what: str) -> int:
        digest = hashlib.sha256(self.seed + what.encode()).digest()
        return FIRST_NUMBER + int.from_bytes(digest[:8], "big") % NUMBERS


def normalised(service: Service, identifier: str) -> str:
    """The canonical spelling: digits for phones, lower case for addresses and handles."""
    if service.identifier_kind == "phone":
        return "+" + "".join(character for character in identifier if character in "0123456789")
    lowered = identifier.strip().lower()
    return "@" + lowered.lstrip("@") if service.identifier_kind == "handle" else lowered


def is_identifier(text: object) -> bool:
    """Whether a visible identifier is short enough and printable."""
    return isinstance(text, str) and 1 <= len(text) <= MAX_IDENTIFIER_CHARACTERS and text.isprintable()
