"""The gatekeeper: the entry point to all rules. Inputs come in with the time, outputs are taken out.

Each call finishes everything that follows from it, including people's answers and the server's answers
to those. Nothing here waits, so edges and simulations use it in the same way.
"""

from __future__ import annotations

from typing import Any

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.sandbox.people.simulated import SimulatedPerson
from bridge.sandbox.rules.accounts import enlistment, login
from bridge.sandbox.rules.accounts.enlistment import Arguments
from bridge.sandbox.rules.accounts.partner_keys import PartnerKeys
from bridge.sandbox.rules.accounts.registry import normalised
from bridge.sandbox.rules.chat import delivery, stanzas
from bridge.sandbox.rules.faults import Kind
from bridge.sandbox.rules.outputs import FetchKeys, Output
from bridge.sandbox.rules.person import Person
from bridge.sandbox.rules.state import State
from bridge.wire.stanza import Stanza, decode

NO_KEYS = b'{"keys": []}'


class UnknownPerson(Exception):
    """No such person, or no such service."""


class Gatekeeper:
    """The rules over one ``State``."""

    def __init__(self, state: State) -> None:
        self.state = state

    def enlist(self, arguments: Arguments, now: float, *, may_fetch: bool) -> dict[str, Any] | FetchKeys:
        """The reply to an enlistment, or the key set to fetch first."""
        reply = enlistment.enlist(self.state, arguments, now, may_fetch=may_fetch)
        self.settle(now)
        return reply

    def keys_fetched(self, integrator: int, document: bytes | None, now: float) -> None:
        """Take a fetched key set of a partner; None when the fetch failed."""
        faults = self.state.faults
        if faults.take(Kind.JWKS_OUTAGE):
            document = None
        elif document is not None and faults.take(Kind.UNKNOWN_KID):
            document = NO_KEYS
        self.state.tokens.keys.setdefault(integrator, PartnerKeys()).fetched(document, now)

    def log_in(
        self, connection: int, auth_key: bytes, payload: bytes, now: float, *, may_fetch: bool
    ) -> FetchKeys | None:
        """Accept or refuse a connection whose handshake is complete."""
        found = login.log_in(self.state, connection, auth_key, payload, now, may_fetch=may_fetch)
        self.settle(now)
        return found

    def take(self, connection: int, stanza: Stanza, now: float) -> None:
        """Take a stanza from a connection; ignored before the login."""
        sender = self.state.connections.get(connection)
        if sender is not None:
            stanzas.handle(self.state, sender, stanza, now)
        self.settle(now)

    def closed(self, connection: int, now: float) -> None:
        """Note that a connection ended."""
        member = self.state.connections.get(connection)
        account = None if member is None else self.state.registry.accounts.get(member)
        if account is not None and account.connection == connection:
            delivery.unbind(self.state, account, now)

    def tick(self, now: float) -> None:
        """Expire what is too old."""
        for account in list(self.state.registry.accounts.values()):
            delivery.expire(self.state, account, now)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Carry stanzas between people and server until none are left."""
        state = self.state
        while state.from_people or state.to_people:
            if state.from_people:
                sender, data = state.from_people.popleft()
                stanzas.handle(state, sender, decode(data), now)
                continue
            receiver, data = state.to_people.popleft()
            person = state.people.get(receiver)
            try:
                if person is not None:
                    person.receive(data, now)
            except RemoteProtocolError:
                state.log.counters["stanzas no person could read"] += 1

    def take_outputs(self) -> list[Output]:
        """What the edges must do now, in order."""
        outputs, self.state.outputs = self.state.outputs, []
        return outputs

    def add_person(
        self,
        service: str,
        identifier: str,
        name: str,
        now: float,
        *,
        external: bool = False,
        answer: str | None = None,
        opted_in: bool = True,
    ) -> Person:
        """Add a person; UnknownPerson when there is no such service."""
        state = self.state
        found = state.profile.service(service)
        if found is None:
            raise UnknownPerson(service)
        written = normalised(found, identifier)
        jid = state.registry.person_jid(found, written)
        person: Person
        if external:
            person = Person(jid, found.id, written, name, state.names, state.from_people, opted_in)
        else:
            person = SimulatedPerson(
                jid,
                found.id,
                written,
                name,
                state.names,
                state.from_people,
                opted_in,
                rng=state.rng,
                limits=state.profile.limits,
                answer=answer,
            )
        state.people[jid] = person
        self.settle(now)
        return person

    def person(self, jid: str) -> Person:
        """A person by internal identifier; UnknownPerson when there is none."""
        try:
            return self.state.people[Jid.parse(jid)]
        except (KeyError, ValueError):
            raise UnknownPerson(jid) from None
