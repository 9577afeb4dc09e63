"""The measured numbers as tables of ratios."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apsw

from tests.bench.measuring import Measured
from tests.bench.subject import cores
from tests.bench.traffic import WAYS, Result

NAMES = {"out": "Matrix to network", "into": "network to Matrix"}
LOADS = {"many": "64 chats", "own": "64 chats of one account", "one": "one chat"}
GIB = 1 << 30


@dataclass(frozen=True)
class Row:
    """Something measured, what stands beside it, and the first divided by the second."""

    what: str
    value: float
    unit: str
    beside: str
    other: float

    @property
    def ratio(self) -> float:
        """``value`` / ``other``."""
        return self.value / self.other

    def cells(self) -> tuple[str, str, str, str]:
        """As they stand in the table."""
        return (
            self.what,
            f"{number(self.value)} {self.unit}",
            f"{self.beside}: {number(self.other)}",
            number(self.ratio),
        )


def number(value: float) -> str:
    """Three digits that mean something."""
    if value >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def rows(found: Measured) -> list[Row]:
    """Everything, as rows."""
    return [
        *_throughput(found),
        *_group_commit(found),
        *_latency(found),
        Row(
            f"memory with {found.sizes.accounts:,} connected accounts",
            found.memory_kib / 1024,
            "MiB",
            "with none",
            found.memory_without_kib / 1024,
        ),
        Row(
            f"from exec to ready, {found.sizes.portals:,} portals",
            found.ready_s,
            "s",
            "with none",
            found.ready_without_s,
        ),
        *(
            Row(f"e2ee: {row.what}", 1e6 / row.ours, "a second", "libsignal", 1e6 / row.libsignal)
            for row in found.e2ee
        ),
        *(
            Row(
                f"e2ee: forged message in 41 sessions, {what}",
                ms,
                "ms",
                "an honest one, ms",
                found.forged.honest,
            )
            for what, ms in (("one slice", found.forged.slice), ("in all", found.forged.forged))
        ),
    ]


def _traffic(found: Measured) -> Iterator[tuple[str, Result, Result | None]]:
    """(name, with group commit, without it where that was measured) of each direction and load."""
    for way in WAYS:
        for load, called in LOADS.items():
            grouped, single = getattr(found.grouped[way], load), getattr(found.single[way], load)
            yield f"{NAMES[way]}, {called}", grouped, single


def _throughput(found: Measured) -> Iterator[Row]:
    requests, commits = found.floors["requests"], found.floors["commits"]
    beside = "bare requests per CPU-second"
    for name, result, _ in _traffic(found):
        yield Row(name, result.per_cpu_s, "messages per CPU-second", beside, requests.per_cpu_s)
    for name, result, _ in _traffic(found):
        yield Row(name, result.per_s, "messages a second", "bare commits a second", commits.per_s)


def _group_commit(found: Measured) -> Iterator[Row]:
    for name, grouped, single in _traffic(found):
        if single is not None:
            what, beside = f"{name}, group commit", "without it"
            yield Row(what, grouped.per_cpu_s, "messages per CPU-second", beside, single.per_cpu_s)
            yield Row(what, grouped.per_s, "messages a second", beside, single.per_s)


def _latency(found: Measured) -> Iterator[Row]:
    commit_ms = 1000 / found.floors["commits"].per_s
    for way in WAYS:
        for load, result in (
            ("unloaded", found.grouped[way].unloaded),
            ("half load", found.grouped[way].half),
        ):
            assert result is not None
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                what = f"{NAMES[way]}, latency {name} {load}"
                yield Row(what, result.delay_ms(share), "ms", "one durable commit, ms", commit_ms)


def floor_cells(found: Measured) -> Iterator[tuple[str, str, str]]:
    """The floors as they stand in their table."""
    names = {
        "commits": "durable commits of 1 KiB (SQLite, WAL, synchronous=FULL), one at a time",
        "requests": "requests of a bare aiohttp sender, 8 in flight",
        "seals": "AES-256-GCM seals of 200 bytes",
    }
    for key, name in names.items():
        floor = found.floors[key]
        yield name, number(floor.per_s), number(floor.per_cpu_s)


def machine() -> str:
    """The machine's shape, without a name or a date."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    apart = (
        "the bridge pinned to one of them, all else of the bench to the other"
        if len(set(cores())) > 1
        else "shared by all: no fair numbers"
    )
    return (
        f"{os.cpu_count()} cores ({platform.machine()}; {apart}), {pages / GIB:.0f} GiB,"
        f" Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}"
    )


QUIET_LOAD = 0.5
"""Below this nobody else was at work."""


def disturbance(found: Measured) -> str:
    """Whether others had the machine too, in a sentence: a pinned core is not a reserved one."""
    load = f"Load of the machine in the minute before: {found.load:.1f}"
    if found.load < QUIET_LOAD:
        return f"{load}; nobody else was at work."
    return (
        f"{load}. **Others were at work**: times, latencies and the disk's floor are theirs as well, so take"
        " the ratios with care, those to the disk above all."
    )


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table whose columns line up."""
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
    ruled = (head, ["-" * width for width in widths], *lines)
    return "".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |\n"
        for line in ruled
    )


def tables(found: Measured) -> str:
    """Both tables."""
    floors = markdown(("floor", "a second", "per CPU-second"), list(floor_cells(found)))
    measured = markdown(("what", "measured", "beside it", "ratio"), [row.cells() for row in rows(found)])
    return f"{measured}\n{floors}"


PAGE = """# Performance

<!-- Made by `make bench`; do not change it here. -->

`make bench` measures the whole bridge, with durable commits, and writes this page. Machine: {machine}.
{disturbance}

Look at the ratios: both numbers of a line come from the same run, and the first is divided by the
second. The numbers themselves are this machine's. Floors are the best of three, taken before, between
and after the rest.

{tables}
## What is measured

- A message is a text of 200 characters, encrypted, from one end of the bridge to the other, with the
  receipt that follows it: an acknowledgement and a delivery receipt shown in Matrix for one that goes
  out, a delivery receipt to its sender for one that comes in. Afterwards every message is checked: it
  arrived once, in its order, and could be opened.
- The bridge is a process of its own, pinned to one core; the CPU is what the kernel says it used.
  Homeserver and network run on the other core: the least of them that a bridge can live with, so that they
  are not what is measured. The wire is the real one; the people at its end sealed their messages before.
- 64 chats: 8 in each of 8 accounts, at most 4 messages of a chat under way. An account has one
  connection, and what arrives on it together is stored together. One chat keeps its order, so its
  messages go one after another, and little shares their commits.
- Latency is from one end to the other: the homeserver's push until the network has the message, or the
  network's sending until the homeserver has the event. Unloaded: one message at a time. Half load: at
  random moments, half as many as the bridge can take.
- Memory is the resident memory of a bridge whose accounts are all connected (`connection: always`) for a
  minute, beside one without accounts. Ready is the median of several starts, alternating.
- e2ee: sealing and opening 200 bytes, with the record read and written, beside the official libsignal in
  its own Node process, in turns; above 1 ours is faster. A forged
  message is tried in all 41 sessions that a contact can have; the event loop is given back after each slice.
"""


def page(found: Measured) -> str:
    """docs/reference/performance.md."""
    return PAGE.format(machine=machine(), disturbance=disturbance(found), tables=tables(found))
