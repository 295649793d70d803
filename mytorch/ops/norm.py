"""Batch normalisation over any number of spatial axes (Ioffe and Szegedy, arXiv 1502.03167).

x, y, grad: (N, C, *size); weight, bias, mean, var: (C,). Each channel is normalised over images and positions.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from mytorch.device import Array, on_gpu
from mytorch.geometry import channels_last, empty, flat
from mytorch.ops.cuda import norm as cuda
from mytorch.ops.sums import sums
from mytorch.threads import parts, spread

LINE = 512
"""Numbers that NumPy should go over in one go. A line of so many repeats a vector of channels as often as it must."""


@on_gpu(cuda.moments)
def moments(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel.

    Each part of the rows gives its mean and the squares around it, while it is in the cache; they are then put together
    exactly (Chan, Golub and LeVeque 1983). The difference of large squares would lose digits.
    """
    rows = flat(x)
    times = _times(rows)

    def work(some: Sequence[slice]) -> list[tuple[int, Array, Array]]:
        return [_moments(rows[part], times) for part in some]

    found = [part for run in spread(_parts(rows, times, 2), work) for part in run]
    mean = reduce(np.add, (count * centre for count, centre, _ in found)) / len(rows)
    squares = reduce(np.add, (around + count * (centre - mean) ** 2 for count, centre, around in found))
    return mean.astype(x.dtype), (squares / len(rows)).astype(x.dtype)


def _moments(rows: Array, times: int) -> tuple[int, Array, Array]:
    """The number of rows, their mean, and the sum of the squares around it."""
    mean = sums(rows) / len(rows)
    centred = _lines(rows, times) - np.tile(mean.astype(rows.dtype), times)
    centred *= centred
    return len(rows), mean, sums(centred.reshape(rows.shape))


@on_gpu(cuda.batch_norm)
def batch_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """(x - mean) / sqrt(var + eps) * weight + bias."""
    y = empty(x.shape, x)
    rows, result = flat(x), flat(y)
    times = _times(rows)
    centre, scale = np.tile(mean, times), np.tile(_scale(var, weight, eps), times)
    offset = None if bias is None else np.tile(bias, times)

    def work(some: Sequence[slice]) -> None:
        for part in some:
            line = _lines(result[part], times)
            np.subtract(_lines(rows[part], times), centre, out=line)
            line *= scale
            if offset is not None:
                line += offset

    spread(_parts(rows, times, 2), work)
    return y


@on_gpu(cuda.batch_norm_grad)
def batch_norm_grad(
    grad: Array, x: Array, mean: Array, var: Array, weight: Array | None, eps: float, batch_statistics: bool
) -> tuple[Array, Array, Array]:
    """Gradients at x, weight and bias.

    With `batch_statistics`, mean and var are functions of x and take part; else they are constants (evaluation).
    """
    above, below = flat(channels_last(grad)), flat(x)
    times = _times(below)
    centre = np.tile(mean, times)

    def work(some: Sequence[slice]) -> Array:
        total = np.zeros((2, len(mean)))
        for part in some:
            given = above[part]
            centred = _lines(below[part], times) - centre
            centred *= _lines(given, times)
            total += sums(given), sums(centred.reshape(given.shape))
        return total

    found = spread(_parts(below, times, 3), work)
    grad_bias, grad_scale = reduce(np.add, found, np.zeros((2, len(mean)))).astype(x.dtype)
    scale = _scale(var, weight, eps)
    grad_weight = grad_scale / (var + eps) ** 0.5
    if not batch_statistics:
        return grad * scale.reshape(1, -1, *(1,) * (x.ndim - 2)), grad_weight, grad_bias
    count = len(below)
    slope, offset = -scale * grad_scale / (count * (var + eps)), -scale * grad_bias / count
    grad_x = empty(x.shape, x)
    result = flat(grad_x)
    scale, slope, offset = (np.tile(vector, times) for vector in (scale, slope, offset))

    def write(some: Sequence[slice]) -> None:
        for part in some:
            line = _lines(result[part], times)
            np.subtract(_lines(below[part], times), centre, out=line)
            line *= slope
            line += _lines(above[part], times) * scale
            line += offset

    spread(_parts(below, times, 3), write)
    return grad_x, grad_weight, grad_bias


def _scale(var: Array, weight: Array | None, eps: float) -> Array:
    deviation = (var + eps) ** 0.5
    return 1 / deviation if weight is None else weight / deviation


def _times(rows: Array) -> int:
    """How many rows (R, C) make a line: a power of two that divides their number."""
    times = 1
    while 2 * times * rows.shape[1] <= LINE and len(rows) % (2 * times) == 0:
        times *= 2
    return times


def _lines(rows: Array, times: int) -> Array:
    return rows.reshape(len(rows) // times, -1)


def _parts(rows: Array, times: int, arrays: int) -> list[slice]:
    """Slices of whole lines."""
    lines = parts(len(rows) // times, arrays * times * rows[:1].nbytes)
    return [slice(part.start * times, part.stop * times) for part in lines]
