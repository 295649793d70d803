"""Timing several ways to do the same work, so that what disturbs the machine disturbs all of them alike."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import ceil
from typing import Any

import numpy as np

from experiments.bench.devices import Device
from experiments.bench.plan import Plan

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
