"""Interpolation to another size, over any number of spatial axes, as torch.nn.functional.interpolate computes it.

x: (N, C, *size); y and grad: (N, C, *out). Every mode is linear in x: each axis has a table of the inputs that its
outputs use, and of their weights. A scale is the number of outputs per input of an axis; by default it is out / size.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.ops.adaptive import adaptive_avg_pool, adaptive_avg_pool_grad
from mytorch.ops.banded import BandedMatrix, apply_banded
from mytorch.ops.resample import (
    linear,
    linear_grad,
    linear_neighbors,
    nearest,
    nearest_exact_indices,
    nearest_grad,
    nearest_indices,
)

AXES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
    "area": (1, 2, 3),
}
"""The numbers of spatial axes that each mode accepts."""

CUBIC = -0.75
CUBIC_ANTIALIASED = -0.5
"""The parameter of the cubic kernel of Keys (IEEE ASSP 1981): PyTorch's, and that of Pillow, for antialiasing."""

Scales = tuple[float | None, ...]


def interpolate(
    x: Array, out: Size, mode: str, scales: Scales, align_corners: bool = False, antialias: bool = False
) -> Array:
    """Return `x` at another size. align_corners: as in `linear_neighbors`. antialias: see `antialiased_matrix`."""
    if mode == "area":
        return adaptive_avg_pool(x, out)
    tables = _tables(x.shape[2:], out, mode, scales, align_corners, antialias)
    if mode.startswith("nearest"):
        return nearest(x, tables)
    if _is_plain_linear(mode, antialias):
        return linear(x, *zip(*tables, strict=True))
    return apply_banded(x, *tables)


def interpolate_grad(
    grad: Array, size: Size, mode: str, scales: Scales, align_corners: bool = False, antialias: bool = False
) -> Array:
    """Return the gradient of interpolate at its input, (N, C, *size)."""
    if mode == "area":
        return adaptive_avg_pool_grad(grad, size)
    tables = _tables(tuple(size), grad.shape[2:], mode, scales, align_corners, antialias)
    if mode.startswith("nearest"):
        return nearest_grad(grad, size, tables)
    if _is_plain_linear(mode, antialias):
        return linear_grad(grad, size, *zip(*tables, strict=True))
    return apply_banded(grad, *(matrix.transposed(n) for matrix, n in zip(tables, size, strict=True)))


def _is_plain_linear(mode: str, antialias: bool) -> bool:
    return mode.endswith("linear") and not antialias


@lru_cache(maxsize=64)
def _tables(size: Size, out: Size, mode: str, scales: Scales, align_corners: bool, antialias: bool) -> tuple:
    """Return the table of each axis: what `nearest`, `linear` or `apply_banded` take."""
    tables: list[Any] = []
    for n, o, scale in zip(size, out, scales, strict=True):
        if mode == "nearest":
            tables.append(nearest_indices(n, o, scale, even=len(size) == 2))
        elif mode == "nearest-exact":
            tables.append(nearest_exact_indices(n, o, scale))
        elif _is_plain_linear(mode, antialias):
            tables.append(linear_neighbors(n, o, scale, align_corners))
        elif antialias:
            tables.append(antialiased_matrix(n, o, scale, align_corners, cubic=mode == "bicubic"))
        else:
            tables.append(cubic_matrix(n, o, scale, align_corners))
    return tuple(tables)


def cubic_matrix(size: int, out: int, scale: float | None = None, align_corners: bool = False) -> BandedMatrix:
    """Return the matrix of cubic convolution along an axis: four inputs per output, the edge repeated."""
    if align_corners:
        position = np.arange(out) * ((size - 1) / (out - 1) if out > 1 else 0)
    else:
        position = (np.arange(out) + 0.5) * (1 / scale if scale else size / out) - 0.5
    first = np.floor(position).astype(int) - 1
    source = first[:, None] + np.arange(4)
    weights = _cubic(position[:, None] - source, CUBIC)
    return _matrix(np.clip(source, 0, size - 1), weights, out)


def antialiased_matrix(
    size: int, out: int, scale: float | None = None, align_corners: bool = False, cubic: bool = False
) -> BandedMatrix:
    """Return the matrix of linear or cubic interpolation whose kernel is as wide as the outputs are apart.

    If the image shrinks, every input counts, as in Pillow. The weights of an output are divided by their sum. An axis
    that keeps its size is copied, even if `scale` is another number that leads to it, as in PyTorch.
    """
    if out == size:
        scale = None
    if align_corners:
        step = (size - 1) / (out - 1) if out > 1 else 0.0
    else:
        step = 1 / scale if scale else size / out
    stretch = max(step, 1.0)
    support = (2 if cubic else 1) * stretch
    center = (np.arange(out) + 0.5) * step
    first = np.maximum((center - support + 0.5).astype(int), 0)
    last = np.minimum((center + support + 0.5).astype(int), size)
    source = first[:, None] + np.arange(max(1, int((last - first).max())))
    distance = (source + 0.5 - center[:, None]) / stretch
    kernel = _cubic(distance, CUBIC_ANTIALIASED) if cubic else np.maximum(1 - np.abs(distance), 0)
    weights = np.where(source < last[:, None], kernel, 0)
    return _matrix(np.minimum(source, size - 1), weights / weights.sum(1, keepdims=True), out)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Return Keys' kernel: cubic between the integers, 1 at zero and 0 at all other integers."""
    x = np.abs(distance)
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _matrix(source: np.ndarray, weights: np.ndarray, out: int) -> BandedMatrix:
    """Return the matrix that has weights[o, k] for output o and input source[o, k]."""
    return BandedMatrix(np.arange(out).repeat(source.shape[1]), source.ravel(), weights.ravel(), out)
