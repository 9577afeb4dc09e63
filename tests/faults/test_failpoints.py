"""No failpoint is left out: each is passed by the conversation, and each is killed in some run of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bridge.ports import Step
from tests.faults.failpoints import KILLS, NOT_PASSED, STEPS, every_failpoint, to_pass
from tests.faults.kills import sqlite, unharmed


def test_every_step_has_its_port_and_is_dealt_out_once() -> None:
    assert {step for steps in STEPS.values() for step in steps} == set(Step)
    dealt = Counter(each for group in KILLS for each in group)
    assert set(dealt) == set(to_pass()) and set(dealt.values()) == {1}
    assert NOT_PASSED.keys() <= {where for where, _ in every_failpoint()}


@pytest.mark.timeout(300)
async def test_the_unharmed_conversation_passes_every_failpoint_and_no_other(tmp_path: Path) -> None:
    report = await unharmed(tmp_path, sqlite())
    assert set(report.passed) == set(to_pass())
