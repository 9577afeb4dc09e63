"""The real clocks: the machine's, and a sandbox's that tests move."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.adapters.clock import MAX_OFFSET_SECONDS, ControlledClock, RealClock

DAY = 86_400.0
SLACK = 60.0
"""More than this machine can be late, and less than any step of the clock here."""


def _move(path: Path, text: str) -> None:
    """Replace the file as a whole, as the sandbox does."""
    partial = path.with_suffix(".new")
    partial.write_text(text)
    partial.replace(path)


async def test_limit_of_the_real_clock_cancels_with_timeout_error() -> None:
    with pytest.raises(TimeoutError):
        async with RealClock().limit(0):
            await asyncio.get_running_loop().create_future()


async def test_real_clock_sleeps_and_advances() -> None:
    clock = RealClock()
    before, wall = clock.monotonic(), clock.now()
    await clock.sleep(0.001)
    await clock.sleep(-5)
    assert clock.monotonic() > before
    assert abs(clock.now() - wall) < SLACK


def test_missing_offset_file_means_no_offset(tmp_path: Path) -> None:
    assert abs(ControlledClock(tmp_path / "missing").now() - RealClock().now()) < SLACK


def test_changed_offset_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "offset"
    clock = ControlledClock(path)
    for offset in (30 * DAY, 31 * DAY, -DAY, 0.0):
        _move(path, f"{offset}\n")
        assert abs(clock.now() - RealClock().now() - offset) < SLACK
    _move(path, "500")
    path.unlink()
    assert abs(clock.now() - RealClock().now()) < SLACK


def test_offset_change_in_place_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "offset"
    path.write_text("100000")
    clock = ControlledClock(path)
    path.write_text("900000")
    os.utime(path, ns=(1, 1))
    assert abs(clock.now() - RealClock().now() - 900_000) < SLACK


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-inf", "1e400", str(MAX_OFFSET_SECONDS * 1.01)])
def test_invalid_offset_is_ignored(tmp_path: Path, text: str) -> None:
    path = tmp_path / "offset"
    path.write_text("86400")
    clock = ControlledClock(path)
    _move(path, text)
    assert abs(clock.now() - RealClock().now() - DAY) < SLACK
    _move(path, str(2 * DAY))
    assert abs(clock.now() - RealClock().now() - 2 * DAY) < SLACK


def test_monotonic_follows_steps_forward_only(tmp_path: Path) -> None:
    path = tmp_path / "offset"
    clock = ControlledClock(path)
    seen = [clock.monotonic()]
    for offset in (DAY, 0.0, -DAY, 0.0):
        _move(path, str(offset))
        seen.append(clock.monotonic())
    steps = [after - before for before, after in pairwise(seen)]
    assert [round(step / DAY) for step in steps] == [1, 0, 0, 1]
    assert min(steps) >= 0


async def test_sleeper_wakes_when_the_clock_moves_past_its_time(tmp_path: Path) -> None:
    path = tmp_path / "offset"
    clock = ControlledClock(path)
    sleepers = [asyncio.create_task(clock.sleep(days * DAY)) for days in (1, 2, 20)]
    await asyncio.sleep(0)
    _move(path, str(3 * DAY))
    await asyncio.wait(sleepers[:2])
    assert not sleepers[2].done()
    _move(path, str(20 * DAY))
    await sleepers[2]


async def test_limit_ends_when_the_clock_moves_past_it(tmp_path: Path) -> None:
    path = tmp_path / "offset"
    clock = ControlledClock(path)

    async def limited() -> None:
        async with clock.limit(DAY):
            await asyncio.get_running_loop().create_future()

    running = asyncio.create_task(limited())
    await asyncio.sleep(0)
    _move(path, str(DAY))
    with pytest.raises(TimeoutError):
        await running


async def test_step_back_prolongs_no_wait(tmp_path: Path) -> None:
    path = tmp_path / "offset"
    path.write_text(str(DAY))
    clock = ControlledClock(path)
    sleeping = asyncio.create_task(clock.sleep(0.05))
    _move(path, "0")
    await asyncio.wait([sleeping], timeout=SLACK)
    assert sleeping.done()


async def test_offset_file_is_not_polled_without_waiters(tmp_path: Path) -> None:
    clock = ControlledClock(tmp_path / "offset")
    await clock.sleep(0)
    assert clock._poll is None


async def test_block_that_ends_in_time_is_not_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "offset"
    clock = ControlledClock(path)
    async with clock.limit(DAY):
        await asyncio.sleep(0)
    _move(path, str(2 * DAY))
    assert abs(clock.now() - RealClock().now() - 2 * DAY) < SLACK
    await asyncio.sleep(0)
    current = asyncio.current_task()
    assert current is not None
    assert not current.cancelling()
