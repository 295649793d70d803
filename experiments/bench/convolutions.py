"""Convolutions against PyTorch's: the layer as training has it, and each of its three products apart."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from experiments.bench.cases import Convolution
from experiments.bench.devices import Device
from experiments.bench.plan import FLOAT64_SHARE, SIDES, Plan
from experiments.bench.timing import race, ratios
from models.twin import twin
from mytorch import nn
from mytorch.ops import conv as ops

TOGETHER = "all"
"""Forward and every gradient, in the layer: what training does."""

Runners = dict[str, dict[str, Callable[[], Any]]]
"""By part, by side."""


def measure_convolution(
    case: Convolution, plan: Plan, device: Device, dtype: type = np.float32
) -> list[dict[str, Any]]:
    """A row a part: its times by side, their ratios, and each side's GFLOP/s. In float64 all together is the one."""
    share = FLOAT64_SHARE if dtype is np.float64 else 1
    batch = plan.batch(max(1, case.batch // share))
    rows = []
    for part, runners in all_runners(case, batch, device, dtype, plan.seed).items():
        if dtype is np.float64 and part != TOGETHER:
            continue
        times = race(runners, plan if part == TOGETHER and share == 1 else plan.shorter(), device)
        gflop = case.gflop(batch, passes=(2 if case.first else 3) if part == TOGETHER else 1)
        rows.append(
            {
                "name": case.name, "found_in": case.found_in, "part": part, "batch": batch,
                "dtype": np.dtype(dtype).name, "gflop": gflop, **times, **ratios(times),
                "gflops": {side: 1e3 * gflop / time["ms"] for side, time in times.items()},
            }
        )  # fmt: skip
    return rows


def all_runners(case: Convolution, batch: int, device: Device, dtype: type, seed: int) -> Runners:
    """What each side runs for each part, on the same values in the side's own layout."""
    arrays = case.arrays(batch, dtype, seed)
    layer = _layer(case, arrays[1])
    sides = SIDES[1:] if len(case.size) == 2 else SIDES[1:2]  # channels_last is for images
    parts = {
        side: _theirs(case, device.module(twin(layer), side), *(device.theirs(array, side) for array in arrays))
        for side in sides
    }
    parts = {"mytorch": _ours(case, layer.to(device.name), *map(device.ours, arrays)), **parts}
    return {part: {side: runs[part] for side, runs in parts.items()} for part in parts["mytorch"]}


def _layer(case: Convolution, weight: np.ndarray) -> Any:
    """mytorch's layer with that weight."""
    kind = nn.Conv2d if len(case.size) == 2 else nn.Conv1d
    stride, padding, _ = case.geometry
    layer = kind(
        case.inside, case.outside, case.kernel, stride, padding, groups=case.groups, bias=False, dtype=weight.dtype
    )
    layer.weight.data[...] = weight
    layer.needs_input_grad = not case.first
    return layer


def _ours(case: Convolution, layer: Any, x: Any, weight: Any, grad: Any) -> dict[str, Callable[[], Any]]:
    stride, padding, dilation = case.geometry
    geometry = (stride, padding, dilation, case.groups)
    kernel = tuple(weight.shape[2:])

    def together() -> tuple[Any, Any, Any]:
        layer.zero_grad()
        y = layer(x)
        grad_x = layer.backward(grad)
        return y, layer.weight.grad, grad_x

    parts = {
        TOGETHER: together,
        "forward": lambda: ops.conv(x, weight, None, *geometry),
        "weight": lambda: ops.conv_weight_grad(grad, x, kernel, *geometry),
    }
    if not case.first:
        parts["input"] = lambda: ops.conv_input_grad(grad, weight, case.size, *geometry)
    return parts


def _theirs(
    case: Convolution, layer: torch.nn.Module, x: torch.Tensor, weight: torch.Tensor, grad: torch.Tensor
) -> dict[str, Callable[[], Any]]:
    geometry = (*map(list, case.geometry), False, [0] * len(case.size), case.groups)
    needing = x.clone().requires_grad_(not case.first)
    wanted = [*layer.parameters(), *([] if case.first else [needing])]

    def together() -> tuple[torch.Tensor, ...]:
        y = layer(needing)
        return y, *torch.autograd.grad(y, wanted, grad)

    def backward(of_input: bool) -> torch.Tensor:
        mask = [of_input, not of_input, False]
        return torch.ops.aten.convolution_backward(grad, x, weight, None, *geometry, mask)[0 if of_input else 1]

    parts = {
        TOGETHER: together,
        "forward": lambda: torch.ops.aten.convolution(x, weight, None, *geometry),
        "weight": lambda: backward(of_input=False),
    }
    if not case.first:
        parts["input"] = lambda: backward(of_input=True)
    return parts
