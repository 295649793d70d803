"""Group normalisation of images, many values a group: in few passes over memory (Wu and He, arXiv 1803.08494).

A group's mean and variance come from sums for each channel of each image; the normalisation is then one number to
subtract, one to multiply by and one to add for each channel of each image. So is its gradient, with x in the place of
y. A part of the images goes through all steps while it is in the cache.

x, y, grad: NumPy's (N, C, *size); weight, bias: (C,) or None; mean, deviation: (N, G) in float64, sqrt(var + eps).
"""

import numpy as np

from mytorch.device import Array
from mytorch.geometry import empty, positions
from mytorch.ops.channel_sums import by_pixels, images, in_lines, line_of, pixel_sums, repeated


def group_norm(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Returns y, mean and deviation."""
    y, times = empty(x.shape, x), line_of(x)
    result, channels, count = images(y), x.shape[1], _count(x, groups)
    mean, deviation = np.empty((len(x), groups)), np.empty((len(x), groups))

    def work(some: slice, pixels: Array) -> None:
        mean[some] = _grouped(pixel_sums(pixels), groups) / count
        lines = in_lines(result[some], times)
        np.subtract(in_lines(pixels, times), _line(mean[some], channels, x, times), out=lines)
        squares = (lines * lines).reshape(pixels.shape)
        deviation[some] = (_grouped(pixel_sums(squares), groups) / count + eps) ** 0.5
        scale = 1 / _each(deviation[some], channels)
        lines *= repeated((scale if weight is None else scale * weight).astype(x.dtype), times)
        if bias is not None:
            lines += np.tile(bias, times)

    by_pixels(work, x)
    return y, mean, deviation


def group_norm_grad(
    grad: Array, x: Array, mean: Array, deviation: Array, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Gradients at x, weight and bias."""
    grad_x, times = empty(x.shape, x), line_of(x)
    result, channels, groups = images(grad_x), x.shape[1], mean.shape[1]
    count = _count(x, groups)
    weights = np.ones(channels) if weight is None else weight.astype("d")
    grad_weight, grad_bias = np.empty(x.shape[:2]), np.empty(x.shape[:2])

    def work(some: slice, above: Array, pixels: Array) -> None:
        lines, given = in_lines(result[some], times), in_lines(above, times)
        np.subtract(in_lines(pixels, times), _line(mean[some], channels, x, times), out=lines)
        scale = 1 / _each(deviation[some], channels)
        grad_bias[some] = pixel_sums(above)
        grad_weight[some] = pixel_sums((lines * given).reshape(above.shape)) * scale
        along = _each(_grouped(grad_weight[some] * weights, groups), channels) / count
        common = _each(_grouped(grad_bias[some] * weights, groups), channels) / count
        lines *= repeated((-(scale**2) * along).astype(x.dtype), times)
        lines += given * repeated((scale * weights).astype(x.dtype), times)
        lines -= repeated((scale * common).astype(x.dtype), times)

    by_pixels(work, grad, x)
    return grad_x, grad_weight.sum(0).astype(x.dtype), grad_bias.sum(0).astype(x.dtype)


def _count(x: Array, groups: int) -> int:
    """Values in a group."""
    return positions(x.shape[2:]) * x.shape[1] // groups


def _grouped(numbers: Array, groups: int) -> Array:
    """Numbers of channels (n, C) added up in each group, (n, G)."""
    return numbers.reshape(len(numbers), groups, -1).sum(-1)


def _each(numbers: Array, channels: int) -> Array:
    """Numbers of groups (n, G) for each of their channels, (n, C)."""
    return np.repeat(numbers, channels // numbers.shape[1], 1)


def _line(numbers: Array, channels: int, like: Array, times: int) -> Array:
    """Numbers of groups, for a line of several positions of all channels."""
    return repeated(_each(numbers, channels).astype(like.dtype), times)
