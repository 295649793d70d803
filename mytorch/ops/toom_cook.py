"""Quick algorithms for a short correlation along one axis, as three matrices: fewer products, more sums.

Every such algorithm has the form (Winograd, "Arithmetic Complexity of Computations", 1980)

    y = outputs [(kernel w) * (inputs x)]

where * multiplies number by number. Toom and Cook's: correlation is the transpose of multiplying polynomials, and a
polynomial of n coefficients is known by its values at n points; so m outputs of k taps take m + k - 1 products, where
the definition takes m k. `outputs` and `kernel` hold the powers of the points, `inputs` interpolates.

With a stride s, a correlation is a sum of s, each of every s-th pixel with every s-th tap: their matrices stand side by
side. The gradient at the input has s phases instead, each a correlation of the gradient with every s-th tap, turned:
their outputs lie between one another. Phases of a single tap are what they are.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from mytorch.device import Array

POINTS = (0, 1, -1, 2, -2, 1 / 2, -1 / 2)
"""As many as an algorithm needs, from the first; and infinity, where a polynomial's value is its last coefficient."""

OUTPUTS = {(1, 1): 1, (3, 1): 4, (5, 1): 4, (3, 2): 2, (4, 2): 4}
"""How many outputs of one phase a tile has, by kernel and stride: more make fewer products, and more rounding."""


class Axis(NamedTuple):
    """An algorithm along one axis, which serves tile after tile.

    inputs (P, inputs of a tile), kernel (P, K), outputs (outputs of a tile, P), where P counts products. A tile's
    inputs begin `step` after those of the one before; the first tile's begin at `start`, below zero in the padding.
    """

    inputs: Array
    kernel: Array
    outputs: Array
    step: int
    start: int


def share(kernel: Sequence[int], stride: Sequence[int], out: Sequence[int]) -> float:
    """How much of the definition's products remain, for outputs (*out); 1 where an axis has no algorithm here."""
    part = 1.0
    for k, s, n in zip(kernel, stride, out, strict=True):
        if (k, s) not in OUTPUTS:
            return 1.0
        axis = forward(k, s, 0)
        tile, products = axis.outputs.shape
        part *= products * -(-n // tile) / (k * n)
    return part


@cache
def forward(kernel: int, stride: int, padding: int) -> Axis:
    """The correlation's own: a tile's outputs are OUTPUTS[kernel, stride]."""
    count = OUTPUTS[kernel, stride]
    inputs, kernels, outputs = [], [], []
    for phase in range(min(stride, kernel)):
        taps = np.arange(phase, kernel, stride)
        values, weights, back = toom_cook(count, len(taps))
        seen = phase + stride * np.arange(count + len(taps) - 1)
        inputs.append(_at(values, seen, stride * (count - 1) + kernel))
        kernels.append(_at(weights, taps, kernel))
        outputs.append(back)
    return Axis(np.vstack(inputs), np.vstack(kernels), np.hstack(outputs), stride * count, -padding)


@cache
def input_grad(kernel: int, stride: int, padding: int) -> Axis:
    """Its input's gradient's: from `grad`, a tile of OUTPUTS[kernel, stride] pixels of each phase."""
    count = OUTPUTS[kernel, stride]
    phases = []
    for place in range(stride):
        first, last = (place + padding) % stride, (place + padding) // stride
        taps = np.arange(first, kernel, stride)[::-1]
        phases.append((place, taps, last + 1 - len(taps)))
    start = min(begin for _, _, begin in phases)
    stop = max(begin + len(taps) for _, taps, begin in phases) + count - 1
    inputs, kernels, outputs = [], [], []
    for place, taps, begin in phases:
        values, weights, back = toom_cook(count, len(taps))
        inputs.append(_at(values, begin - start + np.arange(count + len(taps) - 1), stop - start))
        kernels.append(_at(weights, taps, kernel))
        outputs.append(_at(back.T, place + stride * np.arange(count), stride * count))
    return Axis(np.vstack(inputs), np.vstack(kernels), np.vstack(outputs).T, count, start)


@cache
def toom_cook(outputs: int, taps: int) -> tuple[Array, Array, Array]:
    """Its matrices in the order of a product: for the inputs, for the kernel, and back to the outputs."""
    if taps == 1:
        return np.eye(outputs), np.ones((outputs, 1)), np.eye(outputs)
    count = outputs + taps - 1
    values, scale = lagrange(POINTS[: count - 1])
    return values, scale[:, None] * powers(count, taps), powers(count, outputs).T


def lagrange(points: Sequence[float]) -> tuple[Array, Array]:
    """What interpolates at `points` and infinity: rows of coefficients, and what each is then to be multiplied by.

    A row's polynomial is zero at all points but its own, where the product makes it 1. It is the kernels that are
    multiplied, for they are few.
    """
    count = len(points)
    values, scale = np.zeros((count + 1, count + 1)), np.ones(count + 1)
    for row, point in enumerate(points):
        others = np.delete(points, row)
        values[row, :-1], scale[row] = np.poly(others)[::-1], 1 / np.prod(point - others)
    values[-1] = np.poly(points)[::-1]
    return values, scale


def powers(count: int, degree: int) -> Array:
    """What gives the values of polynomials of `degree` coefficients at `count` points, (count, degree)."""
    finite = np.vander(np.array(POINTS[: count - 1], float), degree, increasing=True)
    return np.vstack([finite, np.eye(degree)[-1]])


def _at(matrix: Array, columns: Array, count: int) -> Array:
    """`matrix` with its columns spread to those places among `count`, zero elsewhere."""
    wide = np.zeros((len(matrix), count))
    wide[:, columns] = matrix
    return wide
