"""The token is in the header of every call and nowhere else."""

from __future__ import annotations

import logging

import pytest
from aiohttp import web

from bridge.content import Text
from bridge.errors import BridgeError
from bridge.ids import EventId, RoomId
from bridge.matrix.events import text_content
from bridge.matrix.homeserver import HttpHomeserver
from bridge.matrix.limiter import Limiter
from bridge.matrix.rooms import portal_room
from tests.matrix.conftest import BOT
from tests.matrix.support import HandClock, serving
from tests.matrix.test_homeserver import ANNA, portal

CANARY = "canary" * 10
WORDS = "words of a person"


async def every_call(port: HttpHomeserver) -> str:
    """Make every call of the port; gives what the errors say."""
    room, event, content = RoomId("!r"), EventId("$e"), text_content(Text(WORDS), marker="m")
    calls = [
        port.whoami(),
        port.versions(),
        port.ping("p"),
        port.register("ib_a"),
        port.set_display_name(BOT, "Bot"),
        port.create_room(BOT, portal_room(portal("a"))),
        port.resolve_alias("#a:hs.test"),
        port.invite(BOT, room, ANNA),
        port.join(BOT, room),
        port.leave(BOT, room),
        port.members(BOT, room),
        port.send(BOT, room, "m.room.message", content, transaction_id="t", sent_at_ms=1),
        port.set_state(BOT, room, "m.room.topic", "", {}),
        port.state(BOT, room, "m.room.topic", ""),
        port.redact(BOT, room, event, transaction_id="r"),
        port.mark_read(BOT, room, event),
        anext(port.history(BOT, room, limit=1)),
        port.account_data(ANNA, "m.direct"),
        port.set_account_data(ANNA, "m.direct", {}),
    ]
    said: list[str] = []
    for call in calls:
        try:
            await call
        except (BridgeError, StopAsyncIteration) as error:
            said += [str(error), repr(error), repr(error.__cause__)]
    return "\n".join(said)


async def test_no_token_or_text_is_in_a_url_an_error_or_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.NOTSET)
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.raw_path, request.headers["Authorization"]))
        await request.read()
        status = 403 if len(seen) % 2 else 200
        body = {"errcode": "M_USER_IN_USE"} if status == 403 else {}
        return web.json_response(body, status=status)

    async with serving([web.route("*", "/{tail:.*}", answer)]) as server:
        clock = HandClock()
        port = HttpHomeserver(
            url=f"http://127.0.0.1:{server}/",
            token=CANARY,
            appservice_id="interop",
            clock=clock,
            limiter=Limiter(clock),
        )
        try:
            said = await every_call(port)
        finally:
            await port.close()
        said += repr(port) + "".join(record.getMessage() + repr(vars(record)) for record in caplog.records)
    assert CANARY not in said and WORDS not in said
    assert len(seen) > 19
    assert all(CANARY not in path and header == f"Bearer {CANARY}" for path, header in seen)
    assert all(path.startswith("/_matrix/client/") for path, _ in seen)
