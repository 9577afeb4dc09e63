"""A contact goes by another name: the ghost and the room get it as well."""

from __future__ import annotations

from bridge.flow import outbox
from bridge.flow.contacts.contacts import People
from bridge.flow.context import Parts
from bridge.flow.keyring import Keyring
from bridge.ids import ContactId
from bridge.matrix import rooms
from bridge.matrix.errors import tolerated
from bridge.store.journal import Entry


class Renaming:
    """Brings new names to Matrix."""

    def __init__(self, parts: Parts, keyring: Keyring, people: People) -> None:
        self._parts = parts
        self._keyring = keyring
        self._people = people

    async def rename(self, entry: Entry) -> None:
        """The step for a new name, the newest there is; a homeserver that forbids it is left alone."""
        assert entry.account_id is not None
        contact_id = ContactId(bytes.fromhex(outbox.values_of(self._parts.journal.read(entry))["contact"]))
        unlocked = await self._keyring.unlock(entry.account_id)
        contact = await self._people.by_id(unlocked, contact_id) if unlocked is not None else None
        if contact is not None and contact.row.room_id is not None:
            home, name = self._parts.homeserver, contact.shown_name
            with tolerated():
                await home.set_display_name(contact.ghost, name)
            with tolerated():
                bot, room_id = self._parts.settings.bot, contact.row.room_id
                await home.set_state(bot, room_id, rooms.NAME, "", {"name": name})
        await self._parts.journal.settle(entry)
