"""The contacts of an account: who they are, unsealed, and how a new one is met."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bridge.flow import outbox
from bridge.flow.context import Parts
from bridge.flow.keyring import Unlocked
from bridge.ids import ContactId, Jid, RoomId, UserId, derive
from bridge.labels import contact_name
from bridge.ports import Row
from bridge.profile import Service
from bridge.store import kinds
from bridge.store.errors import AlreadyThere
from bridge.store.journal import New
from bridge.store.tables import contacts
from bridge.store.tables.contacts import ContactRow

_FACTS = "contact.facts"


@dataclass(frozen=True)
class Person:
    """Who somebody on the network is. ``identifier`` is what they are known by; empty: not known yet."""

    jid: Jid
    service: Service
    identifier: str = field(repr=False)
    name: str | None = field(repr=False)


@dataclass(frozen=True)
class Contact:
    """A person as one account knows them, with the ghost and the room that stand for them.

    ``fence`` guards units that change rows of the contact: it is the account's.
    """

    row: ContactRow
    fence: Row = field(repr=False)
    person: Person
    ghost: UserId
    shown_name: str = field(repr=False)

    @property
    def contact_id(self) -> ContactId:
        """The key of everything that belongs to the contact."""
        return self.row.contact_id


class People:
    """Finds and makes the contacts of an account."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def digest(self, unlocked: Unlocked, jid: Jid) -> bytes:
        """What an internal id is found by: keyed with the account, so that two accounts share none."""
        return derive(
            self._parts.account_key(unlocked.account.account_id), "jid", str(replace(jid, device=0))
        )

    async def by_jid(self, unlocked: Unlocked, jid: Jid) -> Contact | None:
        """The contact of that internal id."""
        digest = self.digest(unlocked, jid)
        row = await contacts.by_jid(self._parts.store, unlocked.account.account_id, digest)
        return None if row is None else self.read(unlocked, row)

    async def by_room(self, unlocked: Unlocked, room_id: RoomId) -> Contact | None:
        """The contact whose portal the room is, when it belongs to this account."""
        row = await contacts.by_room(self._parts.store, room_id)
        if row is None or row.account_id != unlocked.account.account_id:
            return None
        return self.read(unlocked, row)

    async def by_id(self, unlocked: Unlocked, contact_id: ContactId) -> Contact | None:
        """The contact of that id."""
        row = await contacts.by_id(self._parts.store, contact_id)
        if row is None or row.account_id != unlocked.account.account_id:
            return None
        return self.read(unlocked, row)

    def read(self, unlocked: Unlocked, row: ContactRow) -> Contact:
        """Unseal a row."""
        facts = json.loads(unlocked.vault.open(_FACTS, row.contact_id, row.facts))
        jid = Jid.parse(facts["jid"])
        service = self._parts.profile.service_of(jid)
        if service is None:
            raise LookupError("the profile no longer lists the service of a contact")
        person = Person(jid, service, facts["identifier"], facts["name"])
        return Contact(
            row, unlocked.account.fence, person, self._parts.ghost(row.ghost), self._shown_name(person)
        )

    async def meet(self, unlocked: Unlocked, person: Person) -> Contact:
        """The contact for ``person``, made when the account does not know them yet."""
        known = await self.by_jid(unlocked, person.jid)
        if known is not None:
            return known
        account = unlocked.account
        key = self._parts.account_key(account.account_id)
        contact_id = ContactId(derive(key, "contact", str(person.jid)))
        row: Row = {
            "contact_id": contact_id,
            "account_id": account.account_id,
            "jid_digest": self.digest(unlocked, person.jid),
            "facts": self._seal(unlocked, contact_id, person),
            "ghost": self._parts.localpart(key, "ghost", str(person.jid)),
            "alias": self._parts.localpart(key, "alias", str(person.jid)),
            "room_id": None,
            "identity": None,
            "waiting_event": None,
            "owner_absent": 0,
            "met_at": self._parts.clock.now(),
        }
        with suppress(AlreadyThere):
            await self._parts.store.commit(kinds.unit(kinds.MEET, fence=[account.fence], meet=[row]))
        met = await self.by_jid(unlocked, person.jid)
        assert met is not None
        return met

    async def learn(self, unlocked: Unlocked, contact: Contact, person: Person) -> Contact:
        """Keep a newer name or identifier of a contact."""
        if person == contact.person:
            return contact
        facts = self._seal(unlocked, contact.contact_id, person)
        row: Row = {"contact_id": contact.contact_id, "facts": facts}
        shown_name = self._shown_name(person)
        renamed: list[New] = []
        if shown_name != contact.shown_name and contact.row.room_id is not None:
            named = contact.contact_id.hex()
            renamed = [
                outbox.task(
                    outbox.RENAME,
                    unlocked.account.account_id,
                    contact.contact_id + facts,  # sealed facts are never the same twice
                    lane=f"rename:{named}",
                    contact=named,
                )
            ]
        rows = self._parts.journal.rows(*renamed)
        await self._parts.store.commit(
            kinds.unit(kinds.KNOW, fence=[contact.fence], know=[row], owe=rows, remember=rows)
        )
        return replace(
            contact,
            row=replace(contact.row, facts=facts),
            person=person,
            shown_name=shown_name,
        )

    def _seal(self, unlocked: Unlocked, contact_id: ContactId, person: Person) -> bytes:
        facts = {"jid": str(person.jid), "identifier": person.identifier, "name": person.name}
        return unlocked.vault.seal(_FACTS, contact_id, json.dumps(facts).encode(), self._parts.random)

    def _shown_name(self, person: Person) -> str:
        return contact_name(person.name, person.identifier, self._parts.label(person.service))
