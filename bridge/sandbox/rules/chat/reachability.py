"""Who can reach whom: resolving, opting in and out, reachability requests.

Unknown, not opted in and blocked get the same answer.
"""

from __future__ import annotations

from bridge.ids import Jid
from bridge.sandbox.rules.accounts.registry import normalised
from bridge.sandbox.rules.chat import delivery
from bridge.sandbox.rules.state import State
from bridge.wire.vocabulary import notification, people
from bridge.wire.vocabulary.people import ResolveIdentifier, ResolveJid


def may_contact(state: State, one: Jid, other: Jid) -> bool:
    """Whether an account and a person may contact each other (device 0 only)."""
    if other.device or (one in state.registry.accounts) == (other in state.registry.accounts):
        return False
    account = state.registry.accounts.get(other)
    if account is not None:
        return account.enlisted
    person = state.people.get(other)
    if person is None or not person.opted_in or one in person.blocked:
        return False
    # The first service is the gatekeeper's own; the others are partners, as we are.
    return state.profile.partner_to_partner or state.profile.services[0].owns(other)


def resolve(state: State, asker: Jid, asked: ResolveIdentifier | ResolveJid) -> people.Person | None:
    """The person or account, when ``asker`` may know of it. People can look up accounts by JID."""
    if isinstance(asked, ResolveJid):
        jid = asked.jid
    else:
        service = state.profile.service(asked.service)
        if service is None:
            return None
        jid = state.registry.person_jid(service, normalised(service, asked.identifier))
    if not may_contact(state, asker, jid):
        return None
    person = state.people.get(jid)
    if person is not None:
        return people.Person(jid, person.service, person.identifier, person.name)
    account = state.registry.accounts[jid]
    return people.Person(jid, state.profile.id, account.identifier, account.name)


def request(state: State, asker: Jid, target: Jid, now: float) -> None:
    """Ask a person to become reachable; one who has opted in is reachable at once."""
    person = state.people.get(target)
    if person is None or asker in person.blocked:
        return
    state.reach_requests.setdefault(target, set()).add(asker)
    person.pings += 1
    if person.answers_pings:
        person.opted_in = True
    if person.opted_in:
        _notify(state, target, asker, now)


def set_opted_in(state: State, target: Jid, opted_in: bool, now: float) -> None:
    """Turn a person's third-party chats on or off, and notify those who asked for or know them."""
    person = state.people[target]
    if person.opted_in == opted_in:
        return
    person.opted_in = opted_in
    interested = state.reach_requests.get(target, set()) | state.registry.known_by.get(target, set())
    for asker in sorted(interested):
        if asker in state.registry.accounts and asker not in person.blocked:
            _notify(state, target, asker, now)


def _notify(state: State, target: Jid, asker: Jid, now: float) -> None:
    reachable = state.people[target].opted_in
    what = notification.Reachability(state.new_id(), target, reachable, int(now))
    delivery.notify(state, asker, what, now)
