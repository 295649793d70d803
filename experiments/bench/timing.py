"""Timing several ways to do the same work, so that what disturbs the machine disturbs all of them alike.

How a benchmark is run: on what, how often, how large.

The same number of threads for both libraries.
"""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from math import ceil
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from experiments.bench.devices import Device

T = TypeVar("T")

SIDES = ("mytorch", "torch", "torch_channels_last")
"""Who computes: ours, PyTorch in its default layout, and PyTorch with memory channels last, its best."""

FLOAT64_SHARE = 4
"""In float64 a convolution gets a batch so many times smaller."""


@dataclass(frozen=True)
class Plan:
    """What every part of the benchmark is told.

    threads: of each side. repeats: the fewest rounds, in each of which every side has its turn. seconds: the least time
    that each side computes. quick: batches of 2 and a few of each kind, to see that everything runs.
    memory_steps: over which memory is watched.
    """

    device: str = "cpu"
    threads: int = 1
    repeats: int = 4
    seconds: float = 0.1
    quick: bool = False
    seed: int = 0
    memory_steps: int = 1000

    def shorter(self) -> "Plan":
        """The same with half the rounds, for what no figure of the summary hangs on alone."""
        return replace(self, repeats=-(-self.repeats // 2))

    def batch(self, full: int) -> int:
        """The batch that stands for `full`."""
        return min(full, 2) if self.quick else full

    def some(self, items: Iterable[T]) -> list[T]:
        """All of them, or when it should be quick, every fifth."""
        return list(items)[:: 5 if self.quick else 1]


MOST_ROUNDS = 7
LONG = 0.2
"""Seconds from which on a first call is warm-up enough."""


def race(runners: Mapping[str, Callable[[], Any]], plan: Plan, device: Device) -> dict[str, dict[str, Any]]:
    """Time what each side runs: {side: {"ms": median, "low": and "high": quartiles, "rounds", "calls" in a round}}.

    After two calls to warm up, or a long one, the sides take turns, round after round, each round beginning with
    another side. Short work is called many times in a round, so that no clock is too coarse and every side runs
    `plan.seconds` in all.
    """
    each = {}
    for side, run in runners.items():
        took = device.seconds(side, run, 1)  # the first call compiles and allocates
        each[side] = took if took > LONG else max(device.seconds(side, run, 1), 1e-7)
    rounds = min(max(plan.repeats, ceil(plan.seconds / max(each.values()))), max(plan.repeats, MOST_ROUNDS))
    calls = {side: max(1, ceil(plan.seconds / rounds / took)) for side, took in each.items()}
    samples: dict[str, list[float]] = {side: [] for side in runners}
    order = list(runners)
    with _no_collector():
        for _ in range(rounds):
            for side in order:
                samples[side].append(1e3 * device.seconds(side, runners[side], calls[side]) / calls[side])
            order.append(order.pop(0))
    return {side: {**spread(samples[side]), "rounds": rounds, "calls": calls[side]} for side in runners}


def spread(samples: list[float]) -> dict[str, float]:
    """The median and the quartiles of times in milliseconds."""
    low, median, high = np.percentile(samples, [25, 50, 75])
    return {"ms": float(median), "low": float(low), "high": float(high)}


def ratios(times: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """mytorch's median over torch's in its default layout, and over its channels_last (which some work does not have).

    Without channels_last, torch has but one layout, and its time counts for both.
    """
    ours, default = times["mytorch"]["ms"], times["torch"]["ms"]
    best = times.get("torch_channels_last", times["torch"])["ms"]
    return {"ratio": ours / default, "ratio_channels_last": ours / best}


def geometric_mean(values: list[float]) -> float:
    """The mean of ratios, which says the same of a ratio and of its inverse."""
    return float(np.exp(np.mean(np.log(values))))


@contextmanager
def _no_collector() -> Iterator[None]:
    """Python's collector of circular garbage waits: it would run in the middle of somebody's turn."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def available_processors() -> int:
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
