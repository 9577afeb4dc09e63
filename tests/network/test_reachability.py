"""Why the network cannot be reached, as the admin learns it: one word for each kind of failure."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from bridge.adapters.streams import TcpDialer
from bridge.errors import RemoteProtocolError, TryAgain
from bridge.log_limiter import LINE_SECONDS
from bridge.network.reachability import Reachability, Trouble, trouble_of
from tests.network.clock import ManualClock
from tests.network.support import CREDENTIALS, NOW, Inbox, interop, profile, serving


def failure(cause: BaseException | None) -> TryAgain:
    """An attempt that failed for ``cause``, as the edges raise it."""
    error = TryAgain("dial: it failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "trouble"),
    [
        (ConnectionRefusedError(111, "Connection refused"), Trouble.REFUSED),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] again"), Trouble.REFUSED),
        (TimeoutError(), Trouble.TIMED_OUT),
        (OSError(-2, "Name or service not known"), Trouble.NAME),
        (UnicodeError("label too long"), Trouble.NAME),
        (OSError(113, "No route to host"), Trouble.NO_ROUTE),
        (ConnectionResetError(104, "Connection reset by peer"), Trouble.CLOSED),
        (None, Trouble.CLOSED),
        (RemoteProtocolError("not signed by its issuer"), Trouble.HANDSHAKE),
        (OSError(24, "Too many open files"), Trouble.OTHER),
    ],
    ids=str,
)
def test_failure_maps_to_one_word(cause: BaseException | None, trouble: Trouble) -> None:
    assert trouble_of(failure(cause)) is trouble


async def test_unresolvable_host_is_reported() -> None:
    with pytest.raises(TryAgain) as refused:
        await TcpDialer().dial("no-such-host.invalid", 1, timeout=30)
    assert trouble_of(refused.value) is Trouble.NAME


async def test_outage_is_logged_with_address_and_reason_at_most_once_a_minute() -> None:
    clock = ManualClock(NOW)
    network = Reachability("chat.example.org", 443, clock)
    refused = failure(ConnectionRefusedError(111, "Connection refused"))
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            network.failed(refused)
        network.failed(failure(TimeoutError()))
        await clock.advance(LINE_SECONDS)
        network.failed(failure(TimeoutError()))
        network.reached()
        network.reached()
    place = {"host": "chat.example.org", "port": 443}
    down = {"event": "network not reachable", "log_level": "warning", **place}
    assert lines == [
        {**down, "reason": "connection-refused", "failures": 1},
        {**down, "reason": "timed-out", "failures": 4},
        {**down, "reason": "timed-out", "failures": 5},
        {"event": "network reachable again", "log_level": "info", **place, "failures": 5, "seconds": 60},
    ]
    assert network.counts == {Trouble.REFUSED: 3, Trouble.TIMED_OUT: 2}


async def test_connector_notes_an_outage_and_its_end() -> None:
    async with serving() as server:
        port = server.port
        connector = interop(profile(port))
    with pytest.raises(TryAgain):
        await connector.connect(CREDENTIALS, Inbox())
    outage = connector.reachability.outage
    assert outage is not None and (outage.trouble, outage.failures) == (Trouble.REFUSED, 1)
    async with serving() as server:
        connector = interop(profile(server.port))
        connector.reachability.failed(failure(None))
        connecting = asyncio.create_task(connector.connect(CREDENTIALS, Inbox()))
        peer = await server.peer()
        await peer.login()
        await peer.accept()
        link = await connecting
        assert connector.reachability.outage is None
        await link.close()
