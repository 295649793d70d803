"""Normalisation within each image, with the same formula for LayerNorm and GroupNorm.

    y = (x - mean) / sqrt(var + eps), mean and variance (biased) being over `axes`.

Ba, Kiros and Hinton, arXiv 1607.06450; Wu and He, arXiv 1803.08494. All of it is computed in float64, whatever x is: of
a gradient at few values nearly everything cancels, and float32 would leave three or four digits.
"""

from mytorch.device import Array

Axes = tuple[int, ...]


def standardise(x: Array, axes: Axes, eps: float) -> tuple[Array, Array]:
    """Returns y, and the deviations sqrt(var + eps), of length 1 along `axes`; both in float64."""
    y = x.astype("d")
    y -= _mean(y, axes)
    deviation = (_mean(y * y, axes) + eps) ** 0.5
    y /= deviation
    return y, deviation


def standardise_grad(grad: Array, y: Array, deviation: Array, axes: Axes) -> Array:
    """Gradient of standardise at x: what is left of `grad` without its mean and its part along y; in float64."""
    grad_x = grad - y * _mean(grad * y, axes)
    grad_x -= _mean(grad, axes)
    grad_x /= deviation
    return grad_x


def _mean(x: Array, axes: Axes) -> Array:
    return x.mean(axes, dtype="d", keepdims=True)
