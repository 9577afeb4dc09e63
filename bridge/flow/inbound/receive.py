"""What the reader does with stanzas: store them as they came, then say what acknowledges them.

One dispatch table, a row for each family. What cannot be read is acknowledged with the number the
network has for it, counted in the log, and never ends the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from bridge.errors import LocalProtocolError, RemoteProtocolError
from bridge.flow import outbox
from bridge.flow.context import Parts
from bridge.flow.inbound.pipeline import Inbound
from bridge.flow.keyring import Unlocked
from bridge.flow.outbound.reports import Reports
from bridge.flow.outbound.retries import Retries
from bridge.store import kinds
from bridge.store.journal import New
from bridge.wire import stanza as codec
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import ack, message, notification, receipt
from bridge.wire.vocabulary.ack import Ack
from bridge.wire.vocabulary.people import PeopleNames

LOG = structlog.get_logger()

IDENTITY_NEWS = "identity-news"

Taken = tuple[New | None, Ack]


class Arrivals:
    """Stores stanzas for one network."""

    def __init__(self, parts: Parts, inbound: Inbound, reports: Reports, retries: Retries) -> None:
        self._parts = parts
        self._inbound = inbound
        self._reports = reports
        self._retries = retries
        names = parts.profile.stanzas
        self._names = PeopleNames(names.namespace, names.resolve, names.reach, names.delete)
        self._families: Mapping[str, Callable[[Unlocked, Stanza], Taken]] = {
            "message": self._message,
            "receipt": self._receipt,
            "notification": self._notification,
        }

    async def take(self, unlocked: Unlocked, stanzas: Sequence[Stanza]) -> Sequence[Stanza]:
        """Store what arrived together, in one commit; what acknowledges it, in order. Raises ``TryAgain``."""
        news: list[New] = []
        answers: list[Stanza] = []
        for stanza in stanzas:
            new, answer = self._read(unlocked, stanza)
            news += [new] if new is not None else []
            answers += [answer] if answer is not None else []
        if news:
            await self._store(unlocked, news)
        return answers

    async def _store(self, unlocked: Unlocked, news: Sequence[New]) -> None:
        account = unlocked.account
        rows = self._parts.journal.rows(*news)
        await self._parts.store.commit(
            kinds.unit(kinds.ARRIVE, fence=[account.fence], add=rows, remember=rows)
        )

    def _read(self, unlocked: Unlocked, stanza: Stanza) -> tuple[New | None, Stanza | None]:
        """What is to be stored of a stanza, and what acknowledges it; often only one of them, or neither."""
        if stanza.tag in ack.WITHOUT:
            return None, None
        identifier = stanza.attributes.get("id")
        if isinstance(identifier, str) and "\0" in identifier:
            return None, _not_understood(stanza, ack.PARSING_ERROR)  # no database keeps such a text
        family = self._families.get(stanza.tag)
        if family is None:
            return None, _not_understood(stanza, ack.UNRECOGNISED_STANZA)
        try:
            new, answer = family(unlocked, stanza)
        except RemoteProtocolError:
            return None, _not_understood(stanza, ack.PARSING_ERROR)
        except LocalProtocolError as error:
            # Ours to mend; until then it stops nothing but itself. The others of its commit are stored.
            LOG.error("stanza cannot be stored", kind=stanza.tag, error=type(error).__name__)
            return None, _not_understood(stanza, ack.PARSING_ERROR)
        return new, answer.to_stanza("to")

    def _message(self, unlocked: Unlocked, stanza: Stanza) -> Taken:
        arrived = message.parse(stanza, "from")
        answer = Ack(cls=stanza.tag, id=arrived.id, peer=arrived.peer)
        return self._inbound.entry(unlocked, arrived, codec.encode(stanza)), answer

    def _receipt(self, unlocked: Unlocked, stanza: Stanza) -> Taken:
        arrived = receipt.parse(stanza, "from")
        if isinstance(arrived, receipt.RetryReceipt):
            answer = Ack(cls=stanza.tag, id=arrived.id, peer=arrived.peer, type=receipt.RETRY)
            return self._retries.entry(unlocked, arrived, codec.encode(stanza)), answer
        answer = Ack(cls=stanza.tag, id=arrived.ids[0], peer=arrived.peer, type=arrived.type)
        return self._reports.receipt_entry(unlocked, arrived, codec.encode(stanza)), answer

    def _notification(self, unlocked: Unlocked, stanza: Stanza) -> Taken:
        news = notification.parse(stanza, "from", self._names)
        type_ = notification.type_of(news, self._names)
        answer = Ack(cls=stanza.tag, id=news.id, peer=news.peer, type=type_)
        account_id = unlocked.account.account_id
        match news:
            case notification.KeysLow():
                return outbox.task(outbox.TOP_UP, account_id, account_id + news.id.encode()), answer
            case notification.IdentityChanged():
                lane = f"in:{account_id.hex()}:{self._inbound.digest(unlocked, news.peer).hex()}"
                key = account_id + news.id.encode()
                return outbox.task(IDENTITY_NEWS, account_id, key, lane=lane, jid=str(news.peer)), answer
            case _:
                return None, answer


def _not_understood(stanza: Stanza, error: int) -> Stanza | None:
    """A negative acknowledgement, where the stanza says whose and which it is."""
    LOG.warning("stanza not understood", code=error)
    return ack.refusal(stanza, error)
