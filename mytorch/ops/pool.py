"""Max and average pooling and their gradients, for any number of spatial axes.

x: (N, C, *size); y and grad: (N, C, *out); kernel, stride, padding and dilation have one number per spatial axis.
dilation is 1 by default. ceil_mode: the last windows may reach beyond the padding, see `geometry.output_size`. A few
images are processed at a time, so that they stay in the cache.
"""

from math import prod
from typing import Any

import numpy as np

from mytorch.device import Array, cuda_implementation
from mytorch.geometry import (
    Padding,
    Size,
    empty,
    empty_channels_last,
    inside_padding,
    mean_weight,
    output_size,
    pad,
    padded_size,
    tap_slices,
    to_channels_last,
    to_nhwc,
    window_padding,
)
from mytorch.ops.cuda import pool as cuda
from mytorch.ops.reduce import spatial_sum
from mytorch.threads import parallel_for


@cuda_implementation(cuda.max_pool)
def max_pool(
    x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size | None = None, ceil_mode: bool = False
) -> Array:
    """Return the maximum of each window. Padding is minus infinity, so a padded pixel never wins.

    One axis is pooled after another: along the first, NumPy processes whole rows.
    """
    size, dilation, ceil = x.shape[2:], dilation or (1,) * len(kernel), (ceil_mode,) * len(kernel)
    out = tuple(map(output_size, size, kernel, stride, padding, dilation, ceil))
    y, ends = empty_channels_last((*x.shape[:2], *out), x), window_padding(size, out, kernel, stride, padding, dilation)

    def work(images: slice) -> None:
        pixels = to_nhwc(pad(x[images], ends, -np.inf))
        for axis, (k, s, d, n) in enumerate(zip(kernel, stride, dilation, out, strict=True), start=1):
            is_last = axis == len(kernel)
            pooled = to_nhwc(y[images]) if is_last else empty((*pixels.shape[:axis], n, *pixels.shape[axis + 1 :]), x)
            _max_along_axis(pixels, k, s, d, axis, pooled)
            pixels = pooled

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return y


def _max_along_axis(pixels: Array, kernel: int, stride: int, dilation: int, axis: int, out: Array) -> None:
    """Write the maximum of each window along one axis into `out`."""
    reach, leading, starts = (
        stride * (out.shape[axis] - 1) + 1,
        (slice(None),) * axis,
        range(0, kernel * dilation, dilation),
    )
    first, *others = (pixels[(*leading, slice(start, start + reach, stride))] for start in starts)
    np.maximum(first, others[0] if others else first, out=out)
    for other in others[1:]:
        np.maximum(out, other, out=out)


@cuda_implementation(cuda.max_pool_grad)
def max_pool_grad(
    grad: Array, x: Array, y: Array, kernel: Size, stride: Size, padding: Size, dilation: Size | None = None
) -> Array:
    """Return the gradient of y = max_pool(x) at x: an output's goes to the first pixel with the maximum, as in PyTorch.

    If a window contains NaN, it goes to the last NaN, also as in PyTorch. Padding is NaN here, which is equal to
    nothing: even a window of minus infinities passes no gradient to it.
    """
    grad, grad_x, dilation = to_channels_last(grad), empty_channels_last(x.shape, x), dilation or (1,) * len(kernel)
    size, out = x.shape[2:], y.shape[2:]
    ends = window_padding(size, out, kernel, stride, padding, dilation)
    divides = all(n == k * o for n, k, o in zip(size, kernel, out, strict=True))
    is_tiling = kernel == stride and divides and not any(ends) and max(dilation) == 1

    def work(images: slice) -> None:
        padded, outputs, gradients = pad(x[images], ends, np.nan), y[images], grad[images]
        if is_tiling and outputs.size and _tiling_grad_without_ties(grad_x[images], gradients, padded, outputs, kernel):
            return
        target, overlap = _gradient_buffer(grad_x[images], kernel, stride, ends, dilation)
        unassigned = np.ones_like(outputs, bool)
        for tap in tap_slices(kernel, stride, dilation, out):
            is_max = padded[tap] == outputs
            is_max &= unassigned
            unassigned ^= is_max
            if overlap:
                window = target[tap]
                window += gradients * is_max
            else:
                np.multiply(gradients, is_max, out=target[tap])
        if np.isnan(outputs.min(initial=0)):
            _add_to_last_nan(target, gradients, pad(np.isnan(x[images]), ends), kernel, stride, dilation)
        if any(ends):
            grad_x[images] = target[inside_padding(ends)]

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return grad_x


def _add_to_last_nan(target: Array, grad: Array, is_nan: Array, kernel: Size, stride: Size, dilation: Size) -> None:
    """Add the gradient of every window that contains NaN to the last NaN in it. is_nan: of each padded pixel."""
    unassigned = np.ones_like(grad, bool)
    for tap in reversed(list(tap_slices(kernel, stride, dilation, grad.shape[2:]))):
        is_last = is_nan[tap] & unassigned
        unassigned ^= is_last
        window = target[tap]
        window += grad * is_last


def _tiling_grad_without_ties(target: Array, grad: Array, x: Array, y: Array, kernel: Size) -> bool:
    """Write max_pool_grad into `target`, if the windows tile x and no maximum occurs twice; otherwise return False.

    A window's output is then compared with all of its pixels at once, along whole rows.
    """

    def expand(outputs: Array) -> Array:
        pixels = to_nhwc(outputs)
        for axis, k in enumerate(kernel[1:], start=2):
            pixels = pixels.repeat(k, axis)
        return pixels.reshape(len(x), y.shape[2], 1, -1)

    rows = (len(x), y.shape[2], kernel[0], -1)
    is_max = to_nhwc(x).reshape(rows) == expand(y)
    if np.count_nonzero(is_max) != y.size or np.isnan(y.min()):
        return False
    np.multiply(expand(grad), is_max.astype(grad.dtype), out=to_nhwc(target).reshape(rows))
    return True


@cuda_implementation(cuda.avg_pool)
def avg_pool(
    x: Array,
    kernel: Size,
    stride: Size,
    padding: Size,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Return the sum of each window, divided by its length or by `divisor_override`.

    The length includes padded zeros if count_include_pad, but never what is beyond the padding.
    """
    size, ones, ceil = x.shape[2:], (1,) * len(kernel), (ceil_mode,) * len(kernel)
    out = tuple(map(output_size, size, kernel, stride, padding, ones, ceil))
    y, ends = empty_channels_last((*x.shape[:2], *out), x), window_padding(size, out, kernel, stride, padding, ones)
    weight = _mean_weight(x, size, out, kernel, stride, padding, count_include_pad, divisor_override)

    def work(images: slice) -> None:
        padded, outputs = pad(x[images], ends), y[images]
        first, *others = tap_slices(kernel, stride, ones, out)
        outputs[...] = padded[first]
        for tap in others:
            outputs += padded[tap]
        outputs *= weight

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return y


@cuda_implementation(cuda.avg_pool_grad)
def avg_pool_grad(
    grad: Array,
    size: Size,
    kernel: Size,
    stride: Size,
    padding: Size,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Return the gradient of avg_pool at its input, (N, C, *size): an output's is split evenly over its window."""
    grad, grad_x = to_channels_last(grad), empty_channels_last((*grad.shape[:2], *size), grad)
    ones, out = (1,) * len(kernel), grad.shape[2:]
    ends = window_padding(size, out, kernel, stride, padding, ones)
    weight = _mean_weight(grad, size, out, kernel, stride, padding, count_include_pad, divisor_override)

    def work(images: slice) -> None:
        target, overlap = _gradient_buffer(grad_x[images], kernel, stride, ends, ones)
        per_pixel = grad[images] * weight
        for tap in tap_slices(kernel, stride, ones, out):
            if overlap:
                window = target[tap]
                window += per_pixel
            else:
                target[tap] = per_pixel
        if any(ends):
            grad_x[images] = target[inside_padding(ends)]

    parallel_for(len(grad), 2 * grad_x[:1].nbytes, work)
    return grad_x


def _mean_weight(like: Array, *geometry: Any) -> float | Array:
    """Return `geometry.mean_weight` in the dtype of `like`."""
    weight = mean_weight(*geometry)
    return weight if isinstance(weight, float) else weight.astype(like.dtype)


def _gradient_buffer(grad_x: Array, kernel: Size, stride: Size, padding: Padding, dilation: Size) -> tuple[Array, bool]:
    """Return the padded array that windows write their gradients into, and whether windows overlap.

    If they overlap or leave gaps, the array is zero.
    """
    shape = (*grad_x.shape[:2], *padded_size(grad_x.shape[2:], padding))
    target = empty_channels_last(shape, grad_x) if any(padding) else grad_x
    covered = all(n % s == 0 for n, s in zip(target.shape[2:], stride, strict=True))
    if kernel != stride or not covered or max(dilation) > 1:
        target[...] = 0
    return target, any(d * (k - 1) + 1 > s for k, s, d in zip(kernel, stride, dilation, strict=True))


def global_avg_pool(x: Array) -> Array:
    """Return the mean over all positions: (N, C, *size) -> (N, C, 1, ...)."""
    means = spatial_sum(x) / prod(x.shape[2:])
    return means.astype(x.dtype).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))


def global_avg_pool_grad(grad: Array, size: Size) -> Array:
    """Return the gradient of global_avg_pool at its input, (N, C, *size)."""
    grad_x = empty_channels_last((*grad.shape[:2], *size), grad)
    per_pixel = grad / prod(size)

    def work(images: slice) -> None:
        grad_x[images] = per_pixel[images]

    parallel_for(len(grad), grad_x[:1].nbytes, work)
    return grad_x
