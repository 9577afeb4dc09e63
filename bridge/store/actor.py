"""A thread that runs one call after another: blocking work beside the event loop.

Whole transactions are given as one callable, so there is no await inside one, and no thread switch.
A cancelled caller leaves its call running: what was begun is finished.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")
_Call = tuple[Callable[[], Any], "asyncio.Future[Any]"]
_Answer = tuple["asyncio.Future[Any]", Any, BaseException | None]

MAX_TOGETHER = 32
"""Answers handed to the loop at once: waking it costs more than a short read does. The bound keeps the
first of them from waiting long."""


class ThreadActor:
    """One daemon thread and its queue, for one event loop.

    ``open_calls`` counts calls that were given and not yet answered. A simulated clock must not
    advance while that is not 0: work in a thread is invisible to a loop.
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.open_calls = 0
        self._thread.start()

    async def call(self, function: Callable[[], Result]) -> Result:
        """Run ``function`` in the thread, after all that were given before; its result or exception."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.open_calls += 1
        self._queue.put((function, future))
        return await future

    def stop(self) -> None:
        """Let the thread end after the calls given so far."""
        self._queue.put(None)

    def _run(self) -> None:
        while self._take():
            pass

    def _take(self) -> bool:
        """Run the next call and those queued behind it, answer them together; return whether to go on."""
        call = self._queue.get()
        answers: list[_Answer] = []
        while call is not None:
            answers.append(_run(*call))
            if len(answers) == MAX_TOGETHER or self._queue.empty():
                break
            call = self._queue.get()
        if answers:
            with suppress(RuntimeError):  # the loop has ended: nobody waits for the answers
                answers[0][0].get_loop().call_soon_threadsafe(self._answer, answers)
        return call is not None

    def _answer(self, answers: Sequence[_Answer]) -> None:
        self.open_calls -= len(answers)
        for future, result, error in answers:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _run(function: Callable[[], Any], future: asyncio.Future[Any]) -> _Answer:
    try:
        return future, function(), None
    except BaseException as raised:  # noqa: BLE001  # handed to the caller, whatever it is
        return future, None, raised
