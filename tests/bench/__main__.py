"""Measure: ``python -m tests.bench``; some seven minutes, or one with ``--quick``, which writes nothing."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.bench.measuring import QUICK, Measured, Sizes, measure
from tests.bench.stage import staged
from tests.bench.subject import ROOT
from tests.bench.table import disturbance, machine, page, tables

PAGE = ROOT / "docs" / "reference" / "performance.md"
LONGEST_S = 600.0
"""The end of a bench that hangs."""


def say(what: str) -> None:
    """Tell whoever waits."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


async def run(sizes: Sizes) -> Measured:
    """All of it, in a temporary folder, within the time."""
    async with asyncio.timeout(LONGEST_S), staged() as stage:
        return await measure(stage, sizes, say)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little of everything; the page is not written")
    quick = parser.parse_args().quick
    found = asyncio.run(run(QUICK if quick else Sizes()))
    print(f"{machine()}\n{disturbance(found)}\n\n{tables(found)}", end="")
    if not quick:
        PAGE.write_text(page(found), encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
