"""Thread parallelism over chunks of an array that fit the processor's cache.

NumPy releases Python's global interpreter lock (GIL) while it computes, so plain threads run in parallel. Inside them
the BLAS is limited to one thread: a chunk is small, and two levels of threads would compete for the same cores.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import numpy as np

R = TypeVar("R")
T = TypeVar("T")

CHUNK_BYTES = 1 << 23
"""Bytes that one chunk should touch: a thread's fraction of a last-level cache.

Smaller chunks would fit the second-level cache, but they make NumPy's calls so short that threads mostly wait for the
GIL.
"""

MIN_PARALLEL_BYTES = 1 << 20
"""Below this many bytes, waking another thread costs more than it saves."""

UFUNC_BUFFER_SIZE = 1024
"""Elements in NumPy's ufunc buffer inside `parallel_map`.

When NumPy broadcasts an operand along rows, it copies it into this buffer unless a row fills the buffer. With the
default of 8,192 elements, arithmetic on rows of 1,024 takes twice as long.
"""

_LOCK = threading.RLock()
_LOCAL = threading.local()
_num_threads: int | None = None


def get_num_threads() -> int:
    """Return the number of threads that work on one operation.

    It is the value given to `set_num_threads`; otherwise the environment variable OMP_NUM_THREADS, which the BLAS and
    PyTorch read too; otherwise the number of processors that this process may use.
    """
    if _num_threads is not None:
        return _num_threads
    value = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if value.isdigit() and int(value):
        return int(value)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(count: int) -> None:
    """Use `count` threads for one operation. Raises ValueError for less than one."""
    global _num_threads
    if count < 1:
        raise ValueError(f"set_num_threads({count}): expected at least 1")
    _num_threads = int(count)


@contextmanager
def num_threads(count: int) -> Iterator[None]:
    """Use `count` threads inside the `with` block."""
    global _num_threads
    before = _num_threads
    set_num_threads(count)
    try:
        yield
    finally:
        _num_threads = before


def parallel_for(count: int, bytes_per_item: int, work: Callable[[slice], object]) -> None:
    """Call `work` on slices that together cover range(count), on several threads.

    bytes_per_item: how much memory the work on one item touches. It decides how long the slices are.
    """

    def run_chunks(run: Sequence[slice]) -> None:
        for chunk in run:
            work(chunk)

    parallel_map(chunks(count, bytes_per_item), run_chunks)


def chunks(count: int, bytes_per_item: int) -> list[slice]:
    """Split range(count) into slices that fit the cache. Large work gives every thread at least one slice."""
    bytes_per_item = max(1, bytes_per_item)
    per_thread = max(-(-count // get_num_threads()), MIN_PARALLEL_BYTES // bytes_per_item)
    step = max(1, min(CHUNK_BYTES // bytes_per_item, per_thread))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def parallel_map(items: Sequence[T], work: Callable[[Sequence[T]], R]) -> list[R]:
    """Split `items` into one run of neighbors per thread, call `work` on all runs in parallel, and return the results.

    The runs depend only on the items and the number of threads, so sums over the results are reproducible. All items
    form a single run if there is one thread, inside another `parallel_map`, or if the BLAS cannot be limited to one
    thread. If `work` raises an exception, it is raised here after all threads have finished.
    """
    if not items:
        return []
    if getattr(_LOCAL, "inside", False):
        return [work(items)]
    before = np.setbufsize(UFUNC_BUFFER_SIZE)  # holds for this thread only
    try:
        with single_threaded_blas() as limited:
            threads = min(get_num_threads(), len(items)) if limited else 1
            bounds = [len(items) * i // threads for i in range(threads + 1)]
            runs = [items[start:stop] for start, stop in pairwise(bounds)]
            return _run_in_threads(runs, work) if threads > 1 else [work(items)]
    finally:
        np.setbufsize(before)


class _Task(Generic[T, R]):
    """Work on one run of items, done by whichever thread gets to it first: a worker, or the caller who waits for it.

    A sleeping thread needs about 0.1 ms to wake up. A caller who has finished its own run by then does not wait.
    """

    def __init__(self, work: Callable[[Sequence[T]], R], run: Sequence[T]):
        self.work, self.run = work, run
        self.started, self.finished = threading.Lock(), threading.Lock()
        self.finished.acquire()
        self.results: list[R] = []
        self.error: BaseException | None = None

    def execute(self) -> None:
        """Do the work, unless another thread has started it."""
        if not self.started.acquire(blocking=False):
            return
        _LOCAL.inside = True
        try:
            self.results.append(self.work(self.run))
        except BaseException as error:  # raised again in the caller's thread
            self.error = error
        finally:
            _LOCAL.inside = False
            self.finished.release()

    def result(self) -> R:
        """Return what the work returned, or raise its exception."""
        if self.error is not None:
            raise self.error
        return self.results[0]


def _run_in_threads(runs: Sequence[Sequence[T]], work: Callable[[Sequence[T]], R]) -> list[R]:
    tasks = [_Task(work, run) for run in runs]
    queue = _workers.at_least(len(runs) - 1)
    for task in tasks[1:]:
        queue.put(task)
    for task in tasks:
        task.execute()
    for task in tasks:
        task.finished.acquire()  # wait for all before raising: the tasks write into the caller's arrays
    return [task.result() for task in tasks]


class _Workers:
    """Worker threads, which live as long as the process, and the queue that feeds them.

    The standard library's thread pool costs four times as much per task, which matters at hundreds of tasks per
    training step.
    """

    def __init__(self) -> None:
        self.tasks: SimpleQueue = SimpleQueue()
        self.count = 0
        self.lock = threading.Lock()

    def at_least(self, count: int) -> SimpleQueue:
        """Start threads until there are `count`, and return the queue."""
        if self.count < count:
            with self.lock:
                while self.count < count:
                    threading.Thread(target=self._serve, name=f"mytorch_{self.count}", daemon=True).start()
                    self.count += 1
        return self.tasks

    def _serve(self) -> None:
        np.setbufsize(UFUNC_BUFFER_SIZE)
        while True:
            self.tasks.get().execute()


_workers = _Workers()


def _reset_after_fork() -> None:
    """Forget the parent's threads, which a forked process does not have, and the locks that they may hold."""
    global _LOCK, _workers
    _LOCK = threading.RLock()
    _workers = _Workers()
    _LOCAL.inside = False
    single_threaded_blas.reset_after_fork()


_IMPORT_LOCK = threading.RLock()
"""Held while a module is imported, and while the process forks: the import would never end in the child."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
    os.register_at_fork(
        before=_IMPORT_LOCK.acquire, after_in_parent=_IMPORT_LOCK.release, after_in_child=_IMPORT_LOCK.release
    )


@cache
def _blas_controller() -> Any:
    """Return threadpoolctl's controller of the BLAS, or None if threadpoolctl is not installed."""
    with _IMPORT_LOCK:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:
            return None
        return ThreadpoolController().select(user_api="blas")


def blas_libraries() -> list[dict[str, Any]] | None:
    """Return threadpoolctl's description of each loaded BLAS, or None if threadpoolctl is not installed."""
    controller = _blas_controller()
    return None if controller is None else controller.info()


class single_threaded_blas:
    """Limit matrix products to one thread inside the `with` block. Entering returns False if that is not possible.

    After a multithreaded product the BLAS keeps its threads spinning for a while, in wait for the next product. They
    take processors from ours: one small product on two threads slows down the next 25 milliseconds. The BLAS has one
    thread count per process, so the first block to be entered sets it and the last one to be left restores it.
    """

    _depth = 0
    _before: tuple[tuple[Any, int], ...] = ()
    _inherited = False

    @staticmethod
    def reset_after_fork() -> None:
        """Forget the parent's blocks. If one was entered, the next block to be left restores the thread counts."""
        shared = single_threaded_blas
        shared._inherited, shared._depth = shared._depth > 0, 0

    def __enter__(self) -> bool:
        controller = _blas_controller()
        if controller is None:
            return False
        shared = single_threaded_blas
        with _LOCK:
            if not shared._depth:
                if not shared._inherited:
                    counts = ((library, library.num_threads) for library in controller.lib_controllers)
                    shared._before = tuple((library, count) for library, count in counts if count != 1)
                shared._inherited = False
                for library, _ in shared._before:
                    library.set_num_threads(1)
            shared._depth += 1
        return True

    def __exit__(self, *_: object) -> None:
        if _blas_controller() is None:
            return
        shared = single_threaded_blas
        with _LOCK:
            shared._depth -= 1
            if not shared._depth:
                for library, count in shared._before:
                    library.set_num_threads(count)
