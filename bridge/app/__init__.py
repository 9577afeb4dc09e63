"""The wiring: every part is built from a config, started, run until a signal, and stopped in order."""

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
from bridge.adapters.private_files import PrivateFile
from bridge.adapters.randomness import OperatingSystemRandom
from bridge.adapters.streams import TcpDialer
from bridge.adapters.web_client import WebClient
from bridge.app.assembly import Flows, JournalIntake, assemble
from bridge.app.keys import installation_keys
from bridge.app.startup_checks import StartupChecks, Tell
from bridge.config import Config, Finding, read_profile
from bridge.errors import Misconfigured
from bridge.flow.connections import Connections
from bridge.flow.parts import Parts, Settings
from bridge.matrix.endpoint import RefusedCalls, appservice_routes
from bridge.matrix.homeserver import HttpHomeserver
from bridge.matrix.limiter import Limiter
from bridge.network.interop.connector import Interop
from bridge.network.push_keys import PushKeys
from bridge.network.push_token import PushTokens
from bridge.network.signing_keys import SigningKeys, load_signing_keys
from bridge.network.tokens import IdentityTokens
from bridge.ports import Clock, Dialer, Homeserver, Random, Store, Web
from bridge.profile import Profile
from bridge.store import kinds
from bridge.store.database import Database, needed_for_a_start, open_database
from bridge.store.journal import Journal
from bridge.store.tables import accounts
from bridge.web.health import ECOSYSTEM_PREFIX, health_routes
from bridge.web.listeners import Listeners
from bridge.web.metrics import Labels, Metric, metrics_routes
from bridge.web.public import public_routes
from bridge.web.routes import Authentication, Listener, guarded
from bridge.web.wakes import Wake, Wakes

LOG = structlog.get_logger()

EXIT_OPERATOR = 41
"""Exit code: custody is personal, but several people have accounts."""


def _same_store(database: Database) -> Store:
    return database


def _same_homeserver(homeserver: HttpHomeserver) -> Homeserver:
    return homeserver


@dataclass(frozen=True)
class Ports:
    """The forms of the ports that this process runs on; a test gives faulty ones."""

    clock: Clock
    random: Random
    dialer: Dialer
    web: Web
    store: Callable[[Database], Store] = _same_store
    homeserver: Callable[[HttpHomeserver], Homeserver] = _same_homeserver


def _write_nowhere(_finding: Finding) -> None:
    """For tests, which have no admin."""


async def run(config: Config, ports: Ports | None = None, tell: Tell = _write_nowhere) -> int:
    """Run the bridge until SIGINT or SIGTERM; the exit code. Raises ``Misconfigured``.

    ``tell``: shows the admin what the start waits for. Unlike the log it may show what the config says.
    """
    profile = read_profile(config.network.profile, _read_text)
    if profile.connection not in ("either", config.network.connection):
        raise Misconfigured(
            "network.connection",
            f"it is {config.network.connection}, but the agreement of this network is {profile.connection}.",
            f"Write {profile.connection}.",
        )
    own_web = None
    if ports is None:
        own_web = WebClient()
        offset = profile.clock_offset_file
        clock: Clock = RealClock() if offset is None else ControlledClock(Path(offset))
        announce = _unknown_client if profile.client_address == "PROXY-v2" else None
        ports = Ports(clock, OperatingSystemRandom(), TcpDialer(announce), own_web)
    try:
        bridge = Bridge(config, profile, ports, tell)
        return await bridge.run()
    finally:
        if own_web is not None:
            await own_web.close()


def _unknown_client() -> None:
    """Where a user's client is, only their homeserver knows; nothing is invented (docs/differences.md)."""


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
                await self._check_custody(parts)
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
        config, ports = self._config, self._ports
        store = ports.store(database)
        vault, keeper, secret = await installation_keys(store, config, ports.random)
        owner = ports.random.bytes(8).hex()
        await store.commit(kinds.unit(kinds.TAKE_OVER, take_over=[{"owner": owner}]))
        journal = await Journal.load(store, ports.clock, keeper, secret)
        settings = Settings(
            bot=config.bot_user,
            domain=config.homeserver.domain,
            command_prefix=config.bridge.command_prefix,
            custody=config.network.custody,
            connection=config.network.connection,
            room_version=config.matrix.room_version,
            status_events=config.matrix.message_status_events,
            delivery_receipts=config.matrix.delivery_receipts,
            appservice_id=config.appservice.id,
            level_of=config.permission_of,
        )
        return Parts(
            clock=ports.clock,
            random=ports.random,
            store=store,
            journal=journal,
            vault=vault,
            homeserver=ports.homeserver(homeserver),
            puppets=ports.homeserver(puppets) if puppets is not None else None,
            profile=self._profile,
            settings=settings,
            owner=owner,
            refusals=Counter(),
            secret=secret,
        )

    async def _check_custody(self, parts: Parts) -> None:
        living = await accounts.living(parts.store)
        if self._config.network.custody.value == "personal" and len(living) > 1:
            raise Misconfigured(
                "network.custody",
                f"custody is personal, but {len(living)} people have accounts here.",
                "Set it to operator and write the acknowledgement, or use a bridge for each person.",
                exit_code=EXIT_OPERATOR,
            )

    async def _serve(self, parts: Parts, database: Database) -> int:
        keys = load_signing_keys(PrivateFile(Path(self._config.network.signing_key_file)))
        tokens = IdentityTokens(self._profile, keys, parts.clock, parts.random)
        connector = Interop(
            self._profile, tokens, self._ports.dialer, self._ports.web, parts.clock, parts.random
        )
        flows = assemble(parts, connector, database)
        wakes = Wakes(_waker(parts, flows.connections), parts.clock)
        refused = RefusedCalls()
        listeners = Listeners(self._listeners(parts, keys, wakes, flows, refused), parts.clock)
        await listeners.start()
        tasks = []
        checks = StartupChecks(parts.homeserver, parts.clock, parts.random, self._config, self._tell, refused)
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

    def _listeners(
        self, parts: Parts, keys: SigningKeys, wakes: Wakes, flows: Flows, refused: RefusedCalls
    ) -> list[Listener]:
        config, clock = self._config, parts.clock
        intake = JournalIntake(parts.journal, config.appservice.ghost_prefix, config.bot_user)
        hs_token = config.appservice.hs_token.get_secret_value()
        routes = appservice_routes(hs_token=hs_token, intake=intake, clock=clock, refused=refused)
        push_tokens = PushTokens(
            self._profile.push, PushKeys(self._profile.push.jwks, self._ports.web, clock), clock
        )
        health = health_routes(self._is_ready)
        public = public_routes(
            jwks=keys.jwks, push_path=self._profile.push.path, tokens=push_tokens, wakes=wakes, clock=clock
        )
        return [
            Listener(
                "homeserver",
                *config.appservice.at,
                (
                    *health_routes(self._is_ready, prefix=ECOSYSTEM_PREFIX),
                    *guarded(routes, Authentication.HOMESERVER),
                ),
            ),
            Listener("public", *config.public.at, public),
            Listener("admin", *config.admin.at, (*health, *metrics_routes(lambda: _metrics(parts, flows)))),
        ]

    def _is_ready(self) -> bool:
        return self._ready

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run ``work``, unless a signal comes first; whether it was done."""
        task = asyncio.create_task(work)
        await self._until_stopped(task)
        if task.done():
            return True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False

    async def _until_stopped(self, *works: asyncio.Future[None]) -> None:
        """Until a signal; when one of the works ends before, its error is raised."""
        stop = asyncio.create_task(self._stopping.wait())
        waiting: set[asyncio.Future[Any]] = {stop, *works}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        for work in works:
            if work.done():
                work.result()


async def _stop(
    listeners: Listeners, wakes: Wakes, tasks: Sequence[asyncio.Task[None]], flows: Flows
) -> None:
    """Take nothing in any more, then end what is under way; the journal keeps the rest."""
    await listeners.stop()
    await wakes.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await flows.connections.stop()


def _metrics(parts: Parts, flows: Flows) -> list[Metric]:
    refused: dict[Labels, float] = {
        (("act", act), ("reason", key)): float(n) for (act, key), n in parts.refusals.items()
    }
    return [
        Metric("interop_refusals_total", "Acts that policy refused.", "counter", refused),
        Metric("interop_lanes", "Lanes with work now.", "gauge", {(): float(flows.pump.lanes_at_work)}),
    ]


def _waker(parts: Parts, connections: Connections) -> Wake:
    async def wake(identifier: str) -> None:
        account = await accounts.of_identifier(parts.store, identifier, parts.profile.id)
        if account is not None:
            connections.wake(account.account_id)

    return wake
