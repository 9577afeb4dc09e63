"""No failpoint is left out: the conversation passes each, and successive seeds kill at every hit of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bridge.ports import Step
from tests.faults.failpoints import NOT_PASSED, SHARES, STEPS, dealt, every_failpoint, to_pass
from tests.faults.kills import sqlite, unharmed


def test_every_step_has_its_port() -> None:
    assert {step for steps in STEPS.values() for step in steps} == set(Step)
    assert NOT_PASSED.keys() <= {where for where, _ in every_failpoint()}


def test_successive_seeds_kill_at_every_hit_of_every_failpoint() -> None:
    passed = {point: 1 + number % 20 for number, point in enumerate(to_pass())}
    every_hit = {(*point, hit) for point, times in passed.items() for hit in range(1, times + 1)}
    for first in (0, 7, 20_000):
        killed = Counter(
            (fault.where, fault.side, fault.hit)
            for seed in range(first, first + SHARES)
            for run in dealt(passed, seed)
            for fault in run
        )
        assert set(killed) == every_hit and set(killed.values()) == {1}


def test_seed_decides_the_kills_of_each_run() -> None:
    passed = dict.fromkeys(to_pass(), 6)
    assert dealt(passed, 4) == dealt(dict(reversed(passed.items())), 4)
    assert dealt(passed, 4) != dealt(passed, 7)


@pytest.mark.timeout(300)
async def test_the_unharmed_conversation_passes_every_failpoint_and_no_other(tmp_path: Path) -> None:
    report = await unharmed(tmp_path, sqlite())
    assert set(report.passed) == set(to_pass())
