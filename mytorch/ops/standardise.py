"""Normalisation within each image, with the same formula for LayerNorm and GroupNorm.

    y = (x - mean) / sqrt(var + eps), mean and variance (biased) being over `axes`.

Ba, Kiros and Hinton, arXiv 1607.06450; Wu and He, arXiv 1803.08494. Over few values all of it is computed in float64,
whatever x is: nearly all of their gradient cancels, and float32 would leave three or four digits. Over MANY next to
nothing cancels, and x's own type does, sums being taken in float64.
"""

from math import prod

import numpy as np

from mytorch.device import Array

Axes = tuple[int, ...]

MANY = 256
"""Values from which on they are computed in their own type."""


def standardise(x: Array, axes: Axes, eps: float) -> tuple[Array, Array]:
    """Returns y, and the deviations sqrt(var + eps), of length 1 along `axes`; in float64 where values are few."""
    dtype = x.dtype if prod(x.shape[axis] for axis in axes) >= MANY else np.dtype("d")
    y = x.astype(dtype)
    y -= _mean(y, axes)
    deviation = (_mean(y * y, axes) + dtype.type(eps)) ** 0.5
    y *= 1 / deviation
    return y, deviation


def standardise_grad(grad: Array, y: Array, deviation: Array, axes: Axes) -> Array:
    """Gradient of standardise at x: what is left of `grad` without its mean and its part along y; in the type of y."""
    grad_x = y * -_mean(grad * y, axes)
    grad_x += grad
    grad_x -= _mean(grad_x, axes)
    grad_x *= 1 / deviation
    return grad_x


def _mean(x: Array, axes: Axes) -> Array:
    """The mean in the type of x, its sum taken in float64."""
    count = prod(x.shape[axis] for axis in axes)
    return (x.sum(axes, dtype="d", keepdims=True) / count).astype(x.dtype)
