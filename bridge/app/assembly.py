"""The flows, built and joined: which step handles which kind of entry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.commands.handler import Commands
from bridge.flow import owed
from bridge.flow.arrivals import IDENTITY_NEWS, Arrivals
from bridge.flow.awaiting import Awaiting
from bridge.flow.chats import Chats
from bridge.flow.connections import Connections
from bridge.flow.doubts import Doubts
from bridge.flow.enlisting import Enlisting
from bridge.flow.inbound import MESSAGE_IN, Inbound
from bridge.flow.keyring import Keyring
from bridge.flow.leaving import Leaving
from bridge.flow.line_life import Hooks
from bridge.flow.outbound import Outbound
from bridge.flow.parts import Parts
from bridge.flow.people import People
from bridge.flow.portals import Portals
from bridge.flow.prekeys import Prekeys
from bridge.flow.pump import Pump, Step
from bridge.flow.reading import READ_IN_MATRIX, Reading
from bridge.flow.reception import EVENT, Reception
from bridge.flow.reminders import Reminders
from bridge.flow.renaming import Renaming
from bridge.flow.reports import RECEIPT_IN, Reports
from bridge.flow.retries import RETRY_IN, Retries
from bridge.flow.routing import Routing
from bridge.flow.sessions import Sessions
from bridge.flow.showing import Showing
from bridge.flow.strangers import Strangers
from bridge.flow.waiting import Waiting
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
        owed.READ_BACK: reception.read_back,
        owed.OPEN_ROOM: reception.open_room,
        owed.NOTICE: reports.tell,
        owed.STATUS: reports.status,
        owed.RECEIPT_OUT: reports.send_receipt,
        RECEIPT_IN: reports.receipt_in,
        MESSAGE_IN: inbound.message_in,
        IDENTITY_NEWS: inbound.identity_news,
        owed.ASK_RETRY: awaiting.ask,
        owed.GIVE_UP_WAITING: awaiting.give_up,
        RETRY_IN: retries.answer,
        owed.ENLIST: enlisting.enlist,
        owed.COME_BACK: enlisting.come_back,
        owed.UPLOAD: prekeys.upload,
        owed.TOP_UP: prekeys.top_up,
        owed.RENEW_SIGNED: prekeys.renew_signed,
        owed.DELETE: leaving.delete,
        owed.START_CHAT: chats.start,
        owed.RENAME: Renaming(parts, keyring, people).rename,
    }
    pump = Pump(parts.journal, database, parts.clock, parts.random, steps, reports.put_aside)
    return Flows(pump, connections, Reminders(parts, enlisting, connections))
