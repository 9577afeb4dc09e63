"""Events that unauthenticated callers trigger: at most one log line a minute, none of them an error."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import structlog
from aiohttp.http_exceptions import LineTooLong

from bridge.log_limiter import LINE_SECONDS, LogLimiter
from bridge.web.listeners import Listeners
from bridge.web.routes import Listener
from bridge.web.server_log import ServerLog
from tests.network.clock import ManualClock
from tests.web.test_public import public


async def test_first_event_is_logged_at_once_later_ones_once_a_minute() -> None:
    clock = ManualClock()
    limiter = LogLimiter(clock)
    assert [limiter.due() for _ in range(3)] == [1, 0, 0]
    await clock.advance(LINE_SECONDS - 1)
    assert limiter.due() == 0
    await clock.advance(1)
    assert [limiter.due(), limiter.due()] == [4, 0]


async def test_oversized_header_is_refused_without_an_error(caplog: pytest.LogCaptureFixture) -> None:
    listeners = Listeners([Listener("public", "127.0.0.1", 0, ())], ManualClock())
    await listeners.start()
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*listeners.address("public"))
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 9_000 + b"\r\n\r\n")
            assert b" 400 " in await reader.readline()
            writer.close()
    await listeners.stop()
    assert [(line["log_level"], line["count"]) for line in lines] == [("info", 1)]
    assert caplog.records == []


async def test_forged_wake_ups_log_one_line_a_minute() -> None:
    async with public() as here:
        with structlog.testing.capture_logs() as lines:
            for seconds in (0, 0, LINE_SECONDS):
                await here.clock.advance(seconds)
                assert (await here.push(token="forged"))[0] == 401
    assert [line["count"] for line in lines if line["event"] == "push refused"] == [1, 2]


@pytest.mark.parametrize("error", [ValueError("ours"), True, None])
async def test_our_own_errors_stay_errors(caplog: pytest.LogCaptureFixture, error: Any) -> None:
    log = ServerLog(ManualClock())
    with structlog.testing.capture_logs() as lines:
        log.error("Unhandled exception", exc_info=error)
        log.error("Error handling request", exc_info=LineTooLong("x", "8190"))
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert [line["error"] for line in lines if "count" in line] == ["LineTooLong"]
