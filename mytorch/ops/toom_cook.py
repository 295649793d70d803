"""Fast algorithms for a short correlation along one axis, as three matrices: fewer multiplications, more additions.

Every such algorithm has the form (Winograd, "Arithmetic Complexity of Computations", 1980)

    y = A^T [(G w) * (B^T x)]

where * is elementwise. This module builds the matrices with the method of Toom and Cook. A polynomial of n coefficients
is determined by its values at n points, so products of polynomials can be computed point by point; correlation is the
transpose of polynomial multiplication. m outputs of a kernel with k elements then need m + k - 1 multiplications
instead of m k. G and A hold the powers of the points, B^T interpolates.

A correlation with stride s is a sum of s correlations, each between every s-th input and every s-th kernel element
(a phase); the matrices of the phases are concatenated. The gradient at the input has s phases too, each a correlation
of the gradient with every s-th kernel element in reverse order; their outputs are interleaved. A phase with a single
kernel element needs no transform.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from mytorch.device import Array

POINTS = (0, 1, -1, 2, -2, 1 / 2, -1 / 2)
"""Interpolation points. An algorithm uses the first ones, and infinity: there the value is the last coefficient."""

TILE_OUTPUTS = {(1, 1): 1, (3, 1): 4, (5, 1): 4, (3, 2): 2, (4, 2): 4}
"""Outputs of one phase per tile, by (kernel, stride). More outputs save more multiplications and round more."""


class AxisTransform(NamedTuple):
    """The matrices of an algorithm along one axis, which is applied tile by tile. P is the number of multiplications.

    inputs: B^T, (P, inputs per tile). kernel: G, (P, K). outputs: A^T, (outputs per tile, P). The inputs of a tile
    start `step` after those of the previous tile; those of the first tile start at `start`, negative in the padding.
    """

    inputs: Array
    kernel: Array
    outputs: Array
    step: int
    start: int


def multiplication_ratio(kernel: Sequence[int], stride: Sequence[int], out: Sequence[int]) -> float:
    """Return the number of multiplications for outputs (*out), relative to direct convolution.

    It is 1 if there is no algorithm for one of the axes.
    """
    ratio = 1.0
    for k, s, n in zip(kernel, stride, out, strict=True):
        if (k, s) not in TILE_OUTPUTS:
            return 1.0
        tile, multiplications = forward_transform(k, s, 0).outputs.shape
        ratio *= multiplications * -(-n // tile) / (k * n)
    return ratio


@cache
def forward_transform(kernel: int, stride: int, padding: int) -> AxisTransform:
    """Return the algorithm for the correlation itself. A tile has TILE_OUTPUTS[kernel, stride] outputs."""
    count = TILE_OUTPUTS[kernel, stride]
    inputs, kernels, outputs = [], [], []
    for phase in range(min(stride, kernel)):
        taps = np.arange(phase, kernel, stride)
        b_t, g, a_t = toom_cook(count, len(taps))
        sources = phase + stride * np.arange(count + len(taps) - 1)
        inputs.append(_place_columns(b_t, sources, stride * (count - 1) + kernel))
        kernels.append(_place_columns(g, taps, kernel))
        outputs.append(a_t)
    return AxisTransform(np.vstack(inputs), np.vstack(kernels), np.hstack(outputs), stride * count, -padding)


@cache
def input_grad_transform(kernel: int, stride: int, padding: int) -> AxisTransform:
    """Return the algorithm for the gradient at the input. A tile has TILE_OUTPUTS[...] pixels of each phase."""
    count = TILE_OUTPUTS[kernel, stride]
    phases = []
    for offset in range(stride):
        first, last = (offset + padding) % stride, (offset + padding) // stride
        taps = np.arange(first, kernel, stride)[::-1]
        phases.append((offset, taps, last + 1 - len(taps)))
    start = min(begin for _, _, begin in phases)
    stop = max(begin + len(taps) for _, taps, begin in phases) + count - 1
    inputs, kernels, outputs = [], [], []
    for offset, taps, begin in phases:
        b_t, g, a_t = toom_cook(count, len(taps))
        inputs.append(_place_columns(b_t, begin - start + np.arange(count + len(taps) - 1), stop - start))
        kernels.append(_place_columns(g, taps, kernel))
        outputs.append(_place_columns(a_t.T, offset + stride * np.arange(count), stride * count))
    return AxisTransform(np.vstack(inputs), np.vstack(kernels), np.vstack(outputs).T, count, start)


@cache
def toom_cook(outputs: int, taps: int) -> tuple[Array, Array, Array]:
    """Return B^T (P, inputs), G (P, taps) and A^T (outputs, P) for `outputs` outputs of a kernel of `taps` elements."""
    if taps == 1:
        return np.eye(outputs), np.ones((outputs, 1)), np.eye(outputs)
    count = outputs + taps - 1
    basis, scale = lagrange_basis(POINTS[: count - 1])
    return basis, scale[:, None] * powers(count, taps), powers(count, outputs).T


def lagrange_basis(points: Sequence[float]) -> tuple[Array, Array]:
    """Return Lagrange's basis polynomials for `points` and infinity, unscaled, and the factor of each.

    A row of the first array holds a polynomial's coefficients: times its factor, it is 1 at its own point and 0 at all
    others. The factors are applied to the kernel, which is small.
    """
    count = len(points)
    basis, scale = np.zeros((count + 1, count + 1)), np.ones(count + 1)
    for row, point in enumerate(points):
        others = np.delete(points, row)
        basis[row, :-1], scale[row] = np.poly(others)[::-1], 1 / np.prod(point - others)
    basis[-1] = np.poly(points)[::-1]
    return basis, scale


def powers(count: int, degree: int) -> Array:
    """Return the matrix (count, degree) that evaluates polynomials of `degree` coefficients at `count` points."""
    finite = np.vander(np.array(POINTS[: count - 1], float), degree, increasing=True)
    return np.vstack([finite, np.eye(degree)[-1]])


def _place_columns(matrix: Array, columns: Array, count: int) -> Array:
    """Return a matrix of `count` columns, zero except for those of `matrix`, which go to `columns`."""
    wide = np.zeros((len(matrix), count))
    wide[:, columns] = matrix
    return wide
