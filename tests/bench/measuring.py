"""What is measured, and how much of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import pytest

from tests.bench import e2ee_cost
from tests.bench.floors import Floor
from tests.bench.forged_cost import ForgedCost, forged_cost
from tests.bench.prepare import Plan
from tests.bench.stage import Stage
from tests.bench.traffic import WAYS, Result, at_pace, flood, one_by_one
from tests.e2ee.peer.libsignal import running

CHATS = Plan(accounts=8, chats=8)
"""64 chats of eight people, each with a connection of their own."""
ONE_ACCOUNT = Plan(accounts=1, chats=64)
"""64 chats of one person: all that arrives comes through one connection, one after another."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything: enough to be steady, or just enough to pass through every line."""

    floor_s: float = 3.0
    each: int = 60
    """Messages of each of the 64 chats."""
    alone: int = 800
    """Messages of the one chat."""
    unloaded: int = 1_000
    paced: int = 4_000
    accounts: int = 1_000
    settle_s: float = 60.0
    """How long the accounts are connected before memory is read."""
    portals: int = 10_000
    starts: int = 5
    e2ee_rounds: int = 200
    e2ee_repeats: int = 5


QUICK = Sizes(
    floor_s=0.3,
    each=5,
    alone=40,
    unloaded=40,
    paced=200,
    accounts=20,
    settle_s=1.0,
    portals=200,
    starts=1,
    e2ee_rounds=20,
    e2ee_repeats=1,
)


@dataclass(frozen=True)
class Traffic:
    """One direction: as fast as it goes in 64 chats of eight people, of one, and in one chat; with nothing
    else to do; at half the pace of the first."""

    many: Result
    one: Result
    own: Result | None = None
    unloaded: Result | None = None
    half: Result | None = None


@dataclass(frozen=True)
class Measured:
    """All of one run. Memory in KiB, times in seconds; ``e2ee`` is empty without libsignal.

    A floor is the best of three, before, between and after: others on the machine only slow it down.
    """

    sizes: Sizes
    floors: dict[str, Floor]
    grouped: dict[str, Traffic]
    single: dict[str, Traffic]
    memory_kib: int
    memory_without_kib: int
    ready_s: float
    ready_without_s: float
    e2ee: list[e2ee_cost.Row]
    forged: ForgedCost
    load: float
    """Programs that wanted to run in the minute before: those of others."""


async def measure(stage: Stage, sizes: Sizes, say: Callable[[str], None]) -> Measured:
    """All of it, one after another; ``say`` hears what is going on."""
    load = os.getloadavg()[0]
    floors = [await stage.floors(sizes.floor_s)]
    grouped, single = await _traffic(stage, sizes, say)
    floors.append(await stage.floors(sizes.floor_s))
    say("memory")
    memory, memory_without = await _memory(stage, sizes)
    say("start")
    ready, ready_without = await _ready(stage, sizes)
    say("end-to-end encryption")
    e2ee = _e2ee(sizes, say)
    forged = forged_cost(rounds=sizes.e2ee_rounds, repeats=sizes.e2ee_repeats)
    floors.append(await stage.floors(sizes.floor_s))
    best = {name: max((each[name] for each in floors), key=lambda floor: floor.per_s) for name in floors[0]}
    return Measured(
        sizes, best, grouped, single, memory, memory_without, ready, ready_without, e2ee, forged, load
    )


async def _traffic(
    stage: Stage, sizes: Sizes, say: Callable[[str], None]
) -> tuple[dict[str, Traffic], dict[str, Traffic]]:
    """Both directions with group commit and without it, on the same database."""
    say("messages")
    own: dict[str, Result] = {}
    subject, chats = await stage.bridge(ONE_ACCOUNT)
    async with stage.running(subject, chats) as world:
        for name in WAYS:
            own[name] = await flood(subject, world.way(name), chats, sizes.each)
    grouped: dict[str, Traffic] = {}
    subject, chats = await stage.bridge(CHATS)
    async with stage.running(subject, chats) as world:
        for name in WAYS:
            way = world.way(name)
            many = await flood(subject, way, chats, sizes.each)
            one = await flood(subject, way, chats[:1], sizes.alone)
            unloaded = await one_by_one(subject, way, chats, sizes.unloaded)
            half = await at_pace(subject, way, chats, sizes.paced, many.per_s / 2)
            grouped[name] = Traffic(many, one, own[name], unloaded, half)
    say("messages without group commit")
    single: dict[str, Traffic] = {}
    async with stage.running(subject, chats, group_commit=False) as world:
        for name in WAYS:
            way = world.way(name)
            many = await flood(subject, way, chats, sizes.each)
            single[name] = Traffic(many, await flood(subject, way, chats[:1], sizes.alone))
    return grouped, single


async def _memory(stage: Stage, sizes: Sizes) -> tuple[int, int]:
    """KiB of a bridge whose accounts are all connected, and of one without any, side by side."""
    full, _ = await stage.bridge(Plan(sizes.accounts, 0))
    empty, _ = await stage.bridge(Plan(0, 0))
    try:
        await full.run()
        await empty.run()
        await stage.connected(sizes.accounts)
        await asyncio.sleep(sizes.settle_s)
        await stage.connected(sizes.accounts)
        return full.memory_kib(), empty.memory_kib()
    finally:
        full.stop()
        empty.stop()


async def _ready(stage: Stage, sizes: Sizes) -> tuple[float, float]:
    """Seconds from exec to ``/ready``: with the portals in the database, and with nothing in it."""
    accounts = max(1, sizes.portals // 100)
    full, _ = await stage.bridge(
        Plan(accounts, sizes.portals // accounts, alike=True), connection="on-demand"
    )
    empty, _ = await stage.bridge(Plan(0, 0), connection="on-demand")
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(sizes.starts):
        for subject in (full, empty):
            try:
                taken[subject is full].append(await subject.run())
            finally:
                subject.stop()
    return median(taken[True]), median(taken[False])


def _e2ee(sizes: Sizes, say: Callable[[str], None]) -> list[e2ee_cost.Row]:
    try:
        with running() as program:
            return e2ee_cost.rows(program, rounds=sizes.e2ee_rounds, repeats=sizes.e2ee_repeats)
    except pytest.skip.Exception as missing:
        say(f"not measured: {missing.msg}")
        return []
