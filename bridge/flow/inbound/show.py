"""Showing an opened message in its portal, once: also when the homeserver forgot that it has it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from bridge.content import Content, Unknown
from bridge.flow import outbox
from bridge.flow.contacts.contacts import Contact, People
from bridge.flow.contacts.portals import Portals
from bridge.flow.context import Parts
from bridge.flow.keyring import Unlocked
from bridge.flow.transitions import change_in, message_id_in, message_id_out
from bridge.flow.translate import to_content
from bridge.flow.unknown_outcomes import Doubts
from bridge.ids import EventId, Jid, StanzaId, UserId
from bridge.lifecycle.message import InEffect, InEvent, InState
from bridge.matrix import events
from bridge.matrix.errors import Rejected, tolerated
from bridge.matrix.text import pieces
from bridge.policy import Act, Allow
from bridge.ports import Step
from bridge.sentences import Sentence, render, say
from bridge.store import kinds
from bridge.store.journal import Entry, New
from bridge.store.tables import messages
from bridge.store.tables.messages import Message

LOG = structlog.get_logger()

BODY = "entry.body"
"""The place that an opened message is sealed for."""

REFUSED_FOR_S = 3_600.0
"""How long a message waits for a room that refuses it: an admin needs a while to put it right."""
DAY_S = 86_400
REFUSED_AT_MOST_DAYS = 3
"""How long it waits in all: a weekend without an admin. Longer would only make of a refusal that nobody can
end a chat that is silent for good; its messages would then be read in quite another moment than meant."""


@dataclass(frozen=True)
class Opened:
    """An opened message as it waits to be shown."""

    stanza_id: StanzaId
    jid: Jid
    sent_at_ms: int
    payload: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """For sealing at rest."""
        return json.dumps(
            [self.stanza_id, str(self.jid), self.sent_at_ms, b64encode(self.payload).decode()]
        ).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Opened:
        """What ``to_bytes`` gave."""
        stanza_id, jid, sent_at_ms, payload = json.loads(data)
        return Opened(StanzaId(stanza_id), Jid.parse(jid), sent_at_ms, b64decode(payload))


@dataclass(frozen=True)
class Shown:
    """What stands for a message in Matrix (None: nothing), and the event that this is in its life."""

    event_id: EventId | None
    event: InEvent


class Showing:
    """Sends opened messages into their portals."""

    def __init__(self, parts: Parts, people: People, portals: Portals, doubts: Doubts) -> None:
        self._parts = parts
        self._people = people
        self._portals = portals
        self._doubts = doubts

    async def show(self, entry: Entry, unlocked: Unlocked) -> None:
        """Show the message of an entry, and settle it."""
        opened = Opened.from_bytes(unlocked.vault.open(BODY, entry.entry_id, entry.body))
        contact = await self._people.by_jid(unlocked, opened.jid)
        assert contact is not None
        in_doubt = self._doubts.about(entry)
        try:
            contact = await self._portals.ready(unlocked, contact)
            shown = await self._send(contact, opened, in_doubt=in_doubt, mended=False)
        except Rejected as refused:
            if refused.concerns_registration:
                raise
            await self._in_mended_room(entry, unlocked, contact, opened, in_doubt=in_doubt)
            return
        await self._shown(entry, unlocked, contact, opened, shown)

    async def _in_mended_room(
        self, entry: Entry, unlocked: Unlocked, contact: Contact, opened: Opened, *, in_doubt: bool
    ) -> None:
        """The room refused the ghost: mend it and try once more, else keep the message for a while."""
        LOG.warning("a portal refuses its ghost", contact=self._parts.log_id(contact.contact_id))
        try:
            contact = await self._portals.mend(unlocked, contact)
            shown = await self._send(contact, opened, in_doubt=in_doubt, mended=True)
        except Rejected as refused:
            if refused.concerns_registration:
                raise
            await self._kept(entry, unlocked, contact, opened)
            return
        await self._shown(entry, unlocked, contact, opened, shown)

    async def _kept(self, entry: Entry, unlocked: Unlocked, contact: Contact, opened: Opened) -> None:
        """No room to show a message in: try again later, and end openly when it has been too long."""
        now, name = self._parts.clock.now(), contact.shown_name
        if now - entry.accepted_at >= REFUSED_AT_MOST_DAYS * DAY_S:
            lost = say("inbound.refused_too_long", name=name, days=REFUSED_AT_MOST_DAYS)
            await self._shown(entry, unlocked, contact, opened, Shown(None, InEvent.NO_ROOM), lost)
            return
        key = "inbound.room_refuses" if contact.row.room_id is not None else "inbound.no_room"
        notice = outbox.to_owner(unlocked.account, say(key, name=name, days=REFUSED_AT_MOST_DAYS))
        await self._parts.journal.owe(
            notice.owed(f"room-refuses/{contact.contact_id.hex()}/{int(now // DAY_S)}")
        )
        await self._parts.journal.postpone(entry, now + REFUSED_FOR_S)

    async def _send(self, contact: Contact, opened: Opened, *, in_doubt: bool, mended: bool) -> Shown:
        """A text beyond an event's size is shown in several, of which the last stands for it.

        ``mended``: there is nothing wrong with the room, so what is refused is refused for what it says.
        """
        room_id = contact.row.room_id
        assert room_id is not None
        message_id = message_id_in(self._parts, contact, opened.stanza_id)
        content = to_content(
            opened.payload, stanza_id=opened.stanza_id, sender=opened.jid, sent_at_ms=opened.sent_at_ms
        )
        target = None
        if content.in_reply_to is not None:
            answered = await self._answered(contact, content.in_reply_to.id, own=content.in_reply_to.own)
            target = answered.event_id if answered is not None else None
        shown, event = None, InEvent.SHOWN
        for number, body in enumerate(_bodies(content, contact, message_id.hex(), target)):
            key = "show", message_id, room_id, str(number)
            if in_doubt:
                shown = await self._doubts.find(room_id, contact.ghost, str(body[events.MARKER]))
                if shown is not None:
                    continue
            try:
                shown = await self._event(contact, contact.ghost, body, opened, *key)
            except Rejected as refused:
                if refused.concerns_registration or not (mended or refused.concerns_event):
                    raise
                LOG.warning("an event is refused", code=refused.status)
                shown, event = await self._in_its_place(contact, body, opened, *key), InEvent.REPLACED
        assert shown is not None
        return Shown(shown, event)

    async def _event(
        self,
        contact: Contact,
        sender: UserId,
        body: Mapping[str, Any],
        opened: Opened,
        *key: str | bytes,
    ) -> EventId:
        assert contact.row.room_id is not None
        return await self._parts.homeserver.send(
            sender,
            contact.row.room_id,
            events.MESSAGE,
            body,
            transaction_id=self._parts.transaction(*key),
            sent_at_ms=opened.sent_at_ms,
            step=Step.SHOW if sender == contact.ghost else Step.NOTICE,
        )

    async def _in_its_place(
        self, contact: Contact, body: Mapping[str, Any], opened: Opened, *key: str | bytes
    ) -> EventId:
        """For words that the homeserver does not take: a notice of the ghost, or else of the bot."""
        said = render(say("inbound.refused", name=contact.shown_name))
        placeholder = events.notice_content(said, marker=str(body[events.MARKER]))
        try:
            return await self._event(contact, contact.ghost, placeholder, opened, *key, "placeholder")
        except Rejected as refused:
            if refused.concerns_registration:
                raise
        return await self._event(contact, self._parts.settings.bot, placeholder, opened, *key, "placeholder")

    async def _answered(self, contact: Contact, stanza_id: str, *, own: bool) -> Message | None:
        key_of = message_id_out if own else message_id_in
        return await messages.by_id(self._parts.store, key_of(self._parts, contact, StanzaId(stanza_id)))

    async def _shown(
        self,
        entry: Entry,
        unlocked: Unlocked,
        contact: Contact,
        opened: Opened,
        shown: Shown,
        *said: Sentence,
    ) -> None:
        """One unit: the message stands in Matrix, or something in its place; its sender hears only the truth.

        A delivery receipt says that the words are with the user. Where a placeholder stands for them there is
        none, and no read receipt later: the sender keeps one tick, and the user can ask them what they wrote.
        """
        message_id = message_id_in(self._parts, contact, opened.stanza_id)
        known = await messages.by_id(self._parts.store, message_id)
        state = known.in_state if known is not None else InState.OPENED
        change = change_in(message_id, state, shown.event, self._parts.clock.now())
        if InEffect.TAKE_PLACEHOLDER_BACK in change.effects:
            await self._take_back(contact, known)
        account, now = unlocked.account, self._parts.clock.now()
        new: list[New] = []
        facts = self._parts.facts(account.user_id, account.state, service=contact.person.service)
        may_tell = InEffect.OWE_DELIVERED in change.effects
        if may_tell and isinstance(self._parts.decide(Act.RECEIPT_OUT, facts), Allow):
            receipt = outbox.ReceiptOut(account.account_id, str(opened.jid), (opened.stanza_id,), None, now)
            new.append(receipt.owed(contact.contact_id))
        new += [outbox.to_owner(account, each).owed(b"lost" + message_id) for each in said]
        rows = self._parts.journal.rows(*new)
        show = change.shown(shown.event_id or (known.event_id if known is not None else None))
        await self._parts.store.commit(
            kinds.unit(
                kinds.SHOWN,
                fence=[account.fence],
                settle=[{"entry_id": entry.entry_id}],
                owe=rows,
                remember=rows,
                show=[show],
            )
        )
        self._doubts.over(entry)

    async def _take_back(self, contact: Contact, known: Message | None) -> None:
        """Redact what stood in the place of a message that came late."""
        if known is None or known.event_id is None or contact.row.room_id is None:
            return
        with tolerated():
            await self._parts.homeserver.redact(
                self._parts.settings.bot,
                contact.row.room_id,
                known.event_id,
                transaction_id=self._parts.transaction("late", known.message_id),
            )


def _bodies(
    content: Content, contact: Contact, marker: str, target: EventId | None
) -> Iterator[Mapping[str, Any]]:
    """The events that show a message; what cannot be carried is said in its place."""
    for part in content.parts:
        if isinstance(part, Unknown):
            said = render(say("inbound.unknown_kind", kind=part.kind, name=contact.shown_name))
            yield events.notice_content(said, marker=marker)
            continue
        for number, piece in enumerate(pieces(part)):
            own = f"{marker}.{number}" if number else marker
            yield events.text_content(piece, marker=own, reply_to=None if number else target)
