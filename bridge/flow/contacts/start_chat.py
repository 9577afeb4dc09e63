"""Chats that the user starts, and what they ask of their connection."""

from __future__ import annotations

from bridge.errors import BridgeError
from bridge.flow import outbox
from bridge.flow.connections.registry import Connections
from bridge.flow.contacts.contacts import People, Person
from bridge.flow.contacts.portals import Portals
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring
from bridge.ids import AccountId, EventId, RoomId, UserId
from bridge.matrix import events
from bridge.policy import Act, Allow
from bridge.profile import Service
from bridge.sentences import Sentence, say
from bridge.store.journal import Entry, New
from bridge.store.tables.accounts import Account


class Chats:
    """Finds people on the network and opens their portals."""

    def __init__(
        self, parts: Parts, keyring: Keyring, people: People, portals: Portals, connections: Connections
    ) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people
        self._portals = portals
        self._connections = connections

    def search(self, account: Account, event: events.Event, service: Service, identifier: str) -> New:
        """The entry for a search: in a lane of its own, so that a slow one holds up nobody."""
        return outbox.task(
            outbox.START_CHAT,
            account.account_id,
            event.id,
            lane=f"search:{event.id}",
            room=event.room,
            event=event.id,
            user=event.sender,
            service=service.id,
            identifier=identifier,
        )

    async def start(self, entry: Entry) -> None:
        """The step for a search: resolve, meet, make the portal, and say so."""
        assert entry.account_id is not None
        values = outbox.values_of(self._parts.journal.read(entry))
        unlocked = await self._keyring.unlock(entry.account_id)
        service = self._parts.profile.service(values["service"])
        if unlocked is None or service is None:
            await self._parts.journal.settle(entry)
            return
        label = self._parts.label(service)
        account = unlocked.account
        facts = self._parts.facts(account.user_id, account.state, service=service)
        decision = self._parts.decide(Act.NEW_CHAT, facts)
        if not isinstance(decision, Allow):
            await self._tell(entry, values, decision.sentence)
            return
        found = await self._connections.resolve(entry.account_id, service.id, values["identifier"])
        if found is None or self._parts.profile.service_of(found.jid) != service:
            await self._tell(entry, values, say("start_chat.nobody", service=label))
            return
        person = Person(found.jid, service, found.identifier, found.name)
        contact = await self._people.meet(unlocked, person)
        contact = await self._people.learn(unlocked, contact, person)
        contact = await self._portals.ready(unlocked, contact, user_started=True)
        await self._tell(entry, values, say("start_chat.ready", name=contact.shown_name))

    async def _tell(self, entry: Entry, values: outbox.Values, sentence: Sentence) -> None:
        notice = outbox.Notice(
            RoomId(values["room"]), sentence, EventId(values["event"]), UserId(values["user"])
        )
        await self._parts.journal.settle(entry, notice.owed(b"search" + entry.entry_id))

    def is_connected(self, account_id: AccountId) -> bool:
        """Whether the account's connection is open now."""
        return self._connections.open_link(account_id) is not None

    async def ping(self, account_id: AccountId) -> bool:
        """Connect, ask the server for a sign of life, and take in what waits."""
        try:
            await self._connections.ping(account_id)
        except BridgeError:
            return False
        return True
