"""Resampling over any number of spatial axes, one axis after the other: a forward and its gradient side by side.

x, y, grad: (N, C, *size). Where along an axis the outputs take their values from is a table, a number for each output;
positions in a table only grow, so that what belongs to one input is a run, and runs are summed without index tricks.
"""

from collections.abc import Iterable
from math import floor

import numpy as np

from mytorch.device import Array, namespace, on_gpu
from mytorch.geometry import Size, empty
from mytorch.ops.cuda import resample as cuda
from mytorch.ops.mixing import Weights, mixed
from mytorch.threads import share

Tables = tuple[np.ndarray, ...]
"""For each spatial axis, an array with a value for each of its outputs."""


def nearest_table(size: int, out: int, scale: float | None = None, even: bool = True) -> np.ndarray:
    """The input position that each of `out` outputs repeats: floor(output / scale).

    scale: outputs an input, out / size where it is not given. In float32, whatever the arrays are, as in PyTorch:
    a rounding there decides which pixel is taken. even: where `out` is `size` or twice that, each input is repeated
    alike, even if `scale` is another number that leads to this `out`; PyTorch does so with two axes, not with one.
    """
    if even and out in (size, 2 * size):
        return np.arange(out) * size // out
    step = np.float32(1 / scale) if scale else np.float32(size) / np.float32(out)
    return np.minimum(np.floor(np.arange(out, dtype="f") * step).astype(int), size - 1)


def linear_tables(
    size: int, out: int, scale: float | None = None, align_corners: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two inputs between which each of `out` outputs lies, low and high, and the share of high.

    With align_corners, first and last outputs are the first and last inputs; else pixels are areas, whose edges meet.
    """
    if align_corners:
        position = np.arange(out) * ((size - 1) / (out - 1) if out > 1 else 0)
    elif out == size:  # even if `scale` is another number that leads to this `out`, as in PyTorch
        position = np.arange(float(out))
    else:
        position = np.maximum((np.arange(out) + 0.5) * (1 / scale if scale else size / out) - 0.5, 0)
    low = np.minimum(np.floor(position).astype(int), size - 1)
    return low, np.minimum(low + 1, size - 1), np.clip(position - low, 0, 1)


def scaled(size: int, scale: float) -> int:
    """The number of outputs of an axis, as PyTorch counts them."""
    return floor(size * scale)


@on_gpu(cuda.nearest)
def nearest(x: Array, sources: Tables) -> Array:
    """Output o along an axis is x at sources[axis][o]."""
    for axis, source in _axes(sources):
        x = _taken(x, source, axis)
    return x


@on_gpu(cuda.nearest_grad)
def nearest_grad(grad: Array, size: Size, sources: Tables) -> Array:
    """Gradient of nearest at its input, (N, C, *size)."""
    for axis, source in _axes(sources):
        grad = _returned(grad, source, axis, size[axis - 2])
    return grad


@on_gpu(cuda.linear)
def linear(x: Array, lows: Tables, highs: Tables, shares: Tables) -> Array:
    """Output o along an axis mixes two positions: (1 - share) of x at low and share of x at high."""
    return mixed(x, *map(_weights, lows, highs, shares))


@on_gpu(cuda.linear_grad)
def linear_grad(grad: Array, size: Size, lows: Tables, highs: Tables, shares: Tables) -> Array:
    """Gradient of linear at its input, (N, C, *size)."""
    return mixed(grad, *(_weights(*t).turned(n) for n, *t in zip(size, lows, highs, shares, strict=True)))


@on_gpu(cuda.insert_zeros)
def insert_zeros(x: Array, factor: Size, out: Size) -> Array:
    """x at every factor-th position of (N, C, *out), zeros between; the gradient of pick."""
    y = empty((*x.shape[:2], *out), x)

    def work(images: slice) -> None:
        y[images] = 0
        y[images][_every(factor)] = x[images]

    share(len(x), y[:1].nbytes, work)
    return y


@on_gpu(cuda.pick)
def pick(x: Array, factor: Size, out: Size) -> Array:
    """Every factor-th position of x, as (N, C, *out); the gradient of insert_zeros."""
    y = empty((*x.shape[:2], *out), x)

    def work(images: slice) -> None:
        y[images] = x[images][_every(factor)]

    share(len(x), 2 * y[:1].nbytes, work)
    return y


def _every(factor: Size) -> tuple:
    return (..., *(slice(None, None, k) for k in factor))


def _axes(tables: Iterable) -> Iterable[tuple[int, np.ndarray]]:
    return enumerate(tables, start=2)


def _weights(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> Weights:
    """The tables of an axis as weights."""
    outputs = np.arange(len(low))
    source, value = np.concatenate([low, high]), np.concatenate([1 - share, share])
    return Weights(np.concatenate([outputs, outputs]), source, value, len(low))


def _taken(x: Array, source: np.ndarray, axis: int) -> Array:
    """`x` at the positions `source` of an axis, memory channels last."""
    xp = namespace(x)
    return np.moveaxis(xp.moveaxis(x, 1, -1).take(xp.asarray(source), axis - 1), -1, 1)


def _returned(grad: Array, source: np.ndarray, axis: int, size: int) -> Array:
    """Gradient of _taken: what was taken from one position is added up there, (N, C, ..., size, ...)."""
    shape = list(grad.shape)
    shape[axis] = size
    taken, starts = np.unique(source, return_index=True)
    rows, sums = np.moveaxis(grad, axis, 0), empty(tuple(shape), grad)
    sums[...] = 0
    target = np.moveaxis(sums, axis, 0)
    ends = [*starts[1:], len(source)]
    longest = max((end - start for start, end in zip(starts, ends, strict=True)), default=0)
    for k in range(int(longest)):
        runs = starts + k < ends
        target[taken[runs]] += rows[starts[runs] + k]
    return sums
