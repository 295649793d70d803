"""Threads: large work on arrays, shared among the processor's cores in parts that fit its cache.

NumPy lets go of Python's lock while it computes, so that plain threads run side by side. The matrix products in the
parts are held to one thread each: a part is small, and two layers of threads would fight for the same cores.
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

PART = 1 << 23
"""Bytes that a part should touch: a share of a last-level cache.

Less would fit the second level, but make NumPy's calls so short that the threads mostly wait for each other's Python.
"""

LITTLE = 1 << 20
"""Bytes below which work is not worth waking another thread."""

BUFFER = 1024
"""Elements of NumPy's buffer inside of `spread`.

Where one operand is repeated along the other's rows, NumPy copies it into its buffer again and again, unless a row
fills that: with its usual 8,192 elements, arithmetic on rows of 1,024 takes twice as long.
"""

_LOCK = threading.RLock()
_LOCAL = threading.local()
_chosen: int | None = None


def get_num_threads() -> int:
    """How many threads work on one operation.

    What `set_num_threads` chose; else the variable OMP_NUM_THREADS, which the BLAS and PyTorch heed, too; else as many
    as this process may use processors.
    """
    if _chosen is not None:
        return _chosen
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if wanted.isdigit() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(count: int) -> None:
    """Let `count` threads work on one operation. Raises ValueError for less than one."""
    global _chosen
    if count < 1:
        raise ValueError(f"set_num_threads({count}): expected at least 1")
    _chosen = int(count)


@contextmanager
def num_threads(count: int) -> Iterator[None]:
    """Inside, `count` threads work on one operation."""
    global _chosen
    before = _chosen
    set_num_threads(count)
    try:
        yield
    finally:
        _chosen = before


def share(count: int, each: int, work: Callable[[slice], object]) -> None:
    """Do `work` on slices that cover range(count), by as many threads as there are; each: bytes an item touches."""

    def each_slice(some: Sequence[slice]) -> None:
        for part in some:
            work(part)

    spread(parts(count, each), each_slice)


def parts(count: int, each: int) -> list[slice]:
    """Slices that cover range(count), as long as the cache allows, and no longer than a thread's share of much work."""
    each = max(1, each)
    step = max(1, min(PART // each, max(-(-count // get_num_threads()), LITTLE // each)))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def spread(items: Sequence[T], work: Callable[[Sequence[T]], R]) -> list[R]:
    """Split `items` into a run of neighbours for each thread, and do `work` on the runs at once; what it returned.

    The same items make the same runs, so that sums over them come out the same. Where there is one thread, inside of
    another `spread`, and where the BLAS cannot be held to one thread, all items are one run. An exception is raised
    here once all threads have ended.
    """
    if not items:
        return []
    if getattr(_LOCAL, "inside", False):
        return [work(items)]
    before = np.setbufsize(BUFFER)  # this thread's own
    try:
        with OneEach() as held:
            threads = min(get_num_threads(), len(items)) if held else 1
            bounds = [len(items) * i // threads for i in range(threads + 1)]
            runs = [items[a:b] for a, b in pairwise(bounds)]
            return _in_threads(runs, work) if threads > 1 else [work(items)]
    finally:
        np.setbufsize(before)


class _Task(Generic[T, R]):
    """Work on a run of items, done by the thread that comes first: the one that was asked, or who waits for it.

    A sleeping thread takes a tenth of a millisecond to wake up. Who asked, and has done his own part by then, need not
    wait for that.
    """

    def __init__(self, work: Callable[[Sequence[T]], R], run: Sequence[T]):
        self.work, self.run = work, run
        self.begun, self.ended = threading.Lock(), threading.Lock()
        self.ended.acquire()
        self.results: list[R] = []
        self.error: BaseException | None = None

    def do(self) -> None:
        """Do the work, unless another thread has begun."""
        if not self.begun.acquire(blocking=False):
            return
        _LOCAL.inside = True
        try:
            self.results.append(self.work(self.run))
        except BaseException as error:  # whoever asked for the work is told
            self.error = error
        finally:
            _LOCAL.inside = False
            self.ended.release()

    def result(self) -> R:
        """What the work returned; its exception is raised here."""
        if self.error is not None:
            raise self.error
        return self.results[0]


def _in_threads(runs: Sequence[Sequence[T]], work: Callable[[Sequence[T]], R]) -> list[R]:
    tasks = [_Task(work, run) for run in runs]
    waiting = _workers(len(runs) - 1)
    for task in tasks[1:]:
        waiting.put(task)
    for task in tasks:
        task.do()
    for task in tasks:
        task.ended.acquire()  # all of them, before any exception: they write into arrays of the caller's
    return [task.result() for task in tasks]


@cache
def _workers(count: int) -> SimpleQueue:
    """A queue of tasks, for which so many threads wait as long as the process lives.

    The standard library's pool of threads does more for a task, at four times the price: with hundreds of them in a
    step of training, it shows.
    """
    tasks: SimpleQueue = SimpleQueue()

    def serve() -> None:
        np.setbufsize(BUFFER)
        while True:
            tasks.get().do()

    for index in range(count):
        threading.Thread(target=serve, name=f"mytorch_{index}", daemon=True).start()
    return tasks


def _forget_threads() -> None:
    """A forked process has none of its parent's threads."""
    _workers.cache_clear()
    _blas.cache_clear()
    OneEach._inside = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@cache
def _blas() -> Any:
    """What sets the threads of the BLAS; None without threadpoolctl, whose BLAS cannot be held to one thread."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


def blas_libraries() -> list[dict[str, Any]] | None:
    """What threadpoolctl says of each BLAS that is loaded; None without it."""
    blas = _blas()
    return None if blas is None else blas.info()


class OneEach:
    """Inside of it a matrix product runs on one thread; entering gives True where the BLAS could be held to that.

    A BLAS that has run on several threads keeps them spinning for a while, in wait for the next product, and they take
    the processors from ours: one small product on two threads costs the next 25 milliseconds. The BLAS has one number
    of threads for the whole process: the first to come in sets it, the last to go puts it back.
    """

    _inside = 0
    _before: tuple[tuple[Any, int], ...] = ()

    def __enter__(self) -> bool:
        blas = _blas()
        if blas is None:
            return False
        with _LOCK:
            if not OneEach._inside:
                found = ((library, library.num_threads) for library in blas.lib_controllers)
                OneEach._before = tuple((library, count) for library, count in found if count != 1)
                for library, _ in OneEach._before:
                    library.set_num_threads(1)
            OneEach._inside += 1
        return True

    def __exit__(self, *_: object) -> None:
        if _blas() is None:
            return
        with _LOCK:
            OneEach._inside -= 1
            if not OneEach._inside:
                for library, count in OneEach._before:
                    library.set_num_threads(count)
