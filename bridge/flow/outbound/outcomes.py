"""What became of a message out: taken, withdrawn, failed, or not carried at all; and who is told."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.flow import outbox
from bridge.flow.contacts.contacts import Contact
from bridge.flow.context import Parts
from bridge.flow.transitions import Change, change_out, message_id_out
from bridge.ids import EventId, UserId, stanza_id
from bridge.lifecycle.message import NOT_THERE, OUTGOING, OutEffect, OutEvent, OutState
from bridge.matrix import events
from bridge.sentences import Sentence, say
from bridge.store import kinds
from bridge.store.errors import Stale
from bridge.store.journal import Entry, EntryState, New
from bridge.store.tables import messages

EDIT = "edit"
ABOUT_ANOTHER: Mapping[str, str] = {
    "removal": "outbound.removal",
    "reaction": "outbound.reaction",
    EDIT: "outbound.edit",
}
"""Kinds that are about a message sent before, each with what becomes of it."""

UNSUPPORTED = frozenset(
    {*ABOUT_ANOTHER.values(), "outbound.edit_unsent", "outbound.unknown_kind", "outbound.too_long"}
)
"""Sentences about what the network cannot carry."""


class Outcomes:
    """Settles the entries of messages out, each with its message's state and with what is owed for it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def not_carried(self, entry: Entry, event: events.Event, contact: Contact, kind: str) -> None:
        """A removal, a reaction or an edit: said as an answer to what it is about, if that was sent."""
        about = events.target(event)
        message = await messages.by_event(self._parts.store, about) if about is not None else None
        new: list[New] = []
        sent = (
            message is not None
            and message.contact_id == contact.contact_id
            and message.state not in NOT_THERE
        )
        # A correction is always of the sender's own message, and of one that was not sent it is a new try.
        if (sent or kind == EDIT) and contact.row.room_id is not None:
            told = say(ABOUT_ANOTHER[kind], name=contact.shown_name)
            sentence = told if sent else say("outbound.edit_unsent")
            notice = outbox.Notice(contact.row.room_id, sentence, about, event.sender)
            new = [
                notice.owed(f"failed/{event.id}"),
                *self._status(contact, event.id, "FAIL_PERMANENT", sentence=sentence),
            ]
        await self._parts.journal.settle(entry, *new)

    async def accepted(self, entry: Entry, contact: Contact, event_id: EventId, message_id: bytes) -> None:
        """The network has it."""
        change = self._change(message_id, OutEvent.ACKED)
        new: list[New] = []
        if OutEffect.STATUS_ACCEPTED in change.effects:
            new = self._status(contact, event_id, "SUCCESS", delivered_to=())
        rows = self._parts.journal.rows(*new)
        settle = [{"entry_id": entry.entry_id}]
        try:
            await self._parts.store.commit(
                kinds.unit(
                    kinds.ACCEPTED,
                    fence=[contact.fence],
                    settle=settle,
                    owe=rows,
                    remember=rows,
                    change=change.rows,
                )
            )
        except Stale:  # its receipt was quicker than its acknowledgement
            await self._parts.store.commit(kinds.unit(kinds.SETTLE, settle=settle))

    async def withdraw(self, entry: Entry, contact: Contact, message_id: bytes) -> None:
        """It was removed before it left: nobody needs to be told, for nobody has it."""
        change = self._change(message_id, OutEvent.WITHDRAWN)
        settle = [{"entry_id": entry.entry_id}]
        await self._parts.store.commit(
            kinds.unit(kinds.CHANGED, fence=[contact.fence], settle=settle, change=change.rows)
        )

    def _change(
        self, message_id: bytes, event: OutEvent, state: OutState = OutState.SEALED
    ) -> Change[OutState, OutEffect]:
        return change_out(message_id, state, event, self._parts.clock.now())

    async def fail(
        self,
        entry: Entry,
        contact: Contact,
        event_id: EventId,
        sender: UserId,
        event: OutEvent,
        reason: Sentence,
    ) -> None:
        """It will never be sent: the sender is told why, and the lane goes on."""
        room_id = contact.row.room_id
        assert room_id is not None
        key = self._parts.account_key(contact.row.account_id)
        message_id = message_id_out(self._parts, contact, stanza_id(key, event_id))
        state = OutState.SEALED if entry.state is EntryState.SEALED else OutState.QUEUED
        change = self._change(message_id, event, state)
        doubt = OutEffect.TELL_MAY_HAVE_ARRIVED in change.effects
        sentence = say("outbound.unsure", reason=reason) if doubt else reason
        notice = outbox.Notice(room_id, say("outbound.not_sent", reason=sentence), event_id, sender)
        new = [
            notice.owed(f"failed/{event_id}"),
            *self._status(contact, event_id, "FAIL_PERMANENT", sentence=sentence),
        ]
        rows = self._parts.journal.rows(*new)
        settle = [{"entry_id": entry.entry_id}]
        moved = change.rows if state is OutState.SEALED else ()  # before that there is no row
        try:
            await self._parts.store.commit(
                kinds.unit(
                    kinds.CHANGED,
                    fence=[contact.fence],
                    settle=settle,
                    owe=rows,
                    remember=rows,
                    change=moved,
                )
            )
        except Stale:
            known = await messages.by_id(self._parts.store, message_id)
            if known is None:
                await self._parts.journal.settle(entry, *new)  # the account left meanwhile
            elif OUTGOING.after(known.out_state, event).ignored:  # a receipt says that it arrived after all
                await self._parts.journal.settle(entry)
            else:
                raise

    def _status(
        self,
        contact: Contact,
        event_id: EventId,
        status: str,
        *,
        sentence: Sentence | None = None,
        delivered_to: tuple[UserId, ...] | None = None,
    ) -> list[New]:
        room_id = contact.row.room_id
        failed = status.startswith("FAIL")
        if room_id is None or not (failed or self._parts.settings.status_events):
            return []
        reason = _reason(sentence) if failed else None
        return [outbox.Status(room_id, event_id, status, reason, sentence, delivered_to).owed()]


def _reason(sentence: Sentence | None) -> str:
    """The word of com.beeper.message_send_status for a failure (peers' list) that a sentence explains."""
    key = sentence.key if sentence is not None else ""
    if key.startswith("policy."):
        return "m.no_permission"
    if key in UNSUPPORTED:
        return "com.beeper.unsupported_event"
    return "m.foreign_network_error"
