"""Who somebody is that writes first: asked of the network when it is at hand, never waited for."""

from __future__ import annotations

from bridge.errors import BridgeError
from bridge.flow.connections.registry import Connections
from bridge.flow.contacts.contacts import Contact, People, Person
from bridge.flow.keyring import Unlocked
from bridge.ids import Jid
from bridge.labels import clean_name
from bridge.profile import Service


class Strangers:
    """Meets contacts who write to us."""

    def __init__(self, people: People, connections: Connections) -> None:
        self._people = people
        self._connections = connections

    async def contact(
        self, unlocked: Unlocked, service: Service, jid: Jid, shown_name: str | None
    ) -> Contact:
        """The contact behind ``jid``; their newest name that can be shown is kept."""
        known = await self._people.by_jid(unlocked, jid)
        if known is None:
            person = await self._ask(unlocked, service, jid, shown_name)
            return await self._people.meet(unlocked, person)
        identifier = known.person.identifier
        name = _usable(shown_name) or known.person.name
        return await self._people.learn(unlocked, known, Person(jid, service, identifier, name))

    async def _ask(self, unlocked: Unlocked, service: Service, jid: Jid, shown_name: str | None) -> Person:
        fallback = f"+{jid.user}" if service.identifier_kind == "phone" else ""
        link = self._connections.open_link(unlocked.account.account_id)
        if link is not None:
            try:
                found = await link.resolve_jid(jid)
                if found is not None:
                    return Person(jid, service, found.identifier, _usable(shown_name) or found.name)
            except BridgeError:
                pass  # the message matters more than the name; the next one may bring it
        return Person(jid, service, fallback, _usable(shown_name))


def _usable(name: str | None) -> str | None:
    """The name as it came, or None when nothing of it can be shown."""
    return name if clean_name(name or "") else None
