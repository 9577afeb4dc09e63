"""How a connection ends, and that everybody who waits for it learns of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.errors import TryAgain
from bridge.network.backoff import End, Why
from bridge.network.interop.channel import FINISH_LIMIT_S
from bridge.ports import Step, Stream
from bridge.wire.stanza import Stanza
from bridge.wire.vocabulary.login import CONFLICT_REPLACED, LoginFailure, StreamError
from tests.network.support import Around, Stuck, Through, connected, each, message


@pytest.mark.parametrize(
    ("word", "end"),
    [
        (StreamError("409", CONFLICT_REPLACED).to_stanza(), End(Why.REPLACED, "409")),
        (StreamError(None, CONFLICT_REPLACED).to_stanza(), End(Why.REPLACED)),
        (StreamError("503").to_stanza(), End(Why.DISMISSED, "503")),
        (StreamError("401", "device_removed").to_stanza(), End(Why.DISMISSED, "401")),
        (LoginFailure("403").to_stanza(), End(Why.DISMISSED, "403")),
        (Stanza("failure"), End(Why.DISMISSED)),
        (Stanza("stream:error", {}, (Stanza("conflict"),)), End(Why.DISMISSED)),
    ],
)
@pytest.mark.fault("F41")
async def test_stream_error_gives_the_reason_of_the_end(word: Stanza, end: End) -> None:
    async with connected() as both:
        await both.peer.send(word, message("too late"))
        assert await both.link.ended() == end
        assert both.link.end == end
        assert both.inbox.stanzas.empty()
        await both.peer.ends()


class Mistaken(Around):
    """Its next bytes meet a mistake of ours once ``broken`` is set."""

    broken = False

    async def receive(self) -> bytes:
        data = await super().receive()
        if self.broken:
            raise ZeroDivisionError
        return data


async def test_unexpected_error_ends_the_connection_and_is_logged(
    capfd: pytest.CaptureFixture[str],
) -> None:
    streams: list[Mistaken] = []

    def wrap(inner: Stream) -> Stream:
        streams.append(Mistaken(inner))
        return streams[0]

    async with connected(dialer=Through(wrap)) as both:
        asking = asyncio.create_task(both.link.prekey_count())
        await both.peer.receive()
        streams[0].broken = True
        await both.peer.send(message("1"))
        assert await both.link.ended() == End(Why.FAULT)
        with pytest.raises(TryAgain, match="has ended: fault"):
            await asking
        await both.peer.ends()
    assert "connection failed (unexpected error)" in capfd.readouterr().out


async def test_server_close_ends_the_connection() -> None:
    async with connected() as both:
        both.peer.hang_up()
        assert await both.link.ended() == End(Why.LOST)


@pytest.mark.fault("F31")
async def test_connection_cut_at_any_byte_of_a_frame_is_broken_or_lost() -> None:
    async with connected() as both:
        whole = len(both.peer.encrypted(message("1")))
    for cut in range(1, whole):
        async with connected() as both:
            await both.peer.send_raw(both.peer.encrypted(message("1"))[:cut])
            both.peer.hang_up()
            assert await both.link.ended() == End(Why.BROKEN)
            assert both.inbox.stanzas.empty()


async def test_tampered_frame_ends_the_connection() -> None:
    async with connected() as both:
        data = bytearray(both.peer.encrypted(message("1")))
        data[-1] ^= 1
        await both.peer.send_raw(bytes(data))
        assert await both.link.ended() == End(Why.BROKEN)


async def test_end_fails_every_pending_and_later_request() -> None:
    async with connected() as both:
        asking = [asyncio.create_task(both.link.prekey_count()) for _ in range(3)]
        for _ in range(3):
            await both.peer.receive()
        both.peer.hang_up()
        for task in asking:
            with pytest.raises(TryAgain, match="has ended: lost"):
                await task
        with pytest.raises(TryAgain, match="has ended: lost"):
            await both.link.send(message("1"), step=Step.SEND)
        with pytest.raises(TryAgain, match="has ended: lost"):
            await both.link.prekey_count()


async def test_close_ends_the_connection_once() -> None:
    async with connected() as both:
        await both.link.close()
        await both.link.close()
        assert both.link.end == End(Why.CLOSED)
        await both.peer.ends()


async def test_handler_may_close_the_connection() -> None:
    links: list[Any] = []

    async def handler(stanza: Stanza) -> None:
        await links[0].close()

    async with connected(each(handler)) as both:
        links.append(both.link)
        await both.peer.send(message("1"))
        assert await both.link.ended() == End(Why.CLOSED)


async def test_waiting_for_the_end_can_be_cancelled() -> None:
    async with connected() as both:
        waiting = asyncio.create_task(both.link.ended())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert both.link.end is None
        await both.link.close()
        assert await both.link.ended() == End(Why.CLOSED)


async def test_interrupted_send_ends_the_connection() -> None:
    stuck: list[Stuck] = []

    def wrap(inner: Stream) -> Stream:
        stuck.append(Stuck(inner, Step.SEND))
        return stuck[0]

    async with connected(dialer=Through(wrap)) as both:
        sending = asyncio.create_task(both.link.send(message("1"), step=Step.SEND))
        await stuck[0].waiting.wait()
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()
        assert both.link.end == End(Why.LOST)


async def test_finish_receives_in_flight_stanzas_and_sends_nothing() -> None:
    async with connected() as both:
        finishing = asyncio.create_task(both.link.finish())
        await both.peer.ends()
        with pytest.raises(TryAgain, match="is ending"):
            await both.link.send(message("1"), step=Step.SEND)
        await both.peer.send(message("on its way"))
        assert (await both.inbox.next()).attributes["id"] == "on its way"
        assert not finishing.done()
        both.peer.hang_up()
        await finishing
        assert both.link.end == End(Why.CLOSED)


async def test_finish_fails_pending_requests() -> None:
    async with connected() as both:
        asking = asyncio.create_task(both.link.prekey_count())
        await both.peer.receive()
        finishing = asyncio.create_task(both.link.finish())
        await both.peer.ends()
        both.peer.hang_up()
        await finishing
        with pytest.raises(TryAgain, match="has ended: closed"):
            await asking


async def test_finish_gives_up_on_a_server_that_does_not_close() -> None:
    async with connected() as both:
        finishing = asyncio.create_task(both.link.finish())
        await both.peer.ends()
        await both.clock.waited_for(FINISH_LIMIT_S)
        await both.clock.advance(FINISH_LIMIT_S - 0.1)
        assert not finishing.done()
        await both.clock.advance(0.1)
        await finishing
        assert both.link.end == End(Why.CLOSED)


async def test_finish_after_the_end_is_harmless() -> None:
    async with connected() as both:
        both.peer.hang_up()
        await both.link.ended()
        await both.link.finish()
        assert both.link.end == End(Why.LOST)
