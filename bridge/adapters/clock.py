"""The real clock, and the one of a sandbox: real time and an offset that tests move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.2
"""How soon a waiting program notices that the shared clock was moved: at once, for a person.
One look at the file costs a few microseconds."""
MAX_OFFSET_FILE_BYTES = 64
"""A number of seconds, printed."""
MAX_OFFSET_SECONDS = 50 * 366 * 86_400.0
"""Fifty years: beyond that dates leave what certificates and databases can write."""


class RealClock:
    """The real form of the ``Clock`` port."""

    def now(self) -> float:
        """Seconds since 1970, by the wall."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since the machine started, without the time it slept."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        await asyncio.sleep(max(seconds, 0))

    def limit(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """A block that is cancelled and raises ``TimeoutError`` after ``seconds``."""
        return asyncio.timeout(seconds)


class ControlledClock:
    """Real time plus the offset in seconds in ``offset_file``, re-read as it changes.

    No file means no offset; anything but a number in it changes nothing. ``monotonic`` takes only the
    steps forward, and timers run on it: moving the shared clock a day on lets a day's timers fire.
    """

    def __init__(self, offset_file: Path) -> None:
        self._file = offset_file
        self._version: tuple[int, int, int] | None = None
        self._offset = 0.0
        self._forward = 0.0
        self._timers: dict[asyncio.Timeout, float] = {}
        self._poll: asyncio.TimerHandle | None = None
        self._refresh()

    def now(self) -> float:
        """Seconds since 1970, by the shared clock."""
        self._refresh()
        return time.time() + self._offset

    def monotonic(self) -> float:
        """Seconds since some moment, with every step forward of the shared clock, never going back."""
        self._refresh()
        return self._monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``, or as soon as the clock was moved past them."""
        with suppress(TimeoutError):
            async with self.limit(seconds):
                await asyncio.get_running_loop().create_future()

    @asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[None]:
        """A block that is cancelled and raises ``TimeoutError`` after ``seconds``, moved or lived through."""
        self._refresh()
        async with asyncio.timeout(max(seconds, 0)) as timer:
            self._timers[timer] = self._monotonic() + seconds
            self._watch()
            try:
                yield
            finally:
                del self._timers[timer]
                if not self._timers and self._poll is not None:
                    self._poll.cancel()
                    self._poll = None

    def _monotonic(self) -> float:
        return time.monotonic() + self._forward

    def _watch(self) -> None:
        """Look at the file again and again while anybody waits."""
        if self._poll is None:
            self._poll = asyncio.get_running_loop().call_later(POLL_SECONDS, self._look)

    def _look(self) -> None:
        self._poll = None
        self._refresh()
        self._watch()

    def _refresh(self) -> None:
        version = self._version_of_file()
        if version == self._version:
            return
        offset = self._read()
        if offset is None:
            return
        self._version = version
        moved, self._offset = offset - self._offset, offset
        if moved > 0:
            self._forward += moved
            self._move_timers()

    def _version_of_file(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self) -> float | None:
        """The offset in the file; None when it holds no such number (it may be half written)."""
        try:
            with self._file.open("rb") as file:
                text = file.read(MAX_OFFSET_FILE_BYTES)
        except FileNotFoundError:
            return 0.0
        except OSError:
            return None
        try:
            offset = float(text)
        except ValueError:
            return None
        return offset if abs(offset) <= MAX_OFFSET_SECONDS else None

    def _move_timers(self) -> None:
        if not self._timers:
            return
        loop_time, now = asyncio.get_running_loop().time(), self._monotonic()
        for timer, deadline in self._timers.items():
            if not timer.expired():
                timer.reschedule(loop_time + max(deadline - now, 0))
