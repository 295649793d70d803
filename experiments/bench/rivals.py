"""mytorch's convolutions against the ways of other hand-written libraries, at the batch that PyTorch is measured at."""

from dataclasses import replace
from typing import Any

import numpy as np

from experiments.bench.cases import CONVOLUTIONS, Convolution
from experiments.bench.convolutions import TOGETHER, all_runners
from experiments.bench.devices import Device
from experiments.bench.handwritten import WAYS
from experiments.bench.plan import Plan
from experiments.bench.timing import race

RIVALRY = tuple(case for case in CONVOLUTIONS if case.groups == 1)
"""The convolutions that every way can do. Nobody asks for the gradient of pixels, but these ways give it always."""


def measure_rivals(case: Convolution, plan: Plan, device: Device) -> dict[str, Any]:
    """Forward and both gradients by us and by each way: the times, and theirs over ours."""
    batch = plan.batch(case.batch)
    x, weight, grad = map(_image, case.arrays(batch, np.float32, plan.seed))
    stride, padding, _ = case.geometry
    geometry = ((1, *stride)[-2:], (0, *padding)[-2:])
    runners = {"mytorch": all_runners(case, batch, device, np.float32, plan.seed)[TOGETHER]["mytorch"]}
    for name, way in WAYS.items():
        runners[name] = lambda way=way: way(x, weight, grad, *geometry)  # type: ignore[misc]
    times = race(runners, replace(plan, repeats=1), device)  # what takes seconds need not be timed often
    slower = {name: times[name]["ms"] / times["mytorch"]["ms"] for name in WAYS}
    return {"name": case.name, "batch": batch, **times, "slower": slower}


def _image(array: np.ndarray) -> np.ndarray:
    """A sequence (N, C, L) as an image of one row; images as they are."""
    return array[:, :, None] if array.ndim == 3 else array
