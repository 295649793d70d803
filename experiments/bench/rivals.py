"""mytorch's convolutions against the ways of other hand-written libraries."""

from typing import Any

import numpy as np

from experiments.bench.cases import CONVOLUTIONS, Convolution
from experiments.bench.convolutions import TOGETHER, all_runners
from experiments.bench.devices import Device
from experiments.bench.handwritten import WAYS
from experiments.bench.plan import Plan
from experiments.bench.timing import race

BATCH = 8
"""An eighth of most: their matrices of windows fill the memory, and take their time."""

REPEATS = 3

RIVALRY = tuple(case for case in CONVOLUTIONS if len(case.size) == 2 and case.groups == 1 and not case.first)
"""The convolutions that every way can do, with both gradients."""


def measure_rivals(case: Convolution, plan: Plan, device: Device) -> dict[str, Any]:
    """Forward and both gradients by us and by each way: the times, and theirs over ours."""
    batch = plan.batch(BATCH)
    x, weight, grad = case.arrays(batch, np.float32, plan.seed)
    runners = {"mytorch": all_runners(case, batch, device, np.float32, plan.seed)[TOGETHER]["mytorch"]}
    for name, way in WAYS.items():
        runners[name] = lambda way=way: way(x, weight, grad, case.stride, case.kernel // 2)  # type: ignore[misc]
    short = Plan(plan.device, plan.threads, min(REPEATS, plan.repeats), 0.0)
    times = race(runners, short, device)
    slower = {name: times[name]["ms"] / times["mytorch"]["ms"] for name in WAYS}
    return {"name": case.name, "batch": batch, **times, "slower": slower}
