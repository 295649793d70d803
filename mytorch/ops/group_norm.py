"""Layer and group normalization: y = (x - mean) / sqrt(var + eps), with statistics of each image by itself.

Ba, Kiros and Hinton, arXiv 1607.06450; Wu and He, arXiv 1803.08494. The variance is biased.

`normalize_groups` chooses between two ways. `standardize` works over any axes, on NumPy and CuPy arrays. `group_norm`
is for NumPy images with many values per group and needs few passes over memory: mean and variance come from sums per
channel and image, and normalization subtracts one number per channel and image, multiplies by another and adds a third.
The same holds for its gradient.

In `group_norm`, x, y and grad are (N, C, *size); weight and bias (C,) or None; mean and deviation (N, G) in float64,
where deviation is sqrt(var + eps).
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from mytorch.device import Array, get_array_module, is_cuda
from mytorch.geometry import empty_channels_last
from mytorch.ops.reduce import (
    as_lines,
    column_sums,
    flatten_positions,
    parallel_over_pixels,
    pixel_sums,
    pixels_per_line,
    repeat_channels,
)

Axes = tuple[int, ...]

MIN_FLOAT32_VALUES = 256
"""With fewer values per group everything is computed in float64, whatever the type of x.

Nearly all of the gradient of few values cancels, and float32 would leave three or four digits. With more values hardly
anything cancels, and x's own type is used, with sums in float64.
"""


def standardize(x: Array, axes: Axes, eps: float) -> tuple[Array, Array]:
    """Return y and the deviations sqrt(var + eps), of length 1 along `axes`. Both are float64 if the values are few."""
    dtype = x.dtype if prod(x.shape[axis] for axis in axes) >= MIN_FLOAT32_VALUES else np.dtype("d")
    y = x.astype(dtype)
    y -= _mean(y, axes)
    deviation = (_mean(y * y, axes) + dtype.type(eps)) ** 0.5
    y *= 1 / deviation
    return y, deviation


def standardize_grad(grad: Array, y: Array, deviation: Array, axes: Axes) -> Array:
    """Return the gradient of standardize at x, in the type of y: grad without its mean and its part along y."""
    grad_x = y * -_mean(grad * y, axes)
    grad_x += grad
    grad_x -= _mean(grad_x, axes)
    grad_x *= 1 / deviation
    return grad_x


def _mean(x: Array, axes: Axes) -> Array:
    """Return the mean in the type of x. Its sum is taken in float64."""
    count = prod(x.shape[axis] for axis in axes)
    return (x.sum(axes, dtype="d", keepdims=True) / count).astype(x.dtype)


def group_norm(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return y, mean and deviation."""
    y, repeats = empty_channels_last(x.shape, x), pixels_per_line(x)
    result, channels, count = flatten_positions(y), x.shape[1], _group_size(x, groups)
    mean, deviation = np.empty((len(x), groups)), np.empty((len(x), groups))

    def work(images: slice, pixels: Array) -> None:
        mean[images] = _sum_groups(pixel_sums(pixels), groups) / count
        lines = as_lines(result[images], repeats)
        np.subtract(as_lines(pixels, repeats), _group_line(mean[images], channels, x, repeats), out=lines)
        squares = (lines * lines).reshape(pixels.shape)
        deviation[images] = (_sum_groups(pixel_sums(squares), groups) / count + eps) ** 0.5
        scale = 1 / _per_channel(deviation[images], channels)
        lines *= repeat_channels((scale if weight is None else scale * weight).astype(x.dtype), repeats)
        if bias is not None:
            lines += np.tile(bias, repeats)

    parallel_over_pixels(work, x)
    return y, mean, deviation


def group_norm_grad(
    grad: Array, x: Array, mean: Array, deviation: Array, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Return the gradients at x, weight and bias."""
    grad_x, repeats = empty_channels_last(x.shape, x), pixels_per_line(x)
    result, channels, groups = flatten_positions(grad_x), x.shape[1], mean.shape[1]
    count = _group_size(x, groups)
    weights = np.ones(channels) if weight is None else weight.astype("d")
    grad_weight, grad_bias = np.empty(x.shape[:2]), np.empty(x.shape[:2])

    def work(images: slice, grad_pixels: Array, pixels: Array) -> None:
        lines, grad_lines = as_lines(result[images], repeats), as_lines(grad_pixels, repeats)
        np.subtract(as_lines(pixels, repeats), _group_line(mean[images], channels, x, repeats), out=lines)
        scale = 1 / _per_channel(deviation[images], channels)
        grad_bias[images] = pixel_sums(grad_pixels)
        grad_weight[images] = pixel_sums((lines * grad_lines).reshape(grad_pixels.shape)) * scale
        along = _per_channel(_sum_groups(grad_weight[images] * weights, groups), channels) / count
        common = _per_channel(_sum_groups(grad_bias[images] * weights, groups), channels) / count
        lines *= repeat_channels((-(scale**2) * along).astype(x.dtype), repeats)
        lines += grad_lines * repeat_channels((scale * weights).astype(x.dtype), repeats)
        lines -= repeat_channels((scale * common).astype(x.dtype), repeats)

    parallel_over_pixels(work, grad, x)
    return grad_x, grad_weight.sum(0).astype(x.dtype), grad_bias.sum(0).astype(x.dtype)


def _group_size(x: Array, groups: int) -> int:
    """Return how many values a group has."""
    return prod(x.shape[2:]) * x.shape[1] // groups


def _sum_groups(values: Array, groups: int) -> Array:
    """Sum values per channel (n, C) over each group, (n, G)."""
    return values.reshape(len(values), groups, -1).sum(-1)


def _per_channel(values: Array, channels: int) -> Array:
    """Repeat values per group (n, G) for each of their channels, (n, C)."""
    return np.repeat(values, channels // values.shape[1], 1)


def _group_line(values: Array, channels: int, like: Array, repeats: int) -> Array:
    """Return values per group (n, G) for all channels of a line."""
    return repeat_channels(_per_channel(values, channels).astype(like.dtype), repeats)


def normalize_groups(
    x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, tuple[Array, ...]]:
    """Return y for x (N, C, *), and what `normalize_groups_grad` needs besides x."""
    if x.ndim > 2 and x.size and not is_cuda(x) and _group_size(x, groups) >= MIN_FLOAT32_VALUES:
        y, *moments = group_norm(x, groups, weight, bias, eps)
        return y, tuple(moments)
    normalized, _ = standardize(_split_groups(x, groups), tuple(range(2, x.ndim + 1)), eps)
    y = normalized.reshape(x.shape)
    if weight is not None:
        y *= _along_channels(weight, x)
    if bias is not None:
        y += _along_channels(bias, x)
    return y.astype(x.dtype, copy=False), ()


def normalize_groups_grad(
    grad: Array, x: Array, saved: Sequence[Array], groups: int, weight: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """Return the gradients of `normalize_groups` at x, weight and bias."""
    if saved:
        mean, deviation = saved
        return group_norm_grad(grad, x, mean, deviation, weight)
    axes = tuple(range(2, x.ndim + 1))
    normalized, deviation = standardize(_split_groups(x, groups), axes, eps)
    grad_weight, grad_bias = _sum_per_channel(grad * normalized.reshape(x.shape)), _sum_per_channel(grad)
    grad = grad if weight is None else grad * _along_channels(weight, grad)
    grad_x = standardize_grad(_split_groups(grad, groups), normalized, deviation, axes)
    return grad_x.reshape(x.shape).astype(x.dtype, copy=False), grad_weight, grad_bias


def _split_groups(x: Array, groups: int) -> Array:
    """Return (N, C, *) as (N, G, C / G, *): a view."""
    return x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:])


def _along_channels(vector: Array, x: Array) -> Array:
    """Return a vector of channels in a shape that broadcasts against `x`."""
    return vector.reshape(-1, *(1,) * (x.ndim - 2))


def _sum_per_channel(terms: Array) -> Array:
    return column_sums(get_array_module(terms).moveaxis(terms, 1, -1).reshape(-1, terms.shape[1]))
