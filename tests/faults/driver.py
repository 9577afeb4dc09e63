"""Keeps a bridge alive over its kills, and waits for what a script wants to see."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from demo.bridge import BridgeProcess
from tests.faults.homeserver.control import ROOT
from tests.faults.ports import Fault, environment, read_report

LOOK_EVERY_SECONDS = 0.05
"""Between two looks at the logs while something is waited for."""
PATIENCE_SECONDS = 60.0
"""How long one thing is waited for: a restart takes two seconds, a retry of the pump some more."""
LIFE_SECONDS = 600.0
LOG_LINES = 100_000
AGAIN_SECONDS = 2.0
"""Between two tries of a person at something that met a dead bridge."""

_Seen = TypeVar("_Seen")


class BridgeFailed(Exception):
    """The bridge ended by itself."""


class WaitedInVain(Exception):
    """What must come did not come."""


class Driver:
    """Starts the bridge anew whenever a fault killed it; ``killed`` is called then.

    ``code`` is the folder whose packages the bridge runs from.
    """

    def __init__(self, bridge: BridgeProcess, report: Path, code: Path) -> None:
        self._bridge = bridge
        self._report = report
        self._path = f"{code}{os.pathsep}{ROOT}"
        self._keeper: asyncio.Task[None] | None = None
        self._ending = False
        self.patience = PATIENCE_SECONDS
        self.killed: Callable[[], Awaitable[None]] | None = None
        self.deaths = 0

    def start(self, faults: Sequence[Fault] = ()) -> None:
        """Keep it running from now on, with these faults armed."""
        self._ending = False
        values = {**environment(self._report, faults), "PYTHONPATH": self._path}
        self._keeper = asyncio.create_task(self._keep_running(values))

    async def stop(self) -> int:
        """End it in order (SIGTERM); its exit code."""
        return await self._end(self._bridge.stop)

    async def kill(self) -> None:
        """SIGKILL from outside, and no new start."""
        await self._end(self._killed_from_outside)

    async def until(
        self,
        what: str,
        look: Callable[[], Awaitable[_Seen | None]],
        *,
        again: Callable[[], Awaitable[object]] | None = None,
    ) -> _Seen:
        """The first thing that ``look`` finds.

        ``again`` repeats, if there was any fault, what nobody keeps for us: a wake-up, a read receipt.
        """
        clock = asyncio.get_running_loop()
        repeated_at = clock.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                while True:
                    self.check()
                    found = await look()
                    if found is not None:
                        return found
                    is_time = clock.time() - repeated_at > AGAIN_SECONDS
                    if again is not None and is_time and self.faults > 0:
                        repeated_at = clock.time()
                        await again()
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
        raise WaitedInVain(f"waited in vain for {what}; the bridge's last words:\n{self._bridge.log(60)}")

    def log(self) -> list[str]:
        """All that the bridge logged, over all its lives."""
        return self._bridge.log(LOG_LINES).splitlines()

    @property
    def faults(self) -> int:
        """How many there were so far."""
        return len(read_report(self._report).fired)

    def check(self) -> None:
        """Raise what the keeper met."""
        if self._keeper is not None and self._keeper.done():
            self._keeper.result()

    async def _keep_running(self, values: Mapping[str, str]) -> None:
        while True:
            self._bridge.start(environment=values, wait=False)
            code = await asyncio.to_thread(self._bridge.wait_for_end, LIFE_SECONDS)
            if self._ending:
                return
            if code != -signal.SIGKILL:
                raise BridgeFailed(f"the bridge ended with {code}; its last words:\n{self._bridge.log(60)}")
            self.deaths += 1
            if self.killed is not None:
                await self.killed()

    def _killed_from_outside(self) -> int:
        self._bridge.kill()
        return -signal.SIGKILL

    async def _end(self, how: Callable[[], int | None]) -> int:
        self._ending = True
        code = await asyncio.to_thread(how)
        if self._keeper is not None:
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        return -1 if code is None else code
