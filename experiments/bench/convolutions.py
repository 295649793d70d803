"""Convolutions of face networks against PyTorch's, whole and in their three products, and against handwritten ones.

The handwritten convolutions are those of many courses and books; they are not part of mytorch. They are for images and
one group; a sequence is an image of one row. x: (N, C, H, W), weight: (F, C, KH, KW), grad and y: (N, F, OH, OW);
stride and padding: a number per axis. Each returns y, the gradient of x and the gradient of the weight.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from experiments.bench.timing import BACKENDS, FLOAT64_BATCH_DIVISOR, Device, Plan, race, ratios
from models.twin import twin
from mytorch import nn
from mytorch.geometry import output_size
from mytorch.ops import conv as ops


@dataclass(frozen=True)
class ConvolutionCase:
    """A convolution of `batch` images (or sequences) of `size`, padded so that only the stride changes the size.

    found_in: a network that has it. first: its input is pixels, whose gradient is not needed.
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
        """Its name, such as "3x3 64-128 28px s2"."""
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
        """Its stride, padding and dilation, a number per axis."""
        axes = len(self.size)
        return (self.stride,) * axes, (self.kernel // 2,) * axes, (1,) * axes

    @property
    def out(self) -> tuple[int, ...]:
        """The size of the output."""
        return tuple(output_size(n, self.kernel, self.stride, self.kernel // 2) for n in self.size)

    def gflop(self, batch: int, passes: int = 1) -> float:
        """Return 10^9 operations of the direct algorithm, products and sums counted separately."""
        taps = self.inside // self.groups * self.kernel ** len(self.size)
        return 2e-9 * passes * batch * self.outside * prod(self.out) * taps

    def arrays(self, batch: int, dtype: type, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return random x (N, C, *size), weight (F, C / groups, *kernel) and the gradient of the output (N, F, *out).

        The weights are scaled so that outputs are near 1.
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
"""The part that is forward and every gradient, in the layer: what training does."""

Runners = dict[str, dict[str, Callable[[], Any]]]
"""What to time: by part, then by backend."""


def measure_convolution(
    case: ConvolutionCase, plan: Plan, device: Device, dtype: type = np.float32
) -> list[dict[str, Any]]:
    """Return a row per part: times by backend, ratios and GFLOP/s. In float64 the only part is `TOGETHER`."""
    divisor = FLOAT64_BATCH_DIVISOR if dtype is np.float64 else 1
    batch = plan.batch(max(1, case.batch // divisor))
    rows = []
    for part, runners in all_runners(case, batch, device, dtype, plan.seed).items():
        if dtype is np.float64 and part != TOGETHER:
            continue
        times = race(runners, plan if part == TOGETHER and divisor == 1 else plan.shorter(), device)
        gflop = case.gflop(batch, passes=(2 if case.first else 3) if part == TOGETHER else 1)
        rows.append(
            {
                "name": case.name, "found_in": case.found_in, "part": part, "batch": batch,
                "dtype": np.dtype(dtype).name, "gflop": gflop, **times, **ratios(times),
                "gflops": {backend: 1e3 * gflop / time["ms"] for backend, time in times.items()},
            }
        )  # fmt: skip
    return rows


def all_runners(case: ConvolutionCase, batch: int, device: Device, dtype: type, seed: int) -> Runners:
    """Return what each backend runs for each part, on the same values in the backend's own layout."""
    arrays = case.arrays(batch, dtype, seed)
    layer = _layer(case, arrays[1])
    backends = BACKENDS[1:] if len(case.size) == 2 else BACKENDS[1:2]  # channels_last is for images
    parts = {
        backend: _theirs(
            case, device.module(twin(layer), backend), *(device.theirs(array, backend) for array in arrays)
        )
        for backend in backends
    }
    parts = {"mytorch": _ours(case, layer.to(device.name), *map(device.ours, arrays)), **parts}
    return {part: {backend: runs[part] for backend, runs in parts.items()} for part in parts["mytorch"]}


def _layer(case: ConvolutionCase, weight: np.ndarray) -> Any:
    """The layer of mytorch with that weight."""
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


def conv_im2col(x: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride: Pair, padding: Pair) -> Three:
    """Convolve by im2col with fancy indexing, a matrix product, and col2im with `np.add.at`.

    Each window is a column of (C KH KW, OH OW N). Three index arrays name the channel, row and column of every element
    of every window; they gather the columns, and add their gradients back.
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


def conv_tensordot(x: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride: Pair, padding: Pair) -> Three:
    """Convolve by `tensordot` over all windows at once, which it copies.

    The gradient of x is a convolution of the gradient, with zeros between its elements for a stride, with the flipped
    kernel.
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


HANDWRITTEN_CONVOLUTIONS = {"im2col": conv_im2col, "tensordot": conv_tensordot}


def _padded(x: np.ndarray, padding: Pair) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))


def _cropped(x: np.ndarray, padding: Pair) -> np.ndarray:
    rows, columns = (slice(p, n - p) for p, n in zip(padding, x.shape[2:], strict=True))
    return x[:, :, rows, columns]


def _windows(x: np.ndarray, kernel: tuple[int, ...]) -> np.ndarray:
    """All windows, (N, C, OH, OW, KH, KW), as a view."""
    return sliding_window_view(x, kernel, (2, 3))


HANDWRITTEN_CASES = tuple(case for case in CONVOLUTIONS if case.groups == 1)
"""The convolutions that handwritten ones can do. These always compute the gradient of the input, even of pixels."""


def measure_handwritten(case: ConvolutionCase, plan: Plan, device: Device) -> dict[str, Any]:
    """Time forward and both gradients by mytorch and by handwritten convolutions; "slower": their time over ours."""
    batch = plan.batch(case.batch)
    x, weight, grad = map(_image, case.arrays(batch, np.float32, plan.seed))
    stride, padding, _ = case.geometry
    geometry = ((1, *stride)[-2:], (0, *padding)[-2:])
    runners = {"mytorch": all_runners(case, batch, device, np.float32, plan.seed)[TOGETHER]["mytorch"]}
    for name, way in HANDWRITTEN_CONVOLUTIONS.items():
        runners[name] = lambda way=way: way(x, weight, grad, *geometry)  # type: ignore[misc]
    times = race(runners, replace(plan, repeats=1), device)  # work of seconds needs few repeats
    slower = {name: times[name]["ms"] / times["mytorch"]["ms"] for name in HANDWRITTEN_CONVOLUTIONS}
    return {"name": case.name, "batch": batch, **times, "slower": slower}


def _image(array: np.ndarray) -> np.ndarray:
    """A sequence (N, C, L) as an image of one row; images as they are."""
    return array[:, :, None] if array.ndim == 3 else array
