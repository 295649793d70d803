"""The queue in front of the network: one thread computes, a bounded number of requests wait, the others are refused."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class QueueFullError(Exception):
    """As many requests wait already as the queue holds."""


class JobQueue:
    """Runs functions one after another in a thread of its own, because a detector serves one caller at a time."""

    def __init__(self, size: int) -> None:
        self._queue: queue.Queue[tuple[Future[Any], Callable[[], Any]] | None] = queue.Queue(size)
        self._thread = threading.Thread(target=self._work, name="faces-network", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._queue.qsize()

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return what the function returns. Raises QueueFullError where the queue is full, and what it raises."""
        future: Future[Result] = Future()
        try:
            self._queue.put_nowait((future, function))
        except queue.Full as error:
            raise QueueFullError from error
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the thread when it has done what waits."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            future, function = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
