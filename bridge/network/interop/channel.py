"""A live connection after its login: stanzas out, stanzas in, questions, keep-alive, and its end.

Laws. The reader waits on nothing but the injected handler (which waits on nothing but the store): no
answer to anything we ask is awaited by it, else a contact who writes while we fetch keys stops us both.
What arrived in one read is handed over together, so that it can be stored together.
What the handler returns is sent by a task of its own, in order; only when very many of those wait does
the reader stop, so that a server that does not read is not read either (reliability F47).
The connection ends once, for one reason; every waiting question then fails with ``TryAgain``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

import structlog

from bridge.errors import BridgeError, LocalProtocolError, RemoteProtocolError, TryAgain
from bridge.network.backoff import End, Why
from bridge.network.connector import OnStanzas
from bridge.network.errors import NetworkBusy, QuestionRefused
from bridge.ports import Clock, Random, Step, Stream
from bridge.profile import Timers
from bridge.wire.connection import ClientConnection, Event, StanzaReceived, StanzaUnreadable
from bridge.wire.stanza import Stanza, UnreadableStanza
from bridge.wire.vocabulary import ack, iq, login

ID_BYTES = 6
PASSING_IQ_ERRORS = frozenset({429, 500, 503, 530})
"""Rate, server and overload errors (interop.md 4.5): the same question may be answered later."""
NOT_IMPLEMENTED = 501
MAX_REPLIES_WAITING = 1000
"""Acknowledgements and answers that may wait to leave, some 100 kB: a burst from the mailbox passes."""
FINISH_LIMIT_S = 5.0
"""How long the server may take to end its side after we ended ours: a few round trips."""
OURS = frozenset({"iq", "stream:error", "failure"})
"""Stanzas about the connection itself; all others are the handler's."""

Question = Callable[[str], Stanza]
"""Makes the stanza of a question from its id."""

_log = structlog.get_logger(__name__)


class Channel:
    """Owns a logged-in connection. ``begin`` starts it with what arrived behind the login's answer."""

    def __init__(
        self,
        stream: Stream,
        connection: ClientConnection,
        *,
        on_stanzas: OnStanzas,
        clock: Clock,
        random: Random,
        timers: Timers,
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._on_stanzas = on_stanzas
        self._clock = clock
        self._timers = timers
        self._asked: dict[str, asyncio.Future[iq.Result]] = {}
        self._id_prefix = random.bytes(ID_BYTES).hex()
        self._ids = 0
        self._replies: asyncio.Queue[tuple[Stanza, Step]] = asyncio.Queue(MAX_REPLIES_WAITING)
        self._heard = 0
        self._unreadable = 0
        self._storing = False
        self._finishing = False
        self._turn = asyncio.Lock()
        self._end: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed: asyncio.Task[None] | None = None

    @property
    def end(self) -> End | None:
        """Why it ended; None while it lives."""
        return self._end.result() if self._end.done() else None

    async def ended(self) -> End:
        """Wait for the end. Cancelling the caller does not touch the connection."""
        return await asyncio.shield(self._end)

    def begin(self, waiting: Sequence[Event]) -> None:
        """Read, and keep alive, from now on; ``waiting`` came together with the login's answer."""
        self._spawn(self._read(waiting))
        self._spawn(self._reply())
        self._spawn(self._keep_alive())

    async def send(self, stanza: Stanza, *, step: Step) -> None:
        """Hand ``stanza`` to the network, in the order of the calls.

        ``TryAgain`` when the connection has ended; it may have left all the same. When the call is cut
        short the connection ends too: a part of a frame may be out, and nothing can follow it.
        """
        async with self._turn:
            self._check_live()
            self._connection.send(stanza)
            whole = False
            try:
                await self._stream.send(self._connection.data_to_send(), step=step)
                whole = True
            finally:
                if not whole:
                    self._finish(Why.LOST)

    async def ask(self, question: Question, *, step: Step = Step.ASK) -> iq.Result:
        """The answer to a question, whose id is given here.

        ``TryAgain`` without an answer in the profile's ``iq_timeout_s`` or for an error that may pass,
        ``QuestionRefused`` for another error.
        """
        self._ids += 1
        identifier = f"{self._id_prefix}-{self._ids}"
        answer: asyncio.Future[iq.Result] = asyncio.get_running_loop().create_future()
        self._asked[identifier] = answer
        try:
            async with self._clock.limit(self._timers.iq_timeout_s):
                await self.send(question(identifier), step=step)
                return await answer
        except TimeoutError as error:
            raise TryAgain(f"{step.value}: no answer in {self._timers.iq_timeout_s:.0f} s") from error
        finally:
            del self._asked[identifier]
            if answer.done() and not answer.cancelled():
                answer.exception()  # nobody else will ask for it

    async def finish(self) -> None:
        """End our side, store what the server sent before it knew, and close.

        A server that has given something to a connection wakes nobody for it any more; only at its
        own end can we tell that nothing is on its way. What comes now is not acknowledged, so it comes
        again on the next connection.
        """
        with suppress(TimeoutError, TryAgain):
            async with self._clock.limit(FINISH_LIMIT_S):
                async with self._turn:
                    self._finishing = True
                    await self._stream.finish(step=Step.FINISH)
                await self.ended()
        await self.close()

    async def close(self) -> None:
        """End the connection at once, and wait until nothing of it runs; harmless when it ended before."""
        self._finish(Why.CLOSED)
        current = asyncio.current_task()
        left = [task for task in self._tasks if task is not current]
        if self._closed is not None:
            left.append(self._closed)
        await asyncio.gather(*left, return_exceptions=True)

    def _check_live(self) -> None:
        if self._end.done():
            raise TryAgain(f"the connection has ended: {self._end.result().why.value}")
        if self._finishing:
            raise TryAgain("the connection is ending")

    def _finish(self, why: Why, code: str | None = None) -> None:
        if self._end.done():
            return
        self._end.set_result(End(why, code))
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(TryAgain(f"the connection has ended: {why.value}"))
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        self._closed = asyncio.get_running_loop().create_task(self._stream.close())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """An unexpected error ends the connection at once: nothing may wait for a reader that has ended."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("connection failed (unexpected error)", error=type(error).__name__, exc_info=error)
            self._finish(Why.FAULT)

    async def _read(self, events: Sequence[Event]) -> None:
        """Give every stanza to its place until the connection ends, in whatever way."""
        try:
            while await self._take_all(events):
                events = self._connection.receive(await self._stream.receive())
        except TryAgain:
            self._finish(Why.LOST)
        except RemoteProtocolError as error:
            _log.warning("connection broken", error=type(error).__name__)
            self._finish(Why.BROKEN)

    async def _take_all(self, events: Sequence[Event]) -> bool:
        """Whether the connection lives on after ``events``."""
        for handed_over, run in groupby(events, _is_handed_over):
            if handed_over:
                await self._hand_over([event.stanza for event in run if isinstance(event, StanzaReceived)])
                continue
            for event in run:
                if not self._end.done():
                    await self._take(event)
        return not self._end.done()

    async def _take(self, event: Event) -> None:
        """What concerns the connection itself."""
        if isinstance(event, StanzaUnreadable):
            self._heard += 1
            await self._on_unreadable(event.error)
            return
        if not isinstance(event, StanzaReceived):
            self._finish(Why.CLOSED if self._finishing else Why.LOST)
            return
        self._heard += 1
        if event.stanza.tag == "iq":
            await self._on_iq(event.stanza)
        else:
            self._on_last_word(event.stanza)

    async def _on_unreadable(self, error: UnreadableStanza) -> None:
        """Refuse it as far as it says what it is, so that it does not come again; nothing else is touched."""
        head = error.head
        self._unreadable += 1
        _log.warning("stanza not readable", count=self._unreadable)
        if head is None:
            return
        if head.tag == "iq":
            self._on_bad_answer(head, error)
        elif head.tag in OURS:
            self._finish(Why.DISMISSED)
        elif (answer := ack.refusal(head, ack.PARSING_ERROR)) is not None:
            await self._replies.put((answer, Step.ACKNOWLEDGE))

    async def _hand_over(self, stanzas: Sequence[Stanza]) -> None:
        """To the handler. When it fails, they were not stored, so they have to come again."""
        if self._end.done():
            return
        self._heard += len(stanzas)
        self._storing = True
        try:
            answers = await self._on_stanzas(stanzas)
        except Exception as error:  # noqa: BLE001 - a bug must not look like a lost connection
            level = _log.warning if isinstance(error, BridgeError) else _log.exception
            level("stanzas not stored", count=len(stanzas), error=type(error).__name__)
            self._finish(Why.NOT_STORED)
            return
        finally:
            self._storing = False
        for answer in answers:
            await self._replies.put((answer, Step.ACKNOWLEDGE))

    async def _on_iq(self, stanza: Stanza) -> None:
        """An answer, or a question of the server. One that cannot be read concerns nothing else."""
        try:
            found = iq.parse(stanza)
        except RemoteProtocolError as error:
            _log.warning("iq not understood", error=type(error).__name__)
            self._on_bad_answer(stanza, error)
            return
        if isinstance(found, iq.Request):
            await self._replies.put((_reply_to(found), Step.KEEP_ALIVE))
            return
        answer = self._asked.get(found.id)
        if answer is None or answer.done():
            return  # too late: the caller has given up
        if isinstance(found, iq.Result):
            answer.set_result(found)
        else:
            answer.set_exception(_refusal(found.error))

    def _on_bad_answer(self, stanza: Stanza, error: RemoteProtocolError) -> None:
        answer = self._asked.get(str(stanza.attributes.get("id")))
        if answer is not None and not answer.done():
            answer.set_exception(TryAgain(f"an answer cannot be read: {error}"))

    async def _reply(self) -> None:
        """Send what is owed for what was read; its own task, so that the reader goes on reading."""
        while True:
            stanza, step = await self._replies.get()
            try:
                await self.send(stanza, step=step)
            except LocalProtocolError as error:
                _log.error("reply not sent", kind=stanza.tag, error=type(error).__name__)
            except TryAgain:
                return  # the connection has ended; what was not acknowledged comes again

    def _on_last_word(self, stanza: Stanza) -> None:
        try:
            word = login.parse(stanza)
        except RemoteProtocolError as error:
            _log.warning("last word not understood", error=type(error).__name__)
            self._finish(Why.DISMISSED)
            return
        if isinstance(word, login.StreamError) and word.conflict == login.CONFLICT_REPLACED:
            self._finish(Why.REPLACED, word.code)
        elif isinstance(word, login.StreamError):
            self._finish(Why.DISMISSED, word.code)
        elif isinstance(word, login.LoginFailure):
            self._finish(Why.DISMISSED, word.reason)

    async def _keep_alive(self) -> None:
        """Ping now and then; a ping without an answer in its deadline ends the connection.

        Unless something else was heard meanwhile, or we are slow ourselves: then the answer stands in a
        queue behind what was sent before it.
        """
        while True:
            await self._clock.sleep(self._timers.keep_alive_s)
            heard = self._heard
            try:
                async with self._clock.limit(self._timers.keep_alive_deadline_s):
                    await self.ask(iq.ping, step=Step.KEEP_ALIVE)
            except (NetworkBusy, QuestionRefused):
                continue  # a refusal is a sign of life
            except (TimeoutError, TryAgain):
                if self._heard == heard and not (self._storing or self._finishing):
                    self._finish(Why.SILENT)
                    return


def _is_handed_over(event: Event) -> bool:
    return isinstance(event, StanzaReceived) and event.stanza.tag not in OURS


def _reply_to(request: iq.Request) -> Stanza:
    """A ping is answered; nothing else is asked of a client."""
    if iq.is_ping(request):
        return iq.Result(request.id).to_stanza()
    return iq.Failure(request.id, iq.IqError(NOT_IMPLEMENTED)).to_stanza()


def _refusal(error: iq.IqError) -> BridgeError:
    if error.code in PASSING_IQ_ERRORS:
        return NetworkBusy(error.code)
    return QuestionRefused(error.code)
