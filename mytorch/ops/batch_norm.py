"""Batch normalisation over any number of spatial axes (Ioffe and Szegedy, arXiv 1502.03167).

x, y, grad: (N, C, *size); weight, bias, mean, var: (C,). Each channel is normalised over images and positions.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from mytorch import memory
from mytorch.device import Array, on_gpu
from mytorch.geometry import channels_last, empty, flat
from mytorch.ops.cuda import norm as cuda
from mytorch.ops.sums import sums
from mytorch.threads import parts, spread

LINE = 2048
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
    centred = _lines(rows, times) - _line(mean.astype(rows.dtype), times)
    centred *= centred
    return len(rows), mean, sums(centred.reshape(rows.shape))


@on_gpu(cuda.batch_norm)
def batch_norm(
    x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float, relu: bool = False
) -> Array:
    """(x - mean) / sqrt(var + eps) * weight + bias; with `relu`, what of it is above zero."""
    y = empty(x.shape, x)
    rows, result = flat(x), flat(y)
    times = _times(rows)
    centre, scale = _line(mean, times), _line(_scale(var, weight, eps), times)
    offset = None if bias is None else _line(bias, times)

    def work(some: Sequence[slice]) -> None:
        for part in some:
            line = _lines(result[part], times)
            np.subtract(_lines(rows[part], times), centre, out=line)
            line *= scale
            if offset is not None:
                line += offset
            if relu:
                np.clip(line, 0, np.inf, out=line)

    spread(_parts(rows, times, 2), work)
    return y


@on_gpu(cuda.batch_norm_grad)
def batch_norm_grad(
    grad: Array,
    x: Array,
    mean: Array,
    var: Array,
    weight: Array | None,
    eps: float,
    batch_statistics: bool,
    y: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients at x, weight and bias.

    With `batch_statistics`, mean and var are functions of x and take part; else they are constants (evaluation).
    y: the output, if it was taken with `relu`: where it is zero, so is the gradient below ReLU, which is written where
    that at x will be.
    """
    above, below, grad_x = flat(channels_last(grad)), flat(x), empty(x.shape, x)
    result, times = flat(grad_x), _times(below)
    centre, passed = _line(mean, times), above if y is None else result

    def work(some: Sequence[slice]) -> Array:
        total, scratch = np.zeros((2, len(mean))), _scratch(some, below)
        for part in some:
            if y is not None:
                np.multiply(above[part], (flat(y)[part] > 0).astype(x.dtype), out=result[part])
            given, product = _lines(passed[part], times), _lines(scratch[: part.stop - part.start], times)
            np.subtract(_lines(below[part], times), centre, out=product)
            product *= given
            total += sums(passed[part]), sums(scratch[: part.stop - part.start])
        return total

    found = spread(_parts(below, times, 3), work)
    grad_bias, grad_scale = reduce(np.add, found, np.zeros((2, len(mean)))).astype(x.dtype)
    count, scale = len(below), _scale(var, weight, eps)
    slope = -scale * grad_scale / (count * (var + eps))
    offset = -scale * grad_bias / count - mean * slope
    factor, slope, offset = (_line(vector, times) for vector in (scale, slope, offset))

    def write(some: Sequence[slice]) -> None:
        scratch = _scratch(some, below)
        for part in some:
            line, given = _lines(result[part], times), _lines(passed[part], times)
            if not batch_statistics:
                np.multiply(given, factor, out=line)
                continue
            through = _lines(scratch[: part.stop - part.start], times)
            np.multiply(_lines(below[part], times), slope, out=through)
            through += offset
            np.multiply(given, factor, out=line)
            line += through

    spread(_parts(below, times, 3), write)
    return grad_x, grad_scale / (var + eps) ** 0.5, grad_bias


def _scratch(some: Sequence[slice], rows: Array) -> Array:
    """Room for the longest part of the rows."""
    return memory.empty((max(part.stop - part.start for part in some), rows.shape[1]), rows.dtype)


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


def _line(vector: Array, times: int) -> Array:
    """A vector of channels as a line."""
    return vector if times == 1 else np.tile(vector, times)


def _parts(rows: Array, times: int, arrays: int) -> list[slice]:
    """Slices of whole lines."""
    lines = parts(len(rows) // times, arrays * times * rows[:1].nbytes)
    return [slice(part.start * times, part.stop * times) for part in lines]
