"""Normalization by squares alone, without a mean: RMS norm and local response norm. For NumPy and CuPy arrays."""

from math import prod

from mytorch.device import Array, get_array_module

Axes = tuple[int, ...]


def rms_normalize(x: Array, axes: Axes, eps: float) -> tuple[Array, Array]:
    """Return x / sqrt(mean of x^2 + eps) and the factors 1 / sqrt(...), of length 1 along `axes`, both in float64.

    Zhang and Sennrich, arXiv 1910.07467. The steps are few, so float64 costs little and leaves all of float32's digits.
    """
    y = x.astype("d")
    scale = 1 / ((y * y).sum(axes, keepdims=True) / prod(x.shape[axis] for axis in axes) + eps) ** 0.5
    y *= scale
    return y, scale


def rms_normalize_grad(grad: Array, y: Array, scale: Array, axes: Axes) -> Array:
    """Return the gradient of rms_normalize at x: grad without its part along y, times the factors."""
    count = prod(y.shape[axis] for axis in axes)
    return (grad - y * ((grad * y).sum(axes, keepdims=True) / count)) * scale


def local_response_norm(x: Array, size: int, alpha: float, beta: float, k: float) -> tuple[Array, Array]:
    """Return y = x / base^beta and the base, k + alpha / size * (sum of x^2 over `size` neighboring channels).

    Krizhevsky, Sutskever and Hinton 2012, section 3.3. The window of channel c begins at c - size // 2.
    """
    base = _sum_neighbors(x * x, size // 2, (size - 1) // 2)
    base *= alpha / size
    base += k
    return x * base**-beta, base


def local_response_norm_grad(grad: Array, x: Array, base: Array, size: int, alpha: float, beta: float) -> Array:
    """Return the gradient at x. Channel c is in the windows of c - (size - 1) // 2 to c + size // 2."""
    power = base**-beta
    through_sums = _sum_neighbors(grad * x * power / base, (size - 1) // 2, size // 2)
    return grad * power - (2 * alpha * beta / size) * x * through_sums


def _sum_neighbors(x: Array, before: int, after: int) -> Array:
    """Return, for each channel of (N, C, *), the sum of the channels from `before` earlier to `after` later."""
    total = get_array_module(x).zeros_like(x)
    channels = x.shape[1]
    for shift in range(-min(before, channels - 1), min(after, channels - 1) + 1):
        total[:, max(0, -shift) : channels - max(0, shift)] += x[:, max(0, shift) : channels - max(0, -shift)]
    return total
