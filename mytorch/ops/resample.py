"""Nearest and linear interpolation, zero insertion and subsampling, along any number of spatial axes.

x, y, grad: (N, C, *size). One axis is resampled after another. Tables say which inputs each output of an axis uses. The
positions in a table never decrease, so the outputs that use one input are contiguous and their gradients are summed
without index arrays.
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
"""For each spatial axis, an array with one value per output."""


def nearest_indices(size: int, out: int, scale: float | None = None, even: bool = True) -> np.ndarray:
    """Return the input that each of `out` outputs copies: floor(output / scale).

    scale: outputs per input; by default out / size. It is computed in float32, whatever the arrays are, as in PyTorch:
    rounding decides which pixel is taken. even: if `out` is `size` or twice that, repeat every input equally often,
    even if `scale` is another number that leads to this `out`. PyTorch does so with two axes alone.
    """
    if even and out in (size, 2 * size):
        return np.arange(out) * size // out
    step = np.float32(1 / scale) if scale else np.float32(size) / np.float32(out)
    return np.minimum(np.floor(np.arange(out, dtype="f") * step).astype(int), size - 1)


def nearest_exact_indices(size: int, out: int, scale: float | None = None) -> np.ndarray:
    """Return the input whose center is nearest to that of each output, in float32 as `nearest_indices`."""
    step = np.float32(1 / scale) if scale else np.float32(size) / np.float32(out)
    return np.minimum(np.floor((np.arange(out, dtype="f") + np.float32(0.5)) * step).astype(int), size - 1)


def linear_neighbors(
    size: int, out: int, scale: float | None = None, align_corners: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each of `out` outputs, the two inputs it is between, low and high, and the weight of high.

    With align_corners, first and last outputs are the first and last inputs; otherwise pixels are areas, and the outer
    edges of the corner pixels coincide.
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
    """Return the number of outputs of an axis, as PyTorch computes it."""
    return floor(size * scale)


@cuda_implementation(cuda.nearest)
def nearest(x: Array, sources: Tables) -> Array:
    """Return x at the positions sources[axis] along each axis."""
    factors = _repeat_factors(sources, x.shape[2:])
    y = empty_channels_last((*x.shape[:2], *map(len, sources)), x)

    def work(images: slice) -> None:
        pixels, target = to_nhwc(x[images]), to_nhwc(y[images])
        if factors:
            for axis, factor in reversed(list(_with_axes(factors[1:], 2))):
                pixels = pixels.repeat(factor, axis)
            _split_axis(target, factors[0], 1)[...] = pixels[:, :, None]
        else:
            for axis, source in _with_axes(sources):
                pixels = pixels.take(source, axis)
            target[...] = pixels

    parallel_for(len(x), x[:1].nbytes + y[:1].nbytes, work)
    return y


@cuda_implementation(cuda.nearest_grad)
def nearest_grad(grad: Array, size: Size, sources: Tables) -> Array:
    """Return the gradient of nearest at its input, (N, C, *size)."""
    factors = _repeat_factors(sources, size)
    grad, grad_x = to_channels_last(grad), empty_channels_last((*grad.shape[:2], *size), grad)

    def work(images: slice) -> None:
        pixels, target = to_nhwc(grad[images]), to_nhwc(grad_x[images])
        for axis, source in _with_axes(sources):
            if factors:
                pixels = np.add.reduce(_split_axis(pixels, factors[axis - 1], axis), axis=axis + 1)
            else:
                pixels = _take_grad(pixels, source, axis, size[axis - 1])
        target[...] = pixels

    parallel_for(len(grad), grad[:1].nbytes + grad_x[:1].nbytes, work)
    return grad_x


@cuda_implementation(cuda.linear)
def linear(x: Array, lows: Tables, highs: Tables, weights: Tables) -> Array:
    """Return (1 - weight) * (x at low) + weight * (x at high) along each axis."""
    return apply_banded(x, *map(_linear_matrix, lows, highs, weights))


@cuda_implementation(cuda.linear_grad)
def linear_grad(grad: Array, size: Size, lows: Tables, highs: Tables, weights: Tables) -> Array:
    """Return the gradient of linear at its input, (N, C, *size)."""
    tables = zip(size, lows, highs, weights, strict=True)
    return apply_banded(grad, *(_linear_matrix(*table).transposed(n) for n, *table in tables))


@cuda_implementation(cuda.insert_zeros)
def insert_zeros(x: Array, factor: Size, out: Size) -> Array:
    """Return x at every factor-th position of (N, C, *out), zero elsewhere; the gradient of subsample."""
    y = empty_channels_last((*x.shape[:2], *out), x)

    def work(images: slice) -> None:
        y[images] = 0
        y[images][_every(factor)] = x[images]

    parallel_for(len(x), y[:1].nbytes, work)
    return y


@cuda_implementation(cuda.subsample)
def subsample(x: Array, factor: Size, out: Size) -> Array:
    """Return every factor-th position of x, as (N, C, *out), a view; the gradient of insert_zeros."""
    return x[_every(factor)][(..., *map(slice, out))]


def _every(factor: Size) -> tuple:
    return (..., *(slice(None, None, k) for k in factor))


def _with_axes(values: Iterable[V], first: int = 1) -> Iterator[tuple[int, V]]:
    """Yield one value per spatial axis with the number of that axis in (n, *size, C)."""
    return enumerate(values, start=first)


def _repeat_factors(sources: Tables, size: Size) -> Size | None:
    """Return how often each axis repeats its inputs, if that is one number per axis; otherwise None."""
    factors = tuple(len(source) // max(1, n) for source, n in zip(sources, size, strict=True))
    repeated = (np.arange(n).repeat(k) for n, k in zip(size, factors, strict=True))
    return factors if all(map(np.array_equal, sources, repeated)) else None


def _split_axis(pixels: Array, factor: int, axis: int) -> Array:
    """Return a view in which `axis` is split into groups of `factor` positions, which become the next axis."""
    return pixels.reshape(*pixels.shape[:axis], pixels.shape[axis] // factor, factor, *pixels.shape[axis + 1 :])


def _linear_matrix(low: np.ndarray, high: np.ndarray, weight: np.ndarray) -> BandedMatrix:
    """Return the matrix that interpolates along an axis."""
    outputs = np.arange(len(low))
    source, value = np.concatenate([low, high]), np.concatenate([1 - weight, weight])
    return BandedMatrix(np.concatenate([outputs, outputs]), source, value, len(low))


def _take_grad(grad: Array, source: np.ndarray, axis: int, size: int) -> Array:
    """Return the gradient of pixels.take(source, axis): the sum over all outputs that took a position."""
    sums = np.empty((*grad.shape[:axis], size, *grad.shape[axis + 1 :]), grad.dtype)
    bounds = np.searchsorted(source, np.arange(size + 1))
    rows, target = np.moveaxis(grad, axis, 0), np.moveaxis(sums, axis, 0)
    for position, (start, stop) in enumerate(pairwise(bounds)):
        np.add.reduce(rows[start:stop], axis=0, out=target[position])
    return sums
