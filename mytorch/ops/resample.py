"""Resampling over any number of spatial axes, one axis after the other: a forward and its gradient side by side.

x, y, grad: (N, C, *size). Where along an axis the outputs take their values from is a table, a number for each output;
positions in a table only grow, so that what belongs to one input is a run, and runs are summed without index tricks.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import floor
from typing import TypeVar

import numpy as np

from mytorch.device import Array, cuda_implementation
from mytorch.geometry import Size, empty_channels_last, to_channels_last, to_nhwc
from mytorch.ops.banded import BandedMatrix, apply_banded
from mytorch.ops.cuda import resample as cuda
from mytorch.threads import parallel_for

V = TypeVar("V")

Tables = tuple[np.ndarray, ...]
"""For each spatial axis, an array with a value for each of its outputs."""


def nearest_indices(size: int, out: int, scale: float | None = None, even: bool = True) -> np.ndarray:
    """The input position that each of `out` outputs repeats: floor(output / scale).

    scale: outputs an input, out / size where it is not given. In float32, whatever the arrays are, as in PyTorch:
    a rounding there decides which pixel is taken. even: where `out` is `size` or twice that, each input is repeated
    alike, even if `scale` is another number that leads to this `out`; PyTorch does so with two axes, not with one.
    """
    if even and out in (size, 2 * size):
        return np.arange(out) * size // out
    step = np.float32(1 / scale) if scale else np.float32(size) / np.float32(out)
    return np.minimum(np.floor(np.arange(out, dtype="f") * step).astype(int), size - 1)


def linear_neighbors(
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


def scaled_size(size: int, scale: float) -> int:
    """The number of outputs of an axis, as PyTorch counts them."""
    return floor(size * scale)


@cuda_implementation(cuda.nearest)
def nearest(x: Array, sources: Tables) -> Array:
    """Output o along an axis is x at sources[axis][o]."""
    factors = _whole(sources, x.shape[2:])
    y = empty_channels_last((*x.shape[:2], *map(len, sources)), x)

    def work(images: slice) -> None:
        pixels, into = to_nhwc(x[images]), to_nhwc(y[images])
        if factors:
            for axis, factor in reversed(list(_axes(factors[1:], 2))):
                pixels = pixels.repeat(factor, axis)
            _split(into, factors[0], 1)[...] = pixels[:, :, None]
        else:
            for axis, source in _axes(sources):
                pixels = pixels.take(source, axis)
            into[...] = pixels

    parallel_for(len(x), x[:1].nbytes + y[:1].nbytes, work)
    return y


@cuda_implementation(cuda.nearest_grad)
def nearest_grad(grad: Array, size: Size, sources: Tables) -> Array:
    """Gradient of nearest at its input, (N, C, *size)."""
    factors = _whole(sources, size)
    grad, grad_x = to_channels_last(grad), empty_channels_last((*grad.shape[:2], *size), grad)

    def work(images: slice) -> None:
        given, into = to_nhwc(grad[images]), to_nhwc(grad_x[images])
        for axis, source in _axes(sources):
            if factors:
                given = np.add.reduce(_split(given, factors[axis - 1], axis), axis=axis + 1)
            else:
                given = _returned(given, source, axis, size[axis - 1])
        into[...] = given

    parallel_for(len(grad), grad[:1].nbytes + grad_x[:1].nbytes, work)
    return grad_x


@cuda_implementation(cuda.linear)
def linear(x: Array, lows: Tables, highs: Tables, shares: Tables) -> Array:
    """Output o along an axis mixes two positions: (1 - share) of x at low and share of x at high."""
    return apply_banded(x, *map(_weights, lows, highs, shares))


@cuda_implementation(cuda.linear_grad)
def linear_grad(grad: Array, size: Size, lows: Tables, highs: Tables, shares: Tables) -> Array:
    """Gradient of linear at its input, (N, C, *size)."""
    return apply_banded(grad, *(_weights(*t).transposed(n) for n, *t in zip(size, lows, highs, shares, strict=True)))


@cuda_implementation(cuda.insert_zeros)
def insert_zeros(x: Array, factor: Size, out: Size) -> Array:
    """x at every factor-th position of (N, C, *out), zeros between; the gradient of pick."""
    y = empty_channels_last((*x.shape[:2], *out), x)

    def work(images: slice) -> None:
        y[images] = 0
        y[images][_every(factor)] = x[images]

    parallel_for(len(x), y[:1].nbytes, work)
    return y


@cuda_implementation(cuda.subsample)
def subsample(x: Array, factor: Size, out: Size) -> Array:
    """Every factor-th position of x, as (N, C, *out), a view; the gradient of insert_zeros."""
    return x[_every(factor)][(..., *map(slice, out))]


def _every(factor: Size) -> tuple:
    return (..., *(slice(None, None, k) for k in factor))


def _axes(values: Iterable[V], first: int = 1) -> Iterator[tuple[int, V]]:
    """The values with the axes of pixels (n, *size, C) that they are for."""
    return enumerate(values, start=first)


def _whole(sources: Tables, size: Size) -> Size | None:
    """How many outputs in a row repeat each input, for each axis, where that is one number; else None."""
    factors = tuple(len(source) // max(1, n) for source, n in zip(sources, size, strict=True))
    even = (np.arange(n).repeat(k) for n, k in zip(size, factors, strict=True))
    return factors if all(map(np.array_equal, sources, even)) else None


def _split(pixels: Array, factor: int, axis: int) -> Array:
    """A view in which every `factor` positions of an axis have the next axis for themselves."""
    return pixels.reshape(*pixels.shape[:axis], pixels.shape[axis] // factor, factor, *pixels.shape[axis + 1 :])


def _weights(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> BandedMatrix:
    """The tables of an axis as weights."""
    outputs = np.arange(len(low))
    source, value = np.concatenate([low, high]), np.concatenate([1 - share, share])
    return BandedMatrix(np.concatenate([outputs, outputs]), source, value, len(low))


def _returned(grad: Array, source: np.ndarray, axis: int, size: int) -> Array:
    """Gradient of pixels.take(source, axis): what was taken from one position is added up there."""
    sums = np.empty((*grad.shape[:axis], size, *grad.shape[axis + 1 :]), grad.dtype)
    bounds = np.searchsorted(source, np.arange(size + 1))
    rows, target = np.moveaxis(grad, axis, 0), np.moveaxis(sums, axis, 0)
    for position, (start, stop) in enumerate(pairwise(bounds)):
        np.add.reduce(rows[start:stop], axis=0, out=target[position])
    return sums
