"""One running bridge: built from a config, started, run until a signal, stopped in order."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bridge.adapters.clock import ControlledClock, RealClock
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.streams import TcpDialer
from bridge.adapters.web_client import WebClient
from bridge.app.assembly import Flows, assemble
from bridge.app.keys import installation_keys, signing_key_file
from bridge.app.listeners import Front, build_listeners
from bridge.app.startup_checks import StartupChecks, Tell, check_accounts
from bridge.config import Config, Finding, check_connection, read_profile
from bridge.flow.connections.registry import Connections
from bridge.flow.context import Parts, Settings
from bridge.matrix.endpoint import RefusedCalls
from bridge.matrix.homeserver import HttpHomeserver
from bridge.matrix.limiter import Limiter
from bridge.network.interop.connector import Interop
from bridge.network.reachability import Reachability
from bridge.network.signing_keys import load_signing_keys
from bridge.network.tokens import IdentityTokens
from bridge.ports import Clock, Dialer, Homeserver, Random, Store, Web
from bridge.profile import Profile
from bridge.store import kinds
from bridge.store.database import Database, needed_for_a_start, open_database
from bridge.store.journal import Journal
from bridge.store.tables import accounts
from bridge.web.listeners import Listeners
from bridge.web.wakes import Wake, Wakes

LOG = structlog.get_logger()


def _same_store(database: Database) -> Store:
    return database


def _same_homeserver(homeserver: HttpHomeserver) -> Homeserver:
    return homeserver


@dataclass(frozen=True)
class Ports:
    """The forms of the ports that this process runs on; tests pass faulty ones."""

    clock: Clock
    random: Random
    dialer: Dialer
    web: Web
    store: Callable[[Database], Store] = _same_store
    homeserver: Callable[[HttpHomeserver], Homeserver] = _same_homeserver


def _tell_nobody(_finding: Finding) -> None:
    """For tests, which have no admin."""


async def run(config: Config, ports: Ports | None = None, tell: Tell = _tell_nobody) -> int:
    """Run the bridge until SIGINT or SIGTERM; the exit code. Raises ``Misconfigured``.

    ``tell`` shows the admin what the start waits for. Unlike the log it may show values of the config.
    """
    profile = read_profile(config.network.profile, _read_text)
    check_connection(config, profile)
    if ports is not None:
        return await Bridge(config, profile, ports, tell).run()
    web = WebClient()
    try:
        return await Bridge(config, profile, _real_ports(profile, web), tell).run()
    finally:
        await web.close()


def _real_ports(profile: Profile, web: WebClient) -> Ports:
    offset = profile.clock_offset_file
    clock: Clock = RealClock() if offset is None else ControlledClock(Path(offset))
    announce = _unknown_client if profile.client_address == "PROXY-v2" else None
    return Ports(clock, OperatingSystemRandom(), TcpDialer(announce), web)


def _unknown_client() -> None:
    """Only the homeserver knows where a user's client is; we invent no address (docs/differences.md)."""


def _read_text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


class Bridge:
    """One running bridge."""

    def __init__(self, config: Config, profile: Profile, ports: Ports, tell: Tell) -> None:
        self._config = config
        self._profile = profile
        self._ports = ports
        self._tell = tell
        self._ready = False
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Start everything, serve, and stop in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        config, ports = self._config, self._ports
        database = await open_database(
            config.database.url,
            profile_id=self._profile.id,
            clock=ports.clock,
            random=ports.random,
            wakes=kinds.WAKES,
            connections=config.database.max_open_conns,
            backup=config.database.backup,
        )
        limiter = Limiter(ports.clock)
        homeserver = self._homeserver(config.appservice.as_token.get_secret_value(), limiter, registers=True)
        puppet_token = config.double_puppet.token_for(config.homeserver.domain)
        puppets = self._homeserver(puppet_token, limiter, registers=False) if puppet_token else None
        try:
            async with needed_for_a_start(database):
                parts = await self._parts(database, homeserver, puppets)
                await check_accounts(parts.store, config)
            return await self._serve(parts, database)
        finally:
            await homeserver.close()
            if puppets is not None:
                await puppets.close()
            await database.close()

    def _homeserver(self, token: str, limiter: Limiter, *, registers: bool) -> HttpHomeserver:
        return HttpHomeserver(
            url=self._config.homeserver.address,
            token=token,
            appservice_id=self._config.appservice.id,
            clock=self._ports.clock,
            limiter=limiter,
            registers=registers,
        )

    async def _parts(
        self, database: Database, homeserver: HttpHomeserver, puppets: HttpHomeserver | None
    ) -> Parts:
        """What every flow is given. Takes over all accounts for this process."""
        config, ports = self._config, self._ports
        store = ports.store(database)
        vault, keeper, secret = await installation_keys(store, config, ports.random)
        owner = ports.random.bytes(8).hex()
        await store.commit(kinds.unit(kinds.TAKE_OVER, take_over=[{"owner": owner}]))
        return Parts(
            clock=ports.clock,
            random=ports.random,
            store=store,
            journal=await Journal.load(store, ports.clock, keeper, secret),
            vault=vault,
            homeserver=ports.homeserver(homeserver),
            puppets=ports.homeserver(puppets) if puppets is not None else None,
            profile=self._profile,
            settings=_settings(config),
            owner=owner,
            refusals=Counter(),
            secret=secret,
        )

    async def _serve(self, parts: Parts, database: Database) -> int:
        """Open the listeners, check the homeserver, connect, and work until a signal."""
        ports, clock = self._ports, parts.clock
        keys = load_signing_keys(signing_key_file(self._config))
        tokens = IdentityTokens(self._profile, keys, clock, parts.random)
        chat = self._profile.chat
        reachability = Reachability(chat.host, chat.port, clock)
        connector = Interop(self._profile, tokens, ports.dialer, ports.web, clock, parts.random, reachability)
        flows = assemble(parts, connector, database)
        wakes = Wakes(_waker(parts, flows.connections), clock)
        refused = RefusedCalls()
        front = Front(parts, keys, wakes, flows, refused, reachability, ports.web, lambda: self._ready)
        listeners = Listeners(build_listeners(self._config, front), clock)
        await listeners.start()
        tasks = []
        checks = StartupChecks(parts.homeserver, clock, parts.random, self._config, self._tell, refused)
        try:
            if not await self._unless_stopped(checks.run()):
                return 0
            async with needed_for_a_start(database):
                await flows.connections.start()
            tasks = [asyncio.create_task(flows.pump.run()), asyncio.create_task(flows.reminders.run())]
            self._ready = True
            LOG.info("ready")
            await self._until_stopped(*tasks, flows.pump.failed, flows.connections.failed)
            return 0
        finally:
            self._ready = False
            await _stop(listeners, wakes, tasks, flows)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run ``work`` until it is done or a signal comes; whether it was done."""
        task = asyncio.create_task(work)
        await self._until_stopped(task)
        if task.done():
            return True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False

    async def _until_stopped(self, *works: asyncio.Future[None]) -> None:
        """Return at a signal, or when one of ``works`` ends; its error is raised."""
        stop = asyncio.create_task(self._stopping.wait())
        waiting: set[asyncio.Future[Any]] = {stop, *works}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for work in works:
            if work.done():
                work.result()


def _settings(config: Config) -> Settings:
    """The admin's decisions as the flows need them."""
    return Settings(
        bot=config.bot_user,
        domain=config.homeserver.domain,
        command_prefix=config.bridge.command_prefix,
        custody=config.network.custody,
        connection=config.network.connection,
        room_version=config.matrix.room_version,
        status_events=config.matrix.message_status_events,
        delivery_receipts=config.matrix.delivery_receipts,
        appservice_id=config.appservice.id,
        ghost_prefix=config.appservice.ghost_prefix,
        level_of=config.permission_of,
    )


def _waker(parts: Parts, connections: Connections) -> Wake:
    async def wake(identifier: str) -> None:
        account = await accounts.of_identifier(parts.store, identifier, parts.profile.id)
        if account is not None:
            connections.wake(account.account_id)

    return wake


async def _stop(
    listeners: Listeners, wakes: Wakes, tasks: Sequence[asyncio.Task[None]], flows: Flows
) -> None:
    """Accept nothing more, then end what is running; the journal keeps the rest."""
    await listeners.stop()
    await wakes.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await flows.connections.stop()
