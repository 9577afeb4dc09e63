"""The homeserver port when the homeserver fails, limits, refuses or answers nonsense (faults F14-F17)."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from bridge.content import Text
from bridge.errors import LONGEST_ASKED_SECONDS, TryAgain
from bridge.ids import EventId, RoomId, UserId
from bridge.matrix.errors import Rejected
from bridge.matrix.events import text_content
from bridge.matrix.homeserver import HttpHomeserver
from bridge.matrix.http import MAX_ANSWER_BYTES, Api, Connection
from bridge.matrix.limiter import DEFAULT_WAIT_SECONDS, Limiter
from bridge.matrix.registration import main_document, new_registration
from tests.faults.homeserver.control import Control, here
from tests.faults.homeserver.mischief import Fault
from tests.matrix.conftest import BOT, SERVER, fixed_bytes
from tests.matrix.support import HandClock, serving
from tests.matrix.test_homeserver import room_of

ROOM = RoomId("!room")
MAIN = new_registration("interop", "http://127.0.0.1:9", fixed_bytes("fake"))


@dataclass
class Pair:
    """A port and the fake homeserver at its other end, with time that a test moves."""

    port: HttpHomeserver
    fake: Control
    clock: HandClock
    room: RoomId

    async def send(self, words: str = "hallo", id_: str = "t1") -> EventId:
        content = text_content(Text(words), marker="m")
        return await self.port.send(BOT, self.room, "m.room.message", content, transaction_id=id_)

    async def calls(self, kind: str = "fault") -> int:
        return len([entry for entry in await self.fake.log() if entry["kind"] == kind])


def port_on(url: str, clock: HandClock, limiter: Limiter) -> HttpHomeserver:
    return HttpHomeserver(url=url, token=MAIN.as_token, appservice_id="interop", clock=clock, limiter=limiter)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    clock = HandClock()
    async with here([main_document(MAIN, server=SERVER, bot_localpart="interopbot")]) as fake:
        await fake.hold(True)
        port = port_on(fake.url, clock, Limiter(clock))
        try:
            await port.register("interopbot")
            await fake.person("@anna:hs.test", joins=False)
            yield Pair(port, fake, clock, (await room_of(port, "faulty"))[0])
        finally:
            await port.close()


@pytest.mark.fault("F14")
@pytest.mark.parametrize(
    "fault",
    [
        Fault("send", "status", status=500),
        Fault("send", "status", status=502, errcode=None),
        Fault("send", "status", status=503, errcode=None),
        Fault("send", "status", status=404, errcode=None),
        Fault("send", "status", status=302, errcode=None),
        Fault("send", "reset", count=2),  # aiohttp itself repeats a PUT once on a connection it had kept
        Fault("send", "garbage"),
        Fault("send", "huge"),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status}",
)
async def test_what_may_pass_is_tried_again_and_then_works(pair: Pair, fault: Fault) -> None:
    await pair.fake.faults(fault)
    with pytest.raises(TryAgain):
        await pair.send()
    assert await pair.fake.faults() == []
    assert await pair.send()


@asynccontextmanager
async def answered_by(
    answer: Callable[[web.Request], Awaitable[web.Response]],
) -> AsyncIterator[HttpHomeserver]:
    """A port whose every request one handler answers."""
    clock = HandClock()
    async with serving([web.route("*", "/_matrix/{tail:.*}", answer)]) as server:
        port = port_on(f"http://127.0.0.1:{server}", clock, Limiter(clock))
        try:
            yield port
        finally:
            await port.close()


async def versions_from(answer: Callable[[web.Request], Awaitable[web.Response]]) -> Sequence[str]:
    """What the port makes of one handler's answer to GET /versions."""
    async with answered_by(answer) as port:
        return await port.versions()


async def test_a_redirect_is_not_followed_so_that_the_token_goes_nowhere_else() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/_matrix/client/versions?again"})

    with pytest.raises(TryAgain):
        await versions_from(answer)
    assert len(asked) == 1


@pytest.mark.parametrize("beyond", [0, 1])
async def test_an_answer_is_read_up_to_its_limit_and_no_further(beyond: int) -> None:
    body = b'{"versions":["v1.11"]}'

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body + b" " * (MAX_ANSWER_BYTES - len(body) + beyond))

    if beyond:
        with pytest.raises(TryAgain, match="beyond"):
            await versions_from(answer)
    else:
        assert await versions_from(answer) == ["v1.11"]


async def test_a_compressed_answer_is_not_unpacked() -> None:
    async def answer(request: web.Request) -> web.Response:
        packed = gzip.compress(b'{"versions":["v1.11"]}')
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    with pytest.raises(TryAgain, match="compressed"):
        await versions_from(answer)


@pytest.mark.fault("F14")
async def test_a_homeserver_that_is_not_there_is_tried_again() -> None:
    clock = HandClock()
    port = port_on("http://127.0.0.1:9", clock, Limiter(clock))
    try:
        with pytest.raises(TryAgain):
            await port.versions()
    finally:
        await port.close()


@pytest.mark.fault("F14")
@pytest.mark.parametrize(
    ("named", "after"), [("17", 17), ("3600", 3600), ("3601", LONGEST_ASKED_SECONDS), ("999999999", 3600)]
)
async def test_a_wait_named_with_a_503_is_passed_on_up_to_an_hour(
    pair: Pair, named: str, after: float
) -> None:
    await pair.fake.faults(Fault("send", "status", status=503, retry_after=named))
    with pytest.raises(TryAgain) as wait:
        await pair.send()
    assert wait.value.after == after


@pytest.mark.fault("F15")
@pytest.mark.parametrize("kind", ["lose", "hang"])
async def test_a_send_whose_answer_was_lost_gives_the_same_event_again(pair: Pair, kind: str) -> None:
    fault = Fault("send", "lose", count=2) if kind == "lose" else Fault("send", "hang")
    await pair.fake.faults(fault)
    before = await pair.calls("out")
    send = asyncio.create_task(pair.send())
    stored = await pair.fake.wait_for("out", txn="t1")
    if kind == "hang":
        await pair.clock.expire()
    with pytest.raises(TryAgain):
        await send
    assert await pair.send() == stored["event"]["event_id"]
    assert await pair.calls("repeat") == fault.count
    assert await pair.calls("out") == before + 1


@pytest.mark.fault("F16")
@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (Fault("send", "limit", retry_after_ms=1500), 1.5),
        (Fault("send", "limit", retry_after="7"), 7.0),
        (Fault("send", "limit", retry_after_ms=2500, retry_after="7"), 2.5),
        (Fault("send", "limit", retry_after="soon"), DEFAULT_WAIT_SECONDS),
        (Fault("send", "limit"), DEFAULT_WAIT_SECONDS),
        (Fault("send", "limit", retry_after_ms=-5), DEFAULT_WAIT_SECONDS),
        (Fault("send", "limit", retry_after_ms=int(LONGEST_ASKED_SECONDS * 1000)), LONGEST_ASKED_SECONDS),
        (Fault("send", "limit", retry_after_ms=int(LONGEST_ASKED_SECONDS * 1000) + 1), LONGEST_ASKED_SECONDS),
    ],
)
async def test_a_limit_is_waited_for_as_the_homeserver_says(pair: Pair, fault: Fault, seconds: float) -> None:
    await pair.fake.faults(fault)
    with pytest.raises(TryAgain) as wait:
        await pair.send()
    assert wait.value.after == seconds


@pytest.mark.fault("F16")
async def test_while_a_limit_lasts_nobody_calls_and_afterwards_everybody_may(pair: Pair) -> None:
    limiter = Limiter(pair.clock)
    first, second = port_on(pair.fake.url, pair.clock, limiter), port_on(pair.fake.url, pair.clock, limiter)
    try:
        await pair.fake.faults(Fault("*", "limit", count=-1, retry_after_ms=10_000))
        with pytest.raises(TryAgain):
            await first.versions()
        for port, left in ((first, 7), (second, 4), (second, 1)):
            pair.clock.at += 3
            with pytest.raises(TryAgain) as wait:
                await port.versions()
            assert wait.value.after == pytest.approx(left)
        assert await pair.calls() == 1
        await pair.fake.faults()
        pair.clock.at += 1.001
        assert await second.versions()
    finally:
        await first.close()
        await second.close()


@pytest.mark.fault("F17")
@pytest.mark.parametrize(
    ("status", "errcode", "expected"),
    [
        (400, "M_BAD_JSON", "M_BAD_JSON"),
        (403, "M_FORBIDDEN", "M_FORBIDDEN"),
        (413, "M_TOO_LARGE", "M_TOO_LARGE"),
        (413, None, "M_TOO_LARGE"),
        (400, None, "M_UNKNOWN"),
        (401, "M_UNKNOWN_TOKEN", "M_UNKNOWN_TOKEN"),
    ],
)
async def test_what_will_not_pass_is_rejected_with_its_code(
    pair: Pair, status: int, errcode: str | None, expected: str
) -> None:
    await pair.fake.faults(Fault("send", "status", status=status, errcode=errcode))
    with pytest.raises(Rejected) as refused:
        await pair.send()
    assert (refused.value.errcode, refused.value.status) == (expected, status)
    assert refused.value.sentence.key == "matrix.rejected"
    assert await pair.calls() == 1


async def test_a_refused_call_of_a_registered_user_is_not_repeated(pair: Pair) -> None:
    await pair.fake.faults(Fault("send", "status", status=403, errcode="M_FORBIDDEN", count=5))
    with pytest.raises(Rejected):
        await pair.send()
    assert await pair.calls() == 1


async def test_a_lone_surrogate_reaches_no_homeserver(pair: Pair) -> None:
    await pair.port.set_state(BOT, pair.room, "m.room.topic", "", {"topic": "a\ud800b"})
    assert await pair.port.state(BOT, pair.room, "m.room.topic", "") == {"topic": "a?b"}


async def test_ids_are_quoted_in_paths(pair: Pair) -> None:
    assert await pair.port.resolve_alias("#ib_x/../y?a=b#c:hs.test") is None
    await pair.port.set_state(BOT, pair.room, "eu.test/odd?#%", "a b/c", {"x": 1})
    assert await pair.port.state(BOT, pair.room, "eu.test/odd?#%", "a b/c") == {"x": 1}


async def test_concurrent_calls_act_as_their_own_users() -> None:
    asked: list[tuple[str, str]] = []
    both_there = asyncio.Barrier(2)

    async def answer(request: web.Request) -> web.Response:
        await both_there.wait()
        asked.append((request.path.rpartition("/")[2], request.query["user_id"]))
        return web.json_response({"event_id": "$e"})

    async with answered_by(answer) as port:
        ghosts = UserId("@ib_a:hs.test"), UserId("@ib_b:hs.test")
        content = text_content(Text("hallo"), marker="m")
        await asyncio.gather(
            *(port.send(ghost, ROOM, "m.room.message", content, transaction_id=ghost) for ghost in ghosts)
        )
    assert sorted(asked) == [(ghost, ghost) for ghost in ghosts]


@pytest.mark.parametrize("odd", [7, None, {}, {"type": 7, "state_key": []}, {"content": "words"}])
async def test_one_odd_event_spoils_neither_history_nor_members(odd: object) -> None:
    member = {"type": "m.room.member", "state_key": BOT, "content": {"membership": "join"}}

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"chunk": [odd, member]})

    async with answered_by(answer) as port:
        assert await port.members(BOT, ROOM) == {BOT: "join"}
        assert [event async for event in port.history(BOT, ROOM, limit=5)][-1] == member


@pytest.mark.parametrize("answer", [{}, {"event_id": 7}, {"event_id": ""}, {"event_id": ["$e"]}])
async def test_answer_without_an_event_id_is_tried_again(answer: dict[str, Any]) -> None:
    async def answered(request: web.Request) -> web.Response:
        return web.json_response(answer)

    async with answered_by(answered) as port:
        with pytest.raises(TryAgain):
            await port.send(BOT, ROOM, "m.room.message", {}, transaction_id="t1")
        with pytest.raises(TryAgain):
            await port.redact(BOT, ROOM, EventId("$e"), transaction_id="t1")


@pytest.mark.fault("F14")
async def test_leaving_through_a_broken_proxy_is_tried_again(pair: Pair) -> None:
    await pair.fake.faults(Fault("leave", "status", status=502, errcode=None))
    with pytest.raises(TryAgain):
        await pair.port.leave(BOT, pair.room)
    assert await pair.fake.faults() == []


async def test_leaving_that_is_refused_is_success_only_outside_the_room(pair: Pair) -> None:
    refusal = Fault("leave", "status", status=400, errcode="M_UNKNOWN")  # Dendrite's answer to a second one
    await pair.fake.faults(refusal)
    with pytest.raises(Rejected):
        await pair.port.leave(BOT, pair.room)
    await pair.port.leave(BOT, pair.room)
    await pair.fake.faults(refusal)
    await pair.port.leave(BOT, pair.room)
    assert await pair.fake.faults() == []


async def test_mautrix_neither_logs_nor_makes_transaction_ids(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.NOTSET)
    clock = HandClock()
    connection = Connection(url="http://127.0.0.1:9", token="t", clock=clock, limiter=Limiter(clock))
    try:
        api = Api(connection, BOT)
        url = URL("http://127.0.0.1:9/_matrix/media/v3/download/a/b")
        request = api.log_download_request(url, {})
        api.log_download_request_done(url, request, 0.0, 200)
        assert not [record for record in caplog.records if record.name.startswith("mau")]
        with pytest.raises(NotImplementedError):
            api.get_txn_id()
    finally:
        await connection.close()
