"""A live connection: what is read, what is asked, and what keeps it alive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bridge.errors import TryAgain
from bridge.network.backoff import End, Why
from bridge.network.errors import NetworkBusy, QuestionRefused
from bridge.network.interop.channel import MAX_REPLIES_WAITING
from bridge.ports import Step, Stream
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary import iq
from tests.network.support import Both, Stuck, Through, connected, each, message

PING = iq.PING_XMLNS


async def _answered(both: Both) -> iq.Request:
    """Take the client's question and answer it."""
    asked = iq.parse(await both.peer.receive())
    assert isinstance(asked, iq.Request)
    await both.peer.send(iq.Result(asked.id).to_stanza())
    return asked


async def test_stanzas_are_handed_over_in_batches_and_in_order() -> None:
    running, seen, free = 0, [], asyncio.Event()
    all_seen = asyncio.Event()

    async def handler(stanzas: Sequence[Stanza]) -> Sequence[Stanza]:
        nonlocal running
        running += 1
        assert running == 1
        await free.wait()
        seen.append([stanza.attributes["id"] for stanza in stanzas])
        running -= 1
        if sum(map(len, seen)) == 3:
            all_seen.set()
        return ()

    async with connected(handler) as both:
        await both.peer.send(message("1"), message("2"))
        await both.peer.send(message("3"))
        free.set()
        await all_seen.wait()
        assert [id for together in seen for id in together] == ["1", "2", "3"]
        assert seen[0][:2] == ["1", "2"]


async def test_acknowledgements_reach_the_handler_too() -> None:
    async with connected() as both:
        await both.peer.send(Stanza("ack", {"class": "message", "id": "1"}))
        assert (await both.inbox.next()).tag == "ack"


async def test_message_is_read_while_a_request_waits() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.prekey_count())
        asked = iq.parse(await both.peer.receive())
        await both.peer.send(message("in between"))
        assert (await both.inbox.next()).attributes["id"] == "in between"
        assert not asking.done()
        await both.peer.send(
            iq.Result(asked.id, (Stanza("count", {"value": "9"}),)).to_stanza(),
        )
        assert await asking == 9


@pytest.mark.parametrize("error", [TryAgain("the store is busy"), RuntimeError("a mistake of ours")])
async def test_failed_store_ends_the_connection_without_an_ack(error: Exception) -> None:
    async def handler(stanza: Stanza) -> None:
        raise error

    async with connected(each(handler)) as both:
        await both.peer.send(message("1"), message("2"))
        assert await both.link.ended() == End(Why.NOT_STORED)
        await both.peer.ends()


async def test_answers_are_matched_by_id() -> None:
    async with connected() as both:
        first = asyncio.create_task(both.link.ask(iq.ping))
        one = iq.parse(await both.peer.receive())
        second = asyncio.create_task(both.link.ask(iq.ping))
        two = iq.parse(await both.peer.receive())
        assert one.id != two.id
        await both.peer.send(iq.Result(two.id).to_stanza(), iq.Result(one.id).to_stanza())
        assert (await first).id == one.id
        assert (await second).id == two.id


async def test_late_answer_to_a_timed_out_request_is_ignored() -> None:
    async with connected(timers={"keep_alive_s": 1000, "iq_timeout_s": 40}) as both:
        asking = asyncio.create_task(both.link.prekey_count())
        asked = iq.parse(await both.peer.receive())
        await both.clock.advance(39.9)
        assert not asking.done()
        await both.clock.advance(0.1)
        with pytest.raises(TryAgain, match="no answer in 40 s"):
            await asking
        await both.peer.send(iq.Result(asked.id).to_stanza(), message("after"))
        assert (await both.inbox.next()).attributes["id"] == "after"
        assert both.link.end is None


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, QuestionRefused),
        (404, QuestionRefused),
        (429, NetworkBusy),
        (500, NetworkBusy),
        (503, NetworkBusy),
        (530, NetworkBusy),
    ],
)
async def test_refused_request_says_whether_to_retry(code: int, error: type[Exception]) -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.ask(iq.ping))
        asked = iq.parse(await both.peer.receive())
        await both.peer.send(iq.Failure(asked.id, iq.IqError(code)).to_stanza())
        with pytest.raises(error):
            await asking
        assert both.link.end is None


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "error"},
        {"type": "nonsense"},
        {},
    ],
)
async def test_unreadable_answer_concerns_only_its_request(broken: dict[str, str]) -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.ask(iq.ping))
        asked = iq.parse(await both.peer.receive())
        await both.peer.send(Stanza("iq", {"id": asked.id, **broken}), Stanza("iq"), message("next"))
        with pytest.raises(TryAgain, match="cannot be read"):
            await asking
        assert (await both.inbox.next()).attributes["id"] == "next"


async def test_server_ping_is_answered_other_requests_are_declined() -> None:
    async with connected() as both:
        await both.peer.send(iq.ping("s-1"))
        assert iq.parse(await both.peer.receive()) == iq.Result("s-1")
        await both.peer.send(iq.Request("s-2", "set", "something-new").to_stanza())
        assert iq.parse(await both.peer.receive()) == iq.Failure("s-2", iq.IqError(501))
        assert both.inbox.stanzas.empty()


async def test_acknowledgements_are_sent_in_order() -> None:
    async def handler(stanza: Stanza) -> Stanza | None:
        if stanza.tag != "message":
            return None
        return Stanza("ack", {"class": "message", "id": stanza.attributes["id"]})

    async with connected(each(handler)) as both:
        await both.peer.send(message("1"), Stanza("ib"), iq.ping("p"), message("2"))
        got = [await both.peer.receive() for _ in range(3)]
        assert [(stanza.tag, stanza.attributes["id"]) for stanza in got] == [
            ("ack", "1"),
            ("iq", "p"),
            ("ack", "2"),
        ]


async def test_server_that_does_not_read_counts_as_silent() -> None:
    taken: list[Stanza] = []
    full = asyncio.Event()
    too_many = MAX_REPLIES_WAITING + 10

    async def handler(stanzas: Sequence[Stanza]) -> Sequence[Stanza]:
        taken.extend(stanzas)
        if len(taken) >= too_many:
            full.set()
        return stanzas

    def wrap(inner: Stream) -> Stream:
        return Stuck(inner, Step.ACKNOWLEDGE)

    async with connected(handler, dialer=Through(wrap)) as both:
        await both.peer.send(*(message(str(number)) for number in range(too_many)))
        await full.wait()
        await both.peer.send(message("one more"))
        await both.clock.waited_for(25.0)
        await both.clock.advance(25)
        await both.clock.advance(10)
        assert await both.link.ended() == End(Why.SILENT)
        assert len(taken) == too_many


async def test_slow_store_is_not_mistaken_for_a_silent_server() -> None:
    storing, free = asyncio.Event(), asyncio.Event()

    async def handler(stanza: Stanza) -> None:
        storing.set()
        await free.wait()

    async with connected(each(handler)) as both:
        await both.clock.waited_for(25.0)
        await both.peer.send(message("1"))
        await storing.wait()
        await both.clock.advance(25)
        ping = _request(await both.peer.receive())
        await both.peer.send(iq.Result(ping.id).to_stanza())
        await both.clock.advance(10)
        assert both.link.end is None
        free.set()
        await both.clock.waited_for(25.0)
        assert both.link.end is None


async def test_talking_server_is_not_silent() -> None:
    async with connected() as both:
        await both.clock.waited_for(25.0)
        await both.clock.advance(25)
        await both.peer.receive()
        await both.peer.send(message("1"))
        await both.inbox.next()
        await both.clock.advance(10)
        await both.clock.waited_for(25.0)
        assert both.link.end is None


async def test_idle_connection_sends_keep_alives() -> None:
    async with connected() as both:
        for _ in range(3):
            await both.clock.waited_for(25.0)
            await both.clock.advance(25)
            asked = await _answered(both)
            assert iq.is_ping(asked)
        assert both.link.end is None


async def test_unanswered_keep_alive_ends_the_connection() -> None:
    async with connected() as both:
        await both.clock.waited_for(25.0)
        await both.clock.advance(25)
        assert iq.is_ping(_request(await both.peer.receive()))
        await both.clock.advance(9.9)
        assert both.link.end is None
        await both.clock.advance(0.1)
        assert await both.link.ended() == End(Why.SILENT)
        await both.peer.ends()


@pytest.mark.parametrize("code", [429, 400])
async def test_refused_keep_alive_is_a_sign_of_life(code: int) -> None:
    async with connected() as both:
        await both.clock.waited_for(25.0)
        await both.clock.advance(25)
        asked = iq.parse(await both.peer.receive())
        await both.peer.send(iq.Failure(asked.id, iq.IqError(code)).to_stanza())
        await both.clock.waited_for(25.0)
        assert both.link.end is None


def _request(stanza: Stanza) -> iq.Request:
    found = iq.parse(stanza)
    assert isinstance(found, iq.Request)
    return found


async def test_stanzas_of_many_senders_arrive_whole() -> None:
    async with connected() as both:
        ids = [str(n) for n in range(50)]
        await asyncio.gather(*(both.link.send(message(id), step=Step.SEND) for id in ids))
        assert [(await both.peer.receive()).attributes["id"] for _ in ids] == ids
