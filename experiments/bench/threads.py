"""The same number of threads for both libraries."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Inside, torch, NumPy's BLAS and mytorch use so many threads each; afterwards as before."""
    import torch
    from threadpoolctl import threadpool_limits

    ours, before = _mytorch_threads(), torch.get_num_threads()
    mine = ours.get_num_threads() if ours else None
    with threadpool_limits(threads, user_api="blas"):
        torch.set_num_threads(threads)
        limit_mytorch(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
            if ours:
                ours.set_num_threads(mine)


def limit_mytorch(threads: int) -> None:
    """So many threads of our own, where the library has any."""
    ours = _mytorch_threads()
    if ours:
        ours.set_num_threads(threads)


def _mytorch_threads() -> ModuleType | None:
    return import_module("mytorch.threads") if find_spec("mytorch.threads") else None
