"""Convolutions against PyTorch's: the layer as training has it, and each of its three products apart.

The convolutions that face networks have.

Convolution as other hand-written libraries have it, to be measured against: no part of mytorch.

Both ways are for images and one group; a sequence is an image of one row. x: (N, C, H, W), weight: (F, C, KH, KW), grad
and y: (N, F, OH, OW); stride and padding: a number an axis. Each function returns y, the gradient at x and the gradient
at the weight.

mytorch's convolutions against the ways of other hand-written libraries, at the batch that PyTorch is measured at.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from experiments.bench.devices import Device
from experiments.bench.timing import FLOAT64_SHARE, SIDES, Plan, race, ratios
from models.twin import twin
from mytorch import nn
from mytorch.geometry import output_size
from mytorch.ops import conv as ops


@dataclass(frozen=True)
class ConvolutionCase:
    """A convolution of `batch` images (or sequences) of `size`, padded so that the size stays but for the stride.

    found_in: a network that has it. first: it sees pixels, so nobody asks for the gradient of its input.
    """

    found_in: str
    inside: int
    outside: int
    kernel: int
    size: tuple[int, ...]
    stride: int = 1
    groups: int = 1
    batch: int = 64

    @property
    def name(self) -> str:
        """Such as "3x3 64-128 28px s2"."""
        kernel = "x".join([str(self.kernel)] * len(self.size))
        channels = f"{self.inside}-{self.outside}"
        unit = "px" if len(self.size) == 2 else " long"
        text = f"{kernel} {channels} {self.size[0]}{unit}" + (f" s{self.stride}" if self.stride > 1 else "")
        return text + (" depthwise" if self.groups > 1 else "") + (" 1-d" if len(self.size) == 1 else "")

    @property
    def first(self) -> bool:
        """Whether its input is pixels."""
        return self.inside == 3

    @property
    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """stride, padding and dilation, a number an axis."""
        axes = len(self.size)
        return (self.stride,) * axes, (self.kernel // 2,) * axes, (1,) * axes

    @property
    def out(self) -> tuple[int, ...]:
        """The size of the output."""
        return tuple(output_size(n, self.kernel, self.stride, self.kernel // 2) for n in self.size)

    def gflop(self, batch: int, passes: int = 1) -> float:
        """10^9 operations, products and sums counted apart, in the direct way, whatever way is taken."""
        taps = self.inside // self.groups * self.kernel ** len(self.size)
        return 2e-9 * passes * batch * self.outside * prod(self.out) * taps

    def arrays(self, batch: int, dtype: type, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x (N, C, *size), weight (F, C / groups, *kernel) and the gradient at the output (N, F, *out), drawn by seed.

        Of the size that keeps a float32 sum of them near 1.
        """
        rng = np.random.default_rng(seed)
        taps = self.inside // self.groups * self.kernel ** len(self.size)
        shapes = (
            (batch, self.inside, *self.size),
            (self.outside, self.inside // self.groups, *(self.kernel,) * len(self.size)),
            (batch, self.outside, *self.out),
        )
        x, weight, grad = (rng.standard_normal(shape, np.float32) for shape in shapes)
        return x.astype(dtype), (weight / taps**0.5).astype(dtype), grad.astype(dtype)


CONVOLUTIONS = (
    ConvolutionCase("ArcFace's IR-ResNets", 3, 64, 3, (112, 112), batch=32),
    ConvolutionCase("ResNet-18 and 50 at 112 px", 3, 64, 7, (112, 112), stride=2),
    ConvolutionCase("the scratch CNN at 64 px", 32, 64, 3, (32, 32)),
    ConvolutionCase("ArcFace's IR-ResNets", 64, 64, 3, (112, 112), stride=2, batch=16),
    ConvolutionCase("ResNet-18, IR-ResNets", 64, 64, 3, (56, 56), batch=32),
    ConvolutionCase("VGG, IR-ResNets", 64, 128, 3, (28, 28)),
    ConvolutionCase("ResNet-18, IR-ResNets", 128, 128, 3, (28, 28), batch=32),
    ConvolutionCase("ResNet-18", 128, 256, 3, (28, 28), stride=2),
    ConvolutionCase("the scratch CNN", 128, 256, 3, (14, 14)),
    ConvolutionCase("IR-ResNets", 256, 256, 3, (14, 14), batch=32),
    ConvolutionCase("ResNet-18, IR-ResNets", 256, 512, 3, (14, 14), stride=2),
    ConvolutionCase("ResNet-18, IR-ResNets", 512, 512, 3, (7, 7), batch=32),
    ConvolutionCase("ResNet-50", 64, 256, 1, (56, 56), batch=32),
    ConvolutionCase("ResNet-50", 1024, 256, 1, (14, 14)),
    ConvolutionCase("Inception", 32, 96, 5, (28, 28)),
    ConvolutionCase("MobileFaceNet", 128, 128, 3, (56, 56), groups=128, batch=32),
    ConvolutionCase("MobileFaceNet", 256, 256, 3, (28, 28), stride=2, groups=256),
    ConvolutionCase("a scanning network of sequences", 64, 128, 5, (256,)),
)


TOGETHER = "all"
"""Forward and every gradient, in the layer: what training does."""

Runners = dict[str, dict[str, Callable[[], Any]]]
"""By part, by side."""


def measure_convolution(
    case: ConvolutionCase, plan: Plan, device: Device, dtype: type = np.float32
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


def all_runners(case: ConvolutionCase, batch: int, device: Device, dtype: type, seed: int) -> Runners:
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


def _layer(case: ConvolutionCase, weight: np.ndarray) -> Any:
    """mytorch's layer with that weight."""
    kind = nn.Conv2d if len(case.size) == 2 else nn.Conv1d
    stride, padding, _ = case.geometry
    layer = kind(
        case.inside, case.outside, case.kernel, stride, padding, groups=case.groups, bias=False, dtype=weight.dtype
    )
    layer.weight.data[...] = weight
    layer.needs_input_grad = not case.first
    return layer


def _ours(case: ConvolutionCase, layer: Any, x: Any, weight: Any, grad: Any) -> dict[str, Callable[[], Any]]:
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
    case: ConvolutionCase, layer: torch.nn.Module, x: torch.Tensor, weight: torch.Tensor, grad: torch.Tensor
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


Three = tuple[np.ndarray, np.ndarray, np.ndarray]
Pair = tuple[int, int]


def by_index_arrays(x: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride: Pair, padding: Pair) -> Three:
    """im2col by fancy indexing, one matrix product each, col2im by `np.add.at`: the way of many a course and book.

    A column for each window, (C KH KW, OH OW N), gathered with three index arrays that name the channel, row and column
    of every element of every window, and added back with the same.
    """
    filters, padded = len(weight), _padded(x, padding)
    element = np.indices(weight.shape[1:]).reshape(3, -1, 1)
    window = np.indices(grad.shape[2:]).reshape(2, 1, -1)
    where: Any = (slice(None), element[0], stride[0] * window[0] + element[1], stride[1] * window[1] + element[2])
    columns = padded[where].transpose(1, 2, 0).reshape(element.shape[1], -1)
    matrix, given = weight.reshape(filters, -1), grad.transpose(1, 2, 3, 0).reshape(filters, -1)
    y = (matrix @ columns).reshape(filters, *grad.shape[2:], len(x)).transpose(3, 0, 1, 2)
    weight_grad = (given @ columns.T).reshape(weight.shape)
    padded_grad = np.zeros_like(padded)
    np.add.at(padded_grad, where, (matrix.T @ given).reshape(len(matrix.T), -1, len(x)).transpose(2, 0, 1))
    return y, _cropped(padded_grad, padding), weight_grad


def by_windows(x: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride: Pair, padding: Pair) -> Three:
    """`tensordot` over all windows at once, which it copies; for the input's gradient, over those of a spread gradient.

    The gradient at x is a convolution of the gradient, zeros put between its elements for a stride, with the kernel
    turned.
    """
    kernel = weight.shape[2:]
    windows = _windows(_padded(x, padding), kernel)[:, :, :: stride[0], :: stride[1]]
    y = np.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    weight_grad = np.tensordot(grad, windows, ((0, 2, 3), (0, 2, 3)))
    height, width = (n + 2 * p - k + 1 for n, p, k in zip(x.shape[2:], padding, kernel, strict=True))
    spread = np.zeros((*grad.shape[:2], height, width), grad.dtype)
    spread[:, :, :: stride[0], :: stride[1]] = grad
    turned = weight[:, :, ::-1, ::-1]
    every = _windows(_padded(spread, (kernel[0] - 1, kernel[1] - 1)), kernel)
    x_grad = np.tensordot(every, turned, ((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
    return y, _cropped(x_grad, padding), weight_grad


HANDWRITTEN_CONVOLUTIONS = {"im2col": by_index_arrays, "tensordot": by_windows}


def _padded(x: np.ndarray, padding: Pair) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))


def _cropped(x: np.ndarray, padding: Pair) -> np.ndarray:
    rows, columns = (slice(p, n - p) for p, n in zip(padding, x.shape[2:], strict=True))
    return x[:, :, rows, columns]


def _windows(x: np.ndarray, kernel: tuple[int, ...]) -> np.ndarray:
    """(N, C, OH, OW, KH, KW), a view."""
    return sliding_window_view(x, kernel, (2, 3))


RIVALRY = tuple(case for case in CONVOLUTIONS if case.groups == 1)
"""The convolutions that every way can do. Nobody asks for the gradient of pixels, but these ways give it always."""


def measure_rivals(case: ConvolutionCase, plan: Plan, device: Device) -> dict[str, Any]:
    """Forward and both gradients by us and by each way: the times, and theirs over ours."""
    batch = plan.batch(case.batch)
    x, weight, grad = map(_image, case.arrays(batch, np.float32, plan.seed))
    stride, padding, _ = case.geometry
    geometry = ((1, *stride)[-2:], (0, *padding)[-2:])
    runners = {"mytorch": all_runners(case, batch, device, np.float32, plan.seed)[TOGETHER]["mytorch"]}
    for name, way in HANDWRITTEN_CONVOLUTIONS.items():
        runners[name] = lambda way=way: way(x, weight, grad, *geometry)  # type: ignore[misc]
    times = race(runners, replace(plan, repeats=1), device)  # what takes seconds need not be timed often
    slower = {name: times[name]["ms"] / times["mytorch"]["ms"] for name in HANDWRITTEN_CONVOLUTIONS}
    return {"name": case.name, "batch": batch, **times, "slower": slower}


def _image(array: np.ndarray) -> np.ndarray:
    """A sequence (N, C, L) as an image of one row; images as they are."""
    return array[:, :, None] if array.ndim == 3 else array
