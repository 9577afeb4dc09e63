"""Portals: the room and the ghost that stand for a contact, made when first needed.

Making one can stop anywhere. The room's alias is a keyed hash of account and contact in a namespace
that only we may use, so a half-made room is found by it and adopted; what is missing is added.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from weakref import WeakValueDictionary

import structlog

from bridge.errors import BridgeError, TryAgain
from bridge.flow import outbox
from bridge.flow.contacts.contacts import Contact
from bridge.flow.context import Parts
from bridge.flow.keyring import Unlocked
from bridge.ids import ContactId, RoomId, UserId
from bridge.labels import protection
from bridge.matrix import rooms
from bridge.matrix.errors import AliasTaken, Rejected, tolerated
from bridge.ports import Row
from bridge.sentences import render, say
from bridge.store import kinds
from bridge.store.journal import New

LOG = structlog.get_logger()


class Portals:
    """Finds or makes the room of a contact."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._locks: WeakValueDictionary[ContactId, asyncio.Lock] = WeakValueDictionary()

    async def ready(self, unlocked: Unlocked, contact: Contact, *, user_started: bool = False) -> Contact:
        """The contact with a room in which the ghost is, and to which the owner is invited."""
        if contact.row.room_id is not None and not contact.row.owner_absent:
            return contact
        async with self._lock(contact):
            return await self._make(unlocked, contact, user_started=user_started)

    async def mend(self, unlocked: Unlocked, contact: Contact) -> Contact:
        """The room refuses the ghost: bring it back in, or, where the bot is out, make another room.

        Afterwards bot and ghost are in it, or ``Rejected`` is raised.
        """
        async with self._lock(contact):
            try:
                return await self._make(unlocked, contact, user_started=False)
            except Rejected as refused:
                if refused.concerns_registration:
                    raise
            # The new alias follows from the old room, so a half-made new room is found again as well.
            key = self._parts.account_key(unlocked.account.account_id)
            old = contact.row.room_id or ""
            alias = self._parts.localpart(key, "alias", str(contact.person.jid), old)
            moved = replace(contact, row=replace(contact.row, room_id=None, alias=alias))
            return await self._make(unlocked, moved, user_started=False)

    def _lock(self, contact: Contact) -> asyncio.Lock:
        lock = self._locks.get(contact.contact_id)
        if lock is None:
            lock = self._locks[contact.contact_id] = asyncio.Lock()
        return lock

    async def _make(self, unlocked: Unlocked, contact: Contact, *, user_started: bool) -> Contact:
        home, bot = self._parts.homeserver, self._parts.settings.bot
        owner = unlocked.account.user_id
        await home.register(contact.row.ghost)
        is_named = await self._named(contact)
        known = contact.row.room_id
        if known is None:
            room_id, members = await self._room(unlocked, contact)
        else:
            room_id, members = known, await home.members(bot, known)
        if members.get(bot) != "join":  # homeservers show those who are out what they saw last
            raise Rejected("M_FORBIDDEN", 403)
        if members.get(contact.ghost) != "join":
            if members.get(contact.ghost) != "invite":
                await home.invite(bot, room_id, contact.ghost)
            await home.join(contact.ghost, room_id)
        if members.get(owner) not in ("join", "invite"):
            await home.invite(bot, room_id, owner)
        if known is None or members.get(owner) != "join":  # who accepts at once has a direct chat as well
            await self._greet_by_puppet(unlocked, contact, room_id, user_started=user_started)
        await self._keep(unlocked, contact, room_id)
        if not is_named:
            await self._parts.journal.owe(self._naming(unlocked, contact, room_id))
        return replace(contact, row=replace(contact.row, room_id=room_id, owner_absent=0))

    async def _named(self, contact: Contact) -> bool:
        """Give the ghost its name; False when that has to be tried later. Messages do not wait for it."""
        try:
            with tolerated():
                await self._parts.homeserver.set_display_name(contact.ghost, contact.shown_name)
        except TryAgain:
            return False
        return True

    def _naming(self, unlocked: Unlocked, contact: Contact, room_id: RoomId) -> New:
        named, account_id = contact.contact_id.hex(), unlocked.account.account_id
        key = f"named/{named}/{room_id}"
        return outbox.task(outbox.RENAME, account_id, key, lane=f"rename:{named}", contact=named)

    async def _room(self, unlocked: Unlocked, contact: Contact) -> tuple[RoomId, Mapping[UserId, str]]:
        """A new room, or the one that an earlier try left behind, and who is in it.

        A new one's members are known: Dendrite lists them only a moment later.
        """
        settings, profile, service = self._parts.settings, self._parts.profile, contact.person.service
        label = self._parts.label(service)
        portal = rooms.Portal(
            bot=settings.bot,
            owner=unlocked.account.user_id,
            ghost=contact.ghost,
            alias_localpart=contact.row.alias,
            name=contact.shown_name,
            topic=self._topic(label),
            room_version=settings.room_version,
            info=rooms.BridgeInfo(
                appservice_id=settings.appservice_id,
                network=profile.id,
                network_name=profile.label,
                service=service.id,
                service_name=label,
                receiver=self._parts.log_id(unlocked.account.account_id),
            ),
        )
        spec = rooms.portal_room(portal)
        try:
            room_id = await self._parts.homeserver.create_room(settings.bot, spec)
        except AliasTaken:
            alias = f"#{contact.row.alias}:{settings.domain}"
            found = await self._parts.homeserver.resolve_alias(alias)
            if found is None:
                raise
            return found, await self._parts.homeserver.members(settings.bot, found)
        return room_id, {settings.bot: "join", **dict.fromkeys(spec.invite, "invite")}

    def _topic(self, label: str) -> str:
        line = protection(self._parts.settings.custody, encrypted_portal=False)
        return render(say("portal.topic", service=label, protection=line))

    async def _greet_by_puppet(
        self, unlocked: Unlocked, contact: Contact, room_id: RoomId, *, user_started: bool
    ) -> None:
        """Join and mark as direct in the user's name, where the admin allows it; a comfort, never needed."""
        puppets, owner = self._parts.puppets, unlocked.account.user_id
        if puppets is None:
            return
        try:
            if user_started:
                with tolerated():
                    await puppets.join(owner, room_id)
            direct = await puppets.account_data(owner, rooms.DIRECT)
            marked = rooms.with_direct(direct, contact.ghost, room_id)
            if marked is not None:
                await puppets.set_account_data(owner, rooms.DIRECT, marked)
        except BridgeError as error:
            LOG.info("double puppeting failed", error=type(error).__name__)

    async def _keep(self, unlocked: Unlocked, contact: Contact, room_id: RoomId) -> None:
        account = unlocked.account
        row: Row = {"contact_id": contact.contact_id, "room_id": room_id, "owner_absent": 0}
        await self._parts.store.commit(
            kinds.unit(
                kinds.PORTAL,
                fence=[account.fence],
                room=[row],
            )
        )

    async def owner_left(self, unlocked: Unlocked, contact: Contact) -> None:
        """The owner left: they are invited again when there is something new to show."""
        account = unlocked.account
        row: Row = {"contact_id": contact.contact_id, "room_id": contact.row.room_id, "owner_absent": 1}
        await self._parts.store.commit(
            kinds.unit(
                kinds.PORTAL,
                fence=[account.fence],
                room=[row],
            )
        )
