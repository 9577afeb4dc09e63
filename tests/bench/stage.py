"""What surrounds the bridges that are measured, on the other core: homeserver, network and folders."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.floors import Floor
from tests.bench.gatekeeper import Gatekeeper
from tests.bench.homeserver import Homeserver
from tests.bench.people import Chat
from tests.bench.prepare import Plan, prepare
from tests.bench.subject import ROOT, Subject, cores, on_core
from tests.bench.traffic import WAYS, World, flood

CONNECTED_S = 120.0
LOOK_EVERY_S = 0.05
WARM_UP_EACH = 2
"""Messages of each chat before anything is measured: what is opened once is open then."""


class Stage:
    """Homeserver and network for any number of bridges; the newest one is pushed to."""

    def __init__(self, folder: Path, homeserver: Homeserver, gatekeeper: Gatekeeper) -> None:
        self.folder, self.homeserver, self.gatekeeper = folder, homeserver, gatekeeper
        self._count = 0

    async def floors(self, seconds: float) -> dict[str, Floor]:
        """The floors of this machine, in this run, on the bridge's core."""
        command = (sys.executable, "-m", "tests.bench.floors", self.folder, self.homeserver.url, str(seconds))
        with on_core(cores()[0]):
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("the floors were not measured")
        return {name: Floor(**values) for name, values in json.loads(output).items()}

    async def bridge(self, plan: Plan, *, connection: str = "always") -> tuple[Subject, list[Chat]]:
        """A bridge in a new folder, with that much in its database, not started."""
        self._count += 1
        subject = Subject(
            self.folder / f"bridge{self._count}",
            homeserver_url=self.homeserver.url,
            profile=self.gatekeeper.profile(self.folder / "profile.yaml"),
            connection=connection,
        )
        self.homeserver.serves(subject.set_up()[0])
        return subject, await prepare(subject.folder, plan)

    async def connected(self, accounts: int) -> None:
        """Return when so many accounts have their connections."""
        begin = time.perf_counter()
        while self.gatekeeper.connected < accounts:
            if time.perf_counter() - begin > CONNECTED_S:
                raise RuntimeError(f"only {self.gatekeeper.connected} of {accounts} accounts are connected")
            await asyncio.sleep(LOOK_EVERY_S)

    @asynccontextmanager
    async def running(
        self, subject: Subject, chats: Sequence[Chat], *, group_commit: bool = True
    ) -> AsyncIterator[World]:
        """The bridge at work and warm, and both its ends; afterwards every message is checked."""
        world = World(self.homeserver, self.gatekeeper, chats)
        try:
            await subject.run(group_commit=group_commit)
            await self.connected(len({chat.account for chat in chats}))
            for name in WAYS:
                await flood(subject, world.way(name), chats, WARM_UP_EACH)
            yield world
            world.check()
        except BaseException:
            sys.stderr.write(subject.log() + "\n")
            raise
        finally:
            subject.stop()
            self.homeserver.ignore()


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """A stage in a temporary folder; everything on it ends with the block."""
    homeserver, gatekeeper = Homeserver(), Gatekeeper()
    with tempfile.TemporaryDirectory(prefix="bench") as folder, on_core(cores()[1]):
        await homeserver.start()
        await gatekeeper.start()
        try:
            yield Stage(Path(folder), homeserver, gatekeeper)
        finally:
            await gatekeeper.stop()
            await homeserver.stop()
