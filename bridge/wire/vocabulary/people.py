"""Look up people, ask to reach them, and leave. The form of these stanzas is our choice.

    get  <resolve service identifier/> or <resolve jid/>  -> <user jid service identifier [name]/>
                                                             or error 404, always the same one
    set  <reach jid/>                                     -> an empty result, always
    set  <delete/>                                        -> an empty result, then the end

The names come from the profile, because the network's own are not public.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.errors import RemoteProtocolError
from bridge.ids import Jid
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import iq
from bridge.wire.vocabulary.reading import Reading, attributes


@dataclass(frozen=True)
class PeopleNames:
    """The profile's words: the ``xmlns`` (also the type of notifications) and the tags."""

    xmlns: str
    resolve: str
    reach: str
    delete: str


@dataclass(frozen=True)
class ResolveIdentifier:
    """Look up ``identifier``, as people write it, on ``service``."""

    service: str
    identifier: str = field(repr=False)


@dataclass(frozen=True)
class ResolveJid:
    """Look up an internal identifier, of a person who wrote first."""

    jid: Jid


@dataclass(frozen=True)
class Reach:
    """Ask to reach this person; the answer does not show whether the person exists."""

    jid: Jid


@dataclass(frozen=True)
class Delete:
    """Delete the account and all its data."""


PeopleRequest = ResolveIdentifier | ResolveJid | Reach | Delete


@dataclass(frozen=True)
class Person:
    """A reachable person; ``name`` comes from the server."""

    jid: Jid
    service: str
    identifier: str = field(repr=False)
    name: str | None = field(default=None, repr=False)


def request(id: str, asked: PeopleRequest, names: PeopleNames) -> Stanza:
    """The query ``asked`` under the profile's ``names``."""
    if isinstance(asked, ResolveIdentifier):
        node = Stanza(names.resolve, attributes(service=asked.service, identifier=asked.identifier))
    elif isinstance(asked, ResolveJid):
        node = Stanza(names.resolve, attributes(jid=asked.jid))
    elif isinstance(asked, Reach):
        node = Stanza(names.reach, attributes(jid=asked.jid))
    else:
        node = Stanza(names.delete)
    resolving = isinstance(asked, ResolveIdentifier | ResolveJid)
    return iq.Request(id, "get" if resolving else "set", names.xmlns, (node,)).to_stanza()


def parse_request(asked: iq.Request, names: PeopleNames) -> PeopleRequest:
    """Read a query; RemoteProtocolError for an unknown one."""
    if asked.xmlns != names.xmlns or len(asked.content) != 1:
        raise RemoteProtocolError("<iq>: not a question about people")
    node = asked.content[0]
    reading = Reading(node, node.tag)
    found: PeopleRequest
    if (asked.action, node.tag) == ("get", names.resolve):
        jid = reading.optional_jid("jid")
        if jid is not None:
            found = ResolveJid(jid)
        else:
            found = ResolveIdentifier(reading.text("service"), reading.text("identifier"))
    elif (asked.action, node.tag) == ("set", names.reach):
        found = Reach(reading.jid("jid"))
    elif (asked.action, node.tag) == ("set", names.delete):
        found = Delete()
    else:
        raise RemoteProtocolError("<iq>: an unknown question about people")
    reading.done()
    return found


def person_answer(id: str, person: Person) -> Stanza:
    """The answer to both look-ups; a refusal is an ``iq.Failure``."""
    user = attributes(jid=person.jid, service=person.service, identifier=person.identifier, name=person.name)
    return iq.Result(id, (Stanza("user", user),)).to_stanza()


def parse_person(result: iq.Result) -> Person:
    """Read the answer to a look-up."""
    reading = Reading(result.child("user"), "user")
    person = Person(
        jid=reading.jid("jid"),
        service=reading.text("service"),
        identifier=reading.text("identifier"),
        name=reading.shortened_text("name"),
    )
    reading.done()
    return person
