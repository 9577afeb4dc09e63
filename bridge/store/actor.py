"""A thread that runs one call after another: blocking work beside the event loop.

Whole transactions are given as one callable, so there is no await inside one, and no thread switch.
A cancelled caller leaves its call running: what was begun is finished.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")
_Call = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class ThreadActor:
    """One daemon thread and its queue. ``open_calls`` counts calls that were given and not yet answered.

    A simulated clock must not advance while that is not 0: work in a thread is invisible to a loop.
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.open_calls = 0
        self._thread.start()

    async def call(self, function: Callable[[], Result]) -> Result:
        """Run ``function`` in the thread, after all that were given before; its result or exception."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self.open_calls += 1
        self._queue.put((function, future, loop))
        return await future

    def stop(self) -> None:
        """Let the thread end after the calls given so far."""
        self._queue.put(None)

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            function, future, loop = call
            try:
                result, error = function(), None
            except BaseException as raised:  # noqa: BLE001  # handed to the caller, whatever it is
                result, error = None, raised
            with suppress(RuntimeError):  # the loop ended meanwhile, and nobody waits
                loop.call_soon_threadsafe(self._answer, future, result, error)
            del function, future, result, error, call

    def _answer(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self.open_calls -= 1
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
