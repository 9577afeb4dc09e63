"""What the conversation takes place in: fake homeserver, sandbox and bridge, each a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.config import OPERATOR_ACKNOWLEDGEMENT
from demo.bridge import BridgeProcess
from demo.synapse import free_port
from tests.faults import evidence
from tests.faults.checker import Violation, violations
from tests.faults.conversation import ADA, ANNA, BEN, BOB, Conversation
from tests.faults.driver import PATIENCE_SECONDS, Driver, WaitedInVain
from tests.faults.homeserver import control as homeserver
from tests.faults.homeserver.control import ROOT
from tests.faults.network import Network, sandbox
from tests.faults.ports import Fault, Report, read_report
from tests.faults.watch import SERVER

COMMAND = (sys.executable, "-m", "tests.faults.bridge_main")

MISTAKE = "mistake of ours"
"""What the pump says of an exception that nobody raised on purpose."""


class PromiseBroken(AssertionError):
    """The checker found something."""


@dataclass
class World:
    """One conversation's world. A ``forgetful`` homeserver forgets transaction ids at each kill."""

    home: homeserver.Control
    network: Network
    driver: Driver
    conversation: Conversation
    report_file: Path
    forgetful: bool = False

    async def violations(self, *, settled: bool) -> list[Violation]:
        """What the checker says of the logs as they are now."""
        found = evidence.logs(
            await self.home.log(), await self.network.evidence(), self.conversation.rooms, (ADA, BOB)
        )
        return violations(found, settled=settled)

    async def check(self, *, settled: bool) -> None:
        """Raise ``PromiseBroken`` for what must not be so."""
        broken = await self.violations(settled=settled)
        if broken:
            raise PromiseBroken("\n".join(map(str, broken)))

    async def check_unsettled(self) -> None:
        """The check after a kill: nothing that must never be was seen so far."""
        if self.forgetful:
            await self.home.forget_transactions()
        await self.check(settled=False)

    def mistakes(self) -> list[str]:
        """Lines of the bridge's log about mistakes of its own, which the pump would outlive."""
        return [line for line in self.driver.log() if MISTAKE in line]

    async def fired(self, count: int) -> bool | None:
        """Whether so many faults came to pass; None for not yet."""
        return len(self.report.fired) >= count or None

    @property
    def report(self) -> Report:
        """What the bridge passed so far, over all its lives."""
        return read_report(self.report_file)


@asynccontextmanager
async def world(
    folder: Path,
    database: Mapping[str, Any],
    *,
    code: Path = ROOT,
    connection: str = "on-demand",
    forgetful: bool = False,
    patience: float = PATIENCE_SECONDS,
) -> AsyncIterator[World]:
    """``database`` is that section of the config; ``code`` is where the bridge's packages are taken from."""
    home_port, public_port = free_port(), free_port()
    home_url = f"http://127.0.0.1:{home_port}"
    async with sandbox(folder / "sandbox", public_port) as network:
        bridge = BridgeProcess(
            folder / "bridge",
            homeserver_url=home_url,
            server_name=SERVER,
            profile=network.profile,
            admin=ADA,
            public_port=public_port,
            command=COMMAND,
            settings={
                "network": {
                    "custody": "operator",
                    "operator_acknowledgement": OPERATOR_ACKNOWLEDGEMENT,
                    "connection": connection,
                },
                "database": database,
            },
        )
        await asyncio.to_thread(bridge.set_up)
        registrations = [folder / "bridge" / name for name in ("registration.yaml", "doublepuppet.yaml")]
        async with homeserver.process(registrations, server=SERVER, port=home_port) as home:
            await network.add(ANNA, "whatsapp", "+4915100000001", "Anna")
            await network.add(BEN, "birdychat", "ben@firm.example", "Ben")
            report = folder / "report"
            driver = Driver(bridge, report, code=code)
            talk = Conversation(home, network, driver, stays=connection == "always")
            made = World(home, network, driver, talk, report, forgetful)
            driver.patience = patience
            driver.killed = made.check_unsettled
            try:
                yield made
            finally:
                await driver.kill()


async def play(made: World, faults: Sequence[Fault]) -> None:
    """The whole conversation with these faults, then the checker's last word."""
    made.driver.start(faults)
    try:
        await made.conversation.play()
    except WaitedInVain as vain:
        await made.check(settled=True)
        raise vain
    await made.check(settled=True)
