"""Start-up checks against the homeserver: each failure names its cause, and only fatal ones end the start."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from bridge.app.startup_checks import (
    HOMESERVER_RETRY_S,
    PING_RETRY_S,
    PING_TRIES,
    VERSIONS_LIMIT_S,
    StartupChecks,
)
from bridge.config import Config, Finding
from bridge.errors import Misconfigured
from bridge.matrix.endpoint import RefusedCalls
from bridge.matrix.homeserver import HttpHomeserver
from bridge.matrix.limiter import Limiter
from bridge.matrix.registration import main_document, new_registration
from demo.synapse import free_port
from tests.faults.homeserver.control import Control, here
from tests.faults.homeserver.mischief import Fault
from tests.matrix.conftest import SERVER, fixed_bytes
from tests.matrix.support import Shelf, endpoint
from tests.network.clock import ManualClock
from tests.store.support import CountedRandom


@dataclass
class Setting:
    """A bridge and its homeserver: the homeserver may come later, the bridge listens or not."""

    home_port: int = field(default_factory=free_port)
    own_port: int = field(default_factory=free_port)
    clock: ManualClock = field(default_factory=ManualClock)
    told: list[Finding] = field(default_factory=list)
    refused: RefusedCalls = field(default_factory=RefusedCalls)

    def __post_init__(self) -> None:
        self.ours = new_registration("interop", f"http://127.0.0.1:{self.own_port}", fixed_bytes("fake"))
        self.address = f"http://localhost:{self.home_port}"

    @asynccontextmanager
    async def homeserver(self) -> AsyncIterator[Control]:
        document = main_document(self.ours, server=SERVER, bot_localpart="interopbot")
        async with here([document], port=self.home_port) as fake:
            yield fake

    @asynccontextmanager
    async def checks(self, *, domain: str = SERVER) -> AsyncIterator[asyncio.Task[None]]:
        """The checks, running."""
        config = Config.model_validate({"homeserver": {"address": self.address, "domain": domain}})
        home = HttpHomeserver(
            url=f"http://127.0.0.1:{self.home_port}",
            token=self.ours.as_token,
            appservice_id="interop",
            clock=self.clock,
            limiter=Limiter(self.clock),
        )
        task = asyncio.create_task(
            StartupChecks(home, self.clock, CountedRandom(), config, self.told.append, self.refused).run()
        )
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await home.close()

    @asynccontextmanager
    async def listening(self, *, token: str | None = None) -> AsyncIterator[None]:
        accepted = token or self.ours.hs_token
        async with endpoint(Shelf(), self.clock, token=accepted, port=self.own_port, refused=self.refused):
            yield


async def test_a_homeserver_that_is_not_up_is_waited_for_and_told_once_with_the_reason() -> None:
    setting = Setting()
    async with setting.listening(), setting.checks() as task:
        for _ in range(3):
            await setting.clock.waited_for(HOMESERVER_RETRY_S)
            await setting.clock.advance(HOMESERVER_RETRY_S)
        await setting.clock.waited_for(HOMESERVER_RETRY_S)
        assert [finding.sentence for finding in setting.told] == [
            f"homeserver.address: {setting.address} does not answer (connection refused)."
            " The bridge asks again every 10 s."
        ]
        async with setting.homeserver():
            await setting.clock.advance(HOMESERVER_RETRY_S)
            await task
    assert len(setting.told) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("versions", "status", status=502, errcode=None), "(HTTP 502)"),
        (Fault("register", "status", status=500), "(HTTP 500 M_UNKNOWN)"),
        (Fault("whoami", "limit"), "(HTTP 429)"),
        (Fault("versions", "garbage"), "(no answer of a homeserver)"),
        (Fault("versions", "status", status=404, errcode=None), "(HTTP 404 without a Matrix error code)"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_a_homeserver_that_is_half_up_is_waited_for(fault: Fault, reason: str) -> None:
    setting = Setting()
    async with setting.listening(), setting.homeserver() as fake:
        await fake.faults(fault)
        async with setting.checks() as task:
            await setting.clock.waited_for(HOMESERVER_RETRY_S)
            await setting.clock.advance(HOMESERVER_RETRY_S)
            await task
    assert len(setting.told) == 1
    assert reason in setting.told[0].what


async def test_what_never_answers_is_told_after_seconds_with_what_it_may_be() -> None:
    setting = Setting()
    setting.address = setting.address.replace("http:", "https:")
    with socket.create_server(("127.0.0.1", setting.home_port)):
        async with setting.checks():
            await setting.clock.waited_for(VERSIONS_LIMIT_S)
            await setting.clock.advance(VERSIONS_LIMIT_S)
            await setting.clock.waited_for(HOMESERVER_RETRY_S)
    (told,) = setting.told
    assert f"(nothing came in {VERSIONS_LIMIT_S:g} s)" in told.what
    assert "If it speaks no TLS, write http://." in told.remedy


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        (Fault("versions", "status", status=404, errcode="M_UNRECOGNIZED"), "homeserver.address"),
        (Fault("versions", "status", status=401, errcode="M_UNKNOWN_TOKEN"), "appservice.as_token"),
        (Fault("register", "status", status=400, errcode="M_EXCLUSIVE"), "appservice.bot.username"),
        (Fault("ping", "status", status=403, errcode="M_FORBIDDEN"), "appservice.id"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_each_refusal_names_what_the_admin_wrote_wrong(fault: Fault, where: str) -> None:
    setting = Setting()
    async with setting.listening(), setting.homeserver() as fake:
        await fake.faults(fault)
        async with setting.checks() as task:
            with pytest.raises(Misconfigured) as refused:
                await task
    assert (refused.value.where, refused.value.exit_code) == (where, 16)


async def test_another_reason_is_told_anew() -> None:
    setting = Setting()
    async with setting.listening(), setting.checks() as task:
        await setting.clock.waited_for(HOMESERVER_RETRY_S)
        async with setting.homeserver() as fake:
            await fake.faults(Fault("versions", "status", status=502, errcode=None, count=2))
            for _ in range(3):
                await setting.clock.waited_for(HOMESERVER_RETRY_S)
                await setting.clock.advance(HOMESERVER_RETRY_S)
            await task
    assert [finding.what.partition("(")[2] for finding in setting.told] == [
        "connection refused).",
        "HTTP 502).",
    ]


@pytest.mark.parametrize("status", [404, 405])
async def test_homeserver_without_ping_is_warned_about_and_used(status: int) -> None:
    setting = Setting()
    async with setting.homeserver() as fake:
        await fake.faults(Fault("ping", "status", status=status, errcode="M_UNRECOGNIZED"))
        async with setting.checks() as task:
            await task
    (told,) = setting.told
    assert told.path == "appservice.address" and "has no ping" in told.what


@pytest.mark.parametrize(
    "fault",
    [
        Fault("profile", "status", status=403, errcode="M_FORBIDDEN", count=-1),
        Fault("profile", "status", status=500, count=-1),
    ],
    ids=["refused", "failing"],
)
async def test_a_bot_without_a_name_is_no_reason_to_end(fault: Fault) -> None:
    setting = Setting()
    async with setting.listening(), setting.homeserver() as fake:
        await fake.faults(fault)
        async with setting.checks() as task:
            await task
        assert [entry["call"] for entry in await fake.log() if entry["kind"] == "fault"] == ["profile"]
    assert setting.told == []


async def test_what_only_the_admin_can_mend_ends_the_start() -> None:
    setting = Setting()
    async with setting.homeserver() as fake:
        async with setting.checks(domain="other.test") as task:
            with pytest.raises(Misconfigured) as wrong_domain:
                await task
        await fake.faults(Fault("whoami", "status", status=401, errcode="M_UNKNOWN_TOKEN"))
        async with setting.checks() as task:
            with pytest.raises(Misconfigured) as unknown:
                await task
        async with setting.checks() as task:
            for _ in range(PING_TRIES - 1):
                await setting.clock.waited_for(PING_RETRY_S)
                await setting.clock.advance(PING_RETRY_S)
            with pytest.raises(Misconfigured) as unheard:
                await task
    assert [each.value.exit_code for each in (wrong_domain, unknown, unheard)] == [17, 16, 13]


async def pings_fail(setting: Setting) -> Misconfigured:
    """How the checks end when no ping succeeds."""
    async with setting.homeserver(), setting.checks() as task:
        for _ in range(PING_TRIES - 1):
            await setting.clock.waited_for(PING_RETRY_S)
            await setting.clock.advance(PING_RETRY_S)
        with pytest.raises(Misconfigured) as ended:
            await task
    return ended.value


async def test_wrong_hs_token_is_named_as_the_cause() -> None:
    setting = Setting()
    async with setting.listening(token="another token than the registration has"):
        error = await pings_fail(setting)
    assert (error.where, error.exit_code) == ("appservice.hs_token", 16)
    assert "restart" in error.remedy


async def test_unreachable_bridge_is_not_blamed_on_an_earlier_stranger() -> None:
    setting = Setting()
    setting.refused.count = 3
    error = await pings_fail(setting)
    assert (error.where, error.exit_code) == ("appservice.address", 13)
