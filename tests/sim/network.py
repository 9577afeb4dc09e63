"""The network as the bridge sees it: a connector whose links carry stanzas to one contact and back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import OwnKeys, PreKey, SignedPreKey
from bridge.errors import TryAgain
from bridge.ids import Jid
from bridge.network.backoff import End, Why
from bridge.network.connector import (
    Connector,
    Credentials,
    Enlisted,
    Enlistment,
    EnlistRefused,
    Link,
    OnStanzas,
)
from bridge.network.errors import LoginRefused
from bridge.ports import Step
from bridge.profile import Reason
from bridge.wire.login import REASON_USER_ACTIVATED
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import message as messages
from bridge.wire.vocabulary import receipt
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.people import Person
from bridge.wire.vocabulary.receipt import Receipt
from tests.sim.contact import NAME, NUMBER, SimulatedContact, bundle_of

LOGIN = Jid.parse("7-123456@interop")
"""What the network calls the account."""
SERVICE = "whatsapp"


class SimulatedLink(Link):
    """One connection of the account."""

    def __init__(self, network: SimulatedNetwork, on_stanzas: OnStanzas) -> None:
        self._network, self.on_stanzas = network, on_stanzas
        self._end: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    @property
    def end(self) -> End | None:
        return self._end.result() if self._end.done() else None

    async def ended(self) -> End:
        return await asyncio.shield(self._end)

    def cut(self, why: Why) -> None:
        """The connection ends."""
        if not self._end.done():
            self._end.set_result(End(why))

    async def send(self, stanza: Stanza, *, step: Step) -> None:
        if self.end is not None:
            raise TryAgain(f"{step.value}: the connection has ended")
        if self._network.fault is not None:
            raise self._network.fault
        self._network.taken(self, stanza)

    async def resolve(self, service: str, identifier: str) -> Person | None:
        jid = self._network.contact.jid
        return Person(jid, service, identifier, NAME) if identifier == f"+{NUMBER}" else None

    async def resolve_jid(self, jid: Jid) -> Person | None:
        return Person(jid, SERVICE, f"+{jid.user}", NAME)

    async def fetch_keys(self, jid: Jid) -> PreKeyBundle:
        assert jid == self._network.contact.jid
        return self._network.contact.bundle()

    async def upload_keys(self, own: OwnKeys, signed: SignedPreKey, one_time: Sequence[PreKey]) -> None:
        self._network.directory = own, signed
        self._network.prekeys += len(one_time)
        self._network.one_time += one_time

    async def prekey_count(self) -> int:
        return self._network.prekeys

    async def reach(self, jid: Jid) -> None:
        pass

    async def delete(self) -> None:
        self._network.directory = None

    async def finish(self) -> None:
        await self.close()

    async def close(self) -> None:
        self.cut(Why.CLOSED)


class SimulatedNetwork(Connector):
    """One network with one account of ours and one contact; what is not acknowledged waits in the mailbox."""

    def __init__(self, contact: SimulatedContact) -> None:
        self.contact = contact
        self.up = True
        """Whether a connection can be made."""
        self.acknowledges = True
        """Whether what the bridge sends arrives and is acknowledged."""
        self.confirms = True
        """Whether the acknowledgement of what arrived reaches the bridge."""
        self.deaf = False
        """Whether the contact misses what is acknowledged, as one whose program was broken."""
        self.refuses: int | None = None
        """The number with which messages of ours are refused."""
        self.fault: Exception | None = None
        """What sending a stanza raises."""
        self.enlisting: Reason | None = None
        """Why an enlistment is refused."""
        self.refuses_login: LoginRefused | None = None
        self.sent: list[Stanza] = []
        """What the bridge sent, in order."""
        self.accepted: list[Stanza] = []
        """The messages among them that were not refused."""
        self.given: list[Stanza] = []
        """What was accepted for the account, in order."""
        self.directory: tuple[OwnKeys, SignedPreKey] | None = None
        self.prekeys = 0
        self.link: SimulatedLink | None = None
        self.logins = 0
        """How often a connection was asked for, in vain or not."""
        self.hears_acknowledgements = True
        """Whether the bridge's acknowledgements arrive; if not, a stanza is given again."""
        self.one_time: list[PreKey] = []
        """Every one-time prekey that was uploaded."""
        self._mailbox: list[Stanza] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # What the contact and tests do

    async def contact_writes(self, stanza_id: str, text: str) -> None:
        """The contact writes to the account."""
        assert self.directory is not None
        await self.deliver(self.contact.write(stanza_id, text, bundle_of(*self.directory)))

    async def contact_tells(self, kind: str | None) -> None:
        """The contact's receipt for all they have: delivered (None) or read."""
        await self.deliver(Receipt(tuple(self.contact.ids), self.contact.jid, kind).to_stanza("from"))

    async def deliver(self, *stanzas: Stanza) -> None:
        """Stanzas for the account: now, or once it connects."""
        self.given.extend(stanzas)
        self._mailbox.extend(stanzas)
        if self.link is not None and self.link.end is None:
            await self._hand_over(self.link)

    def lose_link(self) -> None:
        """The connection breaks."""
        assert self.link is not None
        self.link.cut(Why.LOST)

    # The port

    async def enlist(self, enlistment: Enlistment) -> Enlisted | EnlistRefused:
        if self.enlisting is not None:
            return EnlistRefused("refused", self.enlisting)
        self.directory = enlistment.own, enlistment.signed
        return Enlisted(LOGIN)

    async def connect(
        self, credentials: Credentials, on_stanzas: OnStanzas, *, reason: int = REASON_USER_ACTIVATED
    ) -> Link:
        assert (credentials.login, reason >= 0) == (LOGIN, True)
        self.logins += 1
        if not self.up:
            raise TryAgain("the network is away")
        if self.refuses_login is not None:
            raise self.refuses_login
        link = self.link = SimulatedLink(self, on_stanzas)
        self._soon(self._hand_over(link))
        return link

    def taken(self, link: SimulatedLink, stanza: Stanza) -> None:
        """What the server does with a stanza of ours: the contact gets it, and it is acknowledged."""
        self.sent.append(stanza)
        if stanza.tag == "message" and self.refuses is None and self.acknowledges:
            self.accepted.append(stanza)
        if stanza.tag not in ("message", "receipt") or not self.acknowledges:
            return
        if stanza.tag == "message" and self.refuses is None and not self.deaf:
            self.contact.read(messages.parse(stanza, "to"))
        if stanza.attributes.get("type") == receipt.RETRY and self.contact.answers:
            asked = receipt.parse(stanza, "to")
            assert isinstance(asked, receipt.RetryReceipt)
            self._soon(self.deliver(self.contact.write_again(asked)))
        if not self.confirms:
            return
        to, kind = Jid.parse(str(stanza.attributes["to"])), stanza.attributes.get("type")
        ack = Ack(
            stanza.tag,
            str(stanza.attributes["id"]),
            to,
            type=str(kind) if kind is not None and stanza.tag == "receipt" else None,
            error=self.refuses if stanza.tag == "message" else None,
        )
        self._soon(self._acknowledge(link, ack))

    async def _acknowledge(self, link: SimulatedLink, ack: Ack) -> None:
        await link.on_stanzas([ack.to_stanza("from")])

    async def _hand_over(self, link: SimulatedLink) -> None:
        """Give the account what waits for it; what it acknowledges waits no more."""
        waiting = list(self._mailbox)
        try:
            answers = await link.on_stanzas(
                [*waiting, Stanza("ib", {}, (Stanza("offline", {"count": "0"}),))]
            )
        except TryAgain:
            link.cut(Why.NOT_STORED)
            return
        done = {(answer.attributes.get("class"), answer.attributes.get("id")) for answer in answers}
        if self.hears_acknowledgements:
            self._mailbox = [
                each for each in self._mailbox if (each.tag, each.attributes.get("id")) not in done
            ]

    @property
    def waiting(self) -> Sequence[Stanza]:
        """The stanzas that the bridge has not acknowledged."""
        return self._mailbox

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
