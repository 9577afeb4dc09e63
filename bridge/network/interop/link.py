"""What can be asked on a live connection (``connector.Link``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from bridge.e2ee.bundle import PreKeyBundle
from bridge.e2ee.keys import OwnKeys, PreKey, SignedPreKey
from bridge.errors import RemoteProtocolError, TryAgain
from bridge.ids import Jid
from bridge.network import keys
from bridge.network.backoff import End
from bridge.network.errors import NetworkBusy, PersonUnreachable, QuestionRefused
from bridge.network.interop.channel import PASSING_IQ_ERRORS, Channel, Question
from bridge.ports import Step
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import iq, people, prekeys
from bridge.wire.vocabulary.iq import IqError
from bridge.wire.vocabulary.people import PeopleNames, PeopleRequest, Person

ITEM_NOT_FOUND = 404
"""The public catalogue's word for nobody (interop.md 4.5); the network says it in every such case."""

_Answer = TypeVar("_Answer")


class InteropLink:
    """One account's connection to the network of the published framework.

    ``server_time`` is what the server's clock said at the login (unix seconds), for a comparison with
    ours; None when it said nothing.
    """

    def __init__(self, channel: Channel, names: PeopleNames, server_time: int | None) -> None:
        self._channel = channel
        self._names = names
        self.server_time = server_time

    @property
    def end(self) -> End | None:
        """Why it ended; None while it lives."""
        return self._channel.end

    async def ended(self) -> End:
        """Wait for the end. Cancelling the caller does not touch the connection."""
        return await self._channel.ended()

    async def send(self, stanza: Stanza, *, step: Step) -> None:
        """Hand a stanza to the network; its acknowledgement comes to the handler."""
        await self._channel.send(stanza, step=step)

    async def ask(self, question: Question, *, step: Step = Step.ASK) -> iq.Result:
        """The answer to any other question (``Channel.ask``)."""
        return await self._channel.ask(question, step=step)

    async def resolve(self, service: str, identifier: str) -> Person | None:
        """Who that is; None for nobody who can be written to, whatever the cause."""
        return await self._resolve(people.ResolveIdentifier(service, identifier))

    async def resolve_jid(self, jid: Jid) -> Person | None:
        """Who is behind an internal identifier."""
        return await self._resolve(people.ResolveJid(jid))

    async def fetch_keys(self, jid: Jid) -> PreKeyBundle:
        """A prekey bundle, its signature not yet checked; ``PersonUnreachable`` when there is none."""
        answer = await self._ask(lambda id: prekeys.fetch(id, [jid]), Step.FETCH_KEYS)
        found = _read(answer, prekeys.parse_fetch).get(jid)
        if found is None:
            raise TryAgain("the directory answered about another person")
        if isinstance(found, IqError):
            if found.code in PASSING_IQ_ERRORS:
                raise NetworkBusy(found.code)
            raise PersonUnreachable(found.code)
        return keys.to_prekey_bundle(found)

    async def upload_keys(self, own: OwnKeys, signed: SignedPreKey, one_time: Sequence[PreKey]) -> None:
        """Give the directory these keys; those it knows already change nothing."""
        uploaded = keys.to_upload(own, signed, one_time)
        if one_time:
            await self._ask(partial(prekeys.upload, uploaded=uploaded))
        else:
            await self._ask(partial(prekeys.rotate, signed=uploaded.signed))

    async def prekey_count(self) -> int:
        """How many of our one-time prekeys the directory still has."""
        return _read(await self._ask(prekeys.count), prekeys.parse_count)

    async def reach(self, jid: Jid) -> None:
        """Ask a person for permission to write; any answer comes later as a notification."""
        await self._ask(self._about(people.Reach(jid)))

    async def delete(self) -> None:
        """Remove the account from the network, which then ends the connection."""
        await self._ask(self._about(people.Delete()))

    async def finish(self) -> None:
        """End the connection once nothing is on its way to us (``Channel.finish``)."""
        await self._channel.finish()

    async def close(self) -> None:
        """End the connection at once; harmless when it ended before."""
        await self._channel.close()

    async def _resolve(self, asked: PeopleRequest) -> Person | None:
        try:
            answer = await self._ask(self._about(asked))
        except QuestionRefused as refusal:
            if refusal.code == ITEM_NOT_FOUND:
                return None
            raise
        return _read(answer, people.parse_person)

    def _about(self, asked: PeopleRequest) -> Question:
        return lambda id: people.request(id, asked, self._names)

    async def _ask(self, question: Question, step: Step = Step.ASK) -> iq.Result:
        return await self._channel.ask(question, step=step)


def _read(answer: iq.Result, parse: Callable[[iq.Result], _Answer]) -> _Answer:
    """``parse`` of an answer; one that cannot be read concerns nothing but this question."""
    try:
        return parse(answer)
    except RemoteProtocolError as error:
        raise TryAgain(f"an answer cannot be read: {error}") from error
