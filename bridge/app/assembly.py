"""The flows, built and joined: which step handles which kind of entry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.commands.handler import Commands
from bridge.flow import outbox
from bridge.flow.accounts.enlist import Enlisting
from bridge.flow.accounts.leave import Leaving
from bridge.flow.accounts.prekeys import Prekeys
from bridge.flow.accounts.reminders import Reminders
from bridge.flow.connections.life import Hooks
from bridge.flow.connections.registry import Connections
from bridge.flow.contacts.contacts import People
from bridge.flow.contacts.first_contact import Strangers
from bridge.flow.contacts.names import Renaming
from bridge.flow.contacts.portals import Portals
from bridge.flow.contacts.sessions import Sessions
from bridge.flow.contacts.start_chat import Chats
from bridge.flow.context import Parts
from bridge.flow.dispatch import Routing
from bridge.flow.inbound.pipeline import MESSAGE_IN, Inbound
from bridge.flow.inbound.receive import IDENTITY_NEWS, Arrivals
from bridge.flow.inbound.retries import Awaiting
from bridge.flow.inbound.show import Showing
from bridge.flow.keyring import Keyring
from bridge.flow.outbound.pipeline import Outbound
from bridge.flow.outbound.reports import RECEIPT_IN, Reports
from bridge.flow.outbound.retries import RETRY_IN, Retries
from bridge.flow.outbound.waiting_notice import Waiting
from bridge.flow.pump import Pump, Step
from bridge.flow.rooms.management import EVENT, Reception
from bridge.flow.rooms.read_markers import READ_IN_MATRIX, Reading
from bridge.flow.unknown_outcomes import Doubts
from bridge.matrix.transactions import Received
from bridge.network.connector import Connector
from bridge.store.database import Database
from bridge.store.journal import Journal, New


@dataclass(frozen=True)
class Flows:
    """The flows of one bridge, joined."""

    pump: Pump
    connections: Connections
    reminders: Reminders


class JournalIntake:
    """Where the endpoint's parts go. Our own echo and what no flow uses yet are left out."""

    def __init__(self, journal: Journal, ghost_prefix: str, bot: str) -> None:
        self._journal = journal
        self._ghost_prefix = f"@{ghost_prefix}"
        self._bot = bot

    async def accept(self, received: Sequence[Received]) -> None:
        """Return once all of it is durable."""
        wanted = [part for part in received if part.lane and self._is_wanted(part)]
        await self._journal.accept(*(New(part.kind, part.lane, part.key, part.body) for part in wanted))

    def _is_wanted(self, part: Received) -> bool:
        if part.kind not in (EVENT, READ_IN_MATRIX):
            return False
        event = json.loads(part.body)
        sender = event.get("sender", event.get("user_id")) if isinstance(event, dict) else None
        return isinstance(sender, str) and sender != self._bot and not sender.startswith(self._ghost_prefix)


def assemble(parts: Parts, connector: Connector, database: Database) -> Flows:
    """Build the flows and join them where they need each other."""
    keyring, people, sessions, portals = Keyring(parts), People(parts), Sessions(parts), Portals(parts)
    connections = Connections(parts, keyring, connector)
    enlisting = Enlisting(parts, keyring, connector, connections)
    awaiting = Awaiting(parts, keyring, people, portals, connections)
    strangers = Strangers(people, connections)
    doubts, reception = Doubts(parts), Reception(parts)
    showing = Showing(parts, people, portals, doubts)
    inbound = Inbound(parts, keyring, people, sessions, showing, strangers, awaiting)
    outbound = Outbound(parts, keyring, people, sessions, connections, Waiting(parts))
    retries = Retries(parts, keyring, people, sessions, connections)
    reports = Reports(parts, keyring, people, connections, doubts, reception)
    reading = Reading(parts, keyring, people)
    chats = Chats(parts, keyring, people, portals, connections)
    leaving = Leaving(parts, keyring, connector, connections)
    commands = Commands(parts, enlisting, leaving, chats)
    router = Routing(parts, keyring, people, portals, outbound, reading, reception, commands.talk)
    arrivals = Arrivals(parts, inbound, reports, retries)
    prekeys = Prekeys(parts, keyring, connections)
    connections.attach(Hooks(arrivals.take, enlisting.login_refused, enlisting.say, prekeys.connected))
    steps: dict[str, Step] = {
        EVENT: router.event,
        READ_IN_MATRIX: router.receipt,
        outbox.READ_BACK: reception.read_back,
        outbox.OPEN_ROOM: reception.open_room,
        outbox.NOTICE: reports.tell,
        outbox.STATUS: reports.status,
        outbox.RECEIPT_OUT: reports.send_receipt,
        RECEIPT_IN: reports.receipt_in,
        MESSAGE_IN: inbound.message_in,
        IDENTITY_NEWS: inbound.identity_news,
        outbox.ASK_RETRY: awaiting.ask,
        outbox.GIVE_UP_WAITING: awaiting.give_up,
        RETRY_IN: retries.answer,
        outbox.ENLIST: enlisting.enlist,
        outbox.COME_BACK: enlisting.come_back,
        outbox.UPLOAD: prekeys.upload,
        outbox.TOP_UP: prekeys.top_up,
        outbox.RENEW_SIGNED: prekeys.renew_signed,
        outbox.DELETE: leaving.delete,
        outbox.START_CHAT: chats.start,
        outbox.RENAME: Renaming(parts, keyring, people).rename,
    }
    pump = Pump(parts.journal, database, parts.clock, parts.random, steps, reports.put_aside)
    return Flows(pump, connections, Reminders(parts, enlisting, connections))
