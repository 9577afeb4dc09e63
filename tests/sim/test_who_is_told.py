"""Whatever fails, and in whatever order: each message arrives once, or its sender is told once why.

A seed decides what people write and what goes wrong meanwhile. Then everything works again, time passes,
and the checker of the promises reads what happened.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from bridge.errors import TryAgain
from bridge.ports import Step
from tests.faults.checker import violations
from tests.sim.contact import bundle_of, damaged
from tests.sim.history import logs
from tests.sim.homeserver import Asked, nothing_refused
from tests.sim.whole import Whole, whole

STEPS = 25
"""What happens in a run, one after the other."""
QUIESCENCE_S = 3 * 3_600.0
"""An hour until a message is given up that nobody seals again, and back-off twice as long."""
NOT_ALLOWED, TOO_BUSY = 479, 503
WAITS_S = (1.0, 15.0, 90.0, 900.0)
AWAY_STEPS = (Step.SHOW, Step.NOTICE, Step.REDACT, Step.CREATE_ROOM, Step.INVITE, Step.PROFILE, Step.LOOK_UP)


class Run:
    """A chat, and what can happen to it."""

    def __init__(self, bridge: Whole, seed: int) -> None:
        self.bridge, self.random = bridge, random.Random(seed)
        self.written = 0
        self.acts: Mapping[str, tuple[int, Callable[[], Awaitable[None]]]] = {
            "the user writes": (6, self.user_writes),
            "the contact writes": (6, self.contact_writes),
            "time passes": (4, self.time_passes),
            "the network comes and goes": (2, self.network_comes_and_goes),
            "acknowledgements are lost": (2, self.acknowledgements_are_lost),
            "the network refuses": (1, self.network_refuses),
            "the homeserver comes and goes": (2, self.homeserver_comes_and_goes),
            "the bridge restarts": (1, self.bridge_restarts),
        }

    async def play(self) -> list[str]:
        """Some acts by chance, then peace; what the checker says, after what happened."""
        names = list(self.acts)
        weights = [weight for weight, _ in self.acts.values()]
        happened = self.random.choices(names, weights, k=STEPS)
        for name in happened:
            await self.acts[name][1]()
        await self.peace()
        broken = violations(logs(self.bridge))
        return [*map(str, broken), "after", *happened] if broken else []

    async def peace(self) -> None:
        """Everything works, and time passes; a last word each way has nothing to wait for."""
        network = self.bridge.network
        network.up = network.acknowledges = network.confirms = network.hears_acknowledgements = True
        network.refuses = None
        network.lose_link()
        self.bridge.home.refuse = nothing_refused
        await self.bridge.passes(QUIESCENCE_S)

    async def user_writes(self) -> None:
        self.written += 1
        await self.bridge.says(f"out {self.written}")

    async def contact_writes(self) -> None:
        """Sometimes what cannot be read, and will or will not be sealed again."""
        self.written += 1
        network, contact = self.bridge.network, self.bridge.contact
        assert network.directory is not None
        text = f"in {self.written}"
        stanza = contact.write(f"ID {text}", text, bundle_of(*network.directory))
        contact.answers = self.random.random() < 0.7
        is_damaged = self.random.random() < 0.3
        await network.deliver(damaged(stanza) if is_damaged else stanza)
        await self.bridge.settled()

    async def time_passes(self) -> None:
        await self.bridge.passes(self.random.choice(WAITS_S))

    async def network_comes_and_goes(self) -> None:
        network = self.bridge.network
        network.up = not network.up
        network.lose_link()
        await self.bridge.settled()

    async def acknowledgements_are_lost(self) -> None:
        """In either direction, or no longer."""
        network = self.bridge.network
        network.acknowledges = self.random.random() < 0.6
        network.confirms = self.random.random() < 0.5
        network.hears_acknowledgements = self.random.random() < 0.5

    async def network_refuses(self) -> None:
        network = self.bridge.network
        network.refuses = None if network.refuses else self.random.choice((NOT_ALLOWED, TOO_BUSY))

    async def homeserver_comes_and_goes(self) -> None:
        """Some of its calls fail before they have an effect."""
        away = self.random.sample(AWAY_STEPS, k=3)

        def rule(asked: Asked) -> None:
            if asked.step in away:
                raise TryAgain(f"{asked.step.value} fails")

        is_there = self.bridge.home.refuse is nothing_refused
        self.bridge.home.refuse = rule if is_there else nothing_refused

    async def bridge_restarts(self) -> None:
        await self.bridge.restart()


async def played(folder: Path, seed: int) -> list[str]:
    """What is wrong after the run of a seed."""
    async with whole(folder) as bridge:
        await bridge.enlist()
        await bridge.chat()
        return await Run(bridge, seed).play()


@pytest.mark.parametrize("seed", range(20))
async def test_each_message_arrives_once_or_its_sender_is_told_why(seed: int, tmp_path: Path) -> None:
    assert await played(tmp_path, seed) == []


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(20, 70))
async def test_each_message_arrives_once_or_its_sender_is_told_why_more_often(
    seed: int, tmp_path: Path
) -> None:
    assert await played(tmp_path, seed) == []
