"""Batch normalization over any number of spatial axes (Ioffe and Szegedy, arXiv 1502.03167).

x, y, grad: (N, C, *size); weight, bias, mean, var: (C,). Each channel is normalized over images and positions.
"""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from mytorch import memory
from mytorch.device import Array, cuda_implementation
from mytorch.geometry import empty_channels_last, to_channels_last, to_matrix
from mytorch.ops.cuda import batch_norm as cuda
from mytorch.ops.reduce import LINE_ELEMENTS, column_sums_float64
from mytorch.threads import chunks, parallel_map


@cuda_implementation(cuda.moments)
def moments(x: Array) -> tuple[Array, Array]:
    """Return mean and biased variance of each channel.

    Each chunk of rows, while in the cache, gives its mean and the sum of squares around it. They are then combined
    exactly (Chan, Golub and LeVeque 1983); the difference of large squares would lose digits.
    """
    rows = to_matrix(x)
    repeats = _rows_per_line(rows)

    def work(run: Sequence[slice]) -> list[tuple[int, Array, Array]]:
        return [_chunk_moments(rows[chunk], repeats) for chunk in run]

    partial = [part for run in parallel_map(_line_chunks(rows, repeats, 2), work) for part in run]
    mean = reduce(np.add, (count * center for count, center, _ in partial)) / len(rows)
    squares = reduce(np.add, (around + count * (center - mean) ** 2 for count, center, around in partial))
    return mean.astype(x.dtype), (squares / len(rows)).astype(x.dtype)


def _chunk_moments(rows: Array, repeats: int) -> tuple[int, Array, Array]:
    """Return the number of rows, their mean, and the sum of squares around it."""
    mean = column_sums_float64(rows) / len(rows)
    centered = _as_lines(rows, repeats) - _as_line(mean.astype(rows.dtype), repeats)
    centered *= centered
    return len(rows), mean, column_sums_float64(centered.reshape(rows.shape))


@cuda_implementation(cuda.batch_norm)
def batch_norm(
    x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float, relu: bool = False
) -> Array:
    """Return (x - mean) / sqrt(var + eps) * weight + bias, with ReLU applied to it if `relu` is set."""
    y = empty_channels_last(x.shape, x)
    rows, result = to_matrix(x), to_matrix(y)
    repeats = _rows_per_line(rows)
    center, scale = _as_line(mean, repeats), _as_line(_scale(var, weight, eps), repeats)
    offset = None if bias is None else _as_line(bias, repeats)

    def work(run: Sequence[slice]) -> None:
        for chunk in run:
            line = _as_lines(result[chunk], repeats)
            np.subtract(_as_lines(rows[chunk], repeats), center, out=line)
            line *= scale
            if offset is not None:
                line += offset
            if relu:
                np.clip(line, 0, np.inf, out=line)

    parallel_map(_line_chunks(rows, repeats, 2), work)
    return y


@cuda_implementation(cuda.batch_norm_grad)
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
    """Return the gradients at x, weight and bias.

    batch_statistics: mean and var are functions of x (training), not constants (evaluation). y: the output of
    `batch_norm` with `relu`; the gradient then passes through ReLU first, and is stored in the memory of the result.
    """
    grad_rows, rows, grad_x = to_matrix(to_channels_last(grad)), to_matrix(x), empty_channels_last(x.shape, x)
    result, repeats = to_matrix(grad_x), _rows_per_line(rows)
    center, passed = _as_line(mean, repeats), grad_rows if y is None else result

    def sum_gradients(run: Sequence[slice]) -> Array:
        total, scratch = np.zeros((2, len(mean))), _scratch(run, rows)
        for chunk in run:
            if y is not None:
                np.multiply(grad_rows[chunk], (to_matrix(y)[chunk] > 0).astype(x.dtype), out=result[chunk])
            product = scratch[: chunk.stop - chunk.start]
            product_lines = _as_lines(product, repeats)
            np.subtract(_as_lines(rows[chunk], repeats), center, out=product_lines)
            product_lines *= _as_lines(passed[chunk], repeats)
            total += column_sums_float64(passed[chunk]), column_sums_float64(product)
        return total

    totals = parallel_map(_line_chunks(rows, repeats, 3), sum_gradients)
    grad_bias, grad_scale = reduce(np.add, totals, np.zeros((2, len(mean)))).astype(x.dtype)
    count, scale = max(len(rows), 1), _scale(var, weight, eps)
    slope = -scale * grad_scale / (count * (var + eps))
    offset = -scale * grad_bias / count - mean * slope
    factor, slope, offset = (_as_line(vector, repeats) for vector in (scale, slope, offset))

    def write(run: Sequence[slice]) -> None:
        scratch = _scratch(run, rows)
        for chunk in run:
            line, grad_line = _as_lines(result[chunk], repeats), _as_lines(passed[chunk], repeats)
            if not batch_statistics:
                np.multiply(grad_line, factor, out=line)
                continue
            through_statistics = _as_lines(scratch[: chunk.stop - chunk.start], repeats)
            np.multiply(_as_lines(rows[chunk], repeats), slope, out=through_statistics)
            through_statistics += offset
            np.multiply(grad_line, factor, out=line)
            line += through_statistics

    parallel_map(_line_chunks(rows, repeats, 3), write)
    return grad_x, grad_scale / (var + eps) ** 0.5, grad_bias


def _scratch(run: Sequence[slice], rows: Array) -> Array:
    """Return memory for the longest chunk of the rows."""
    return memory.empty((max(chunk.stop - chunk.start for chunk in run), rows.shape[1]), rows.dtype)


def _scale(var: Array, weight: Array | None, eps: float) -> Array:
    deviation = (var + eps) ** 0.5
    return 1 / deviation if weight is None else weight / deviation


def _rows_per_line(rows: Array) -> int:
    """Return how many rows of (R, C) make a line (see `mytorch.ops.reduce`): a power of two that divides R."""
    repeats = 1
    while 2 * repeats * rows.shape[1] <= LINE_ELEMENTS and len(rows) % (2 * repeats) == 0:
        repeats *= 2
    return repeats


def _as_lines(rows: Array, repeats: int) -> Array:
    return rows.reshape(len(rows) // repeats, -1)


def _as_line(vector: Array, repeats: int) -> Array:
    """Repeat a vector of channels for all rows of a line."""
    return vector if repeats == 1 else np.tile(vector, repeats)


def _line_chunks(rows: Array, repeats: int, arrays: int) -> list[slice]:
    """Return chunks of whole lines, for work that touches `arrays` arrays of this shape."""
    lines = chunks(len(rows) // repeats, arrays * repeats * rows[:1].nbytes)
    return [slice(chunk.start * repeats, chunk.stop * repeats) for chunk in lines]
