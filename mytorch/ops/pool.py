"""Max and average pooling and their gradients, for any number of spatial axes.

x: (N, C, *size); y and grad: (N, C, *out); kernel, stride and padding have one number per spatial axis. A few images
are processed at a time, so that they stay in the cache.
"""

from math import prod

import numpy as np

from mytorch.device import Array, cuda_implementation
from mytorch.geometry import (
    Size,
    empty,
    empty_channels_last,
    inside_padding,
    output_size,
    pad,
    padded_size,
    tap_slices,
    to_channels_last,
    to_nhwc,
)
from mytorch.ops.cuda import pool as cuda
from mytorch.ops.reduce import spatial_sum
from mytorch.threads import parallel_for


@cuda_implementation(cuda.max_pool)
def max_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """Return the maximum of each window. Padding is minus infinity, so a padded pixel never wins.

    One axis is pooled after another: along the first, NumPy processes whole rows.
    """
    y = empty_channels_last((*x.shape[:2], *map(output_size, x.shape[2:], kernel, stride, padding)), x)

    def work(images: slice) -> None:
        pixels = to_nhwc(pad(x[images], padding, -np.inf))
        for axis, (k, s, n) in enumerate(zip(kernel, stride, y.shape[2:], strict=True), start=1):
            is_last = axis == len(kernel)
            out = to_nhwc(y[images]) if is_last else empty((*pixels.shape[:axis], n, *pixels.shape[axis + 1 :]), x)
            _max_along_axis(pixels, k, s, axis, out)
            pixels = out

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return y


def _max_along_axis(pixels: Array, kernel: int, stride: int, axis: int, out: Array) -> None:
    """Write the maximum of each window along one axis into `out`."""
    reach, leading = stride * (out.shape[axis] - 1) + 1, (slice(None),) * axis
    first, *others = (pixels[(*leading, slice(k, k + reach, stride))] for k in range(kernel))
    np.maximum(first, others[0] if others else first, out=out)
    for other in others[1:]:
        np.maximum(out, other, out=out)


@cuda_implementation(cuda.max_pool_grad)
def max_pool_grad(grad: Array, x: Array, y: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """Return the gradient of y = max_pool(x) at x: an output's goes to the first pixel with the maximum, as in PyTorch.

    If a window contains NaN, it goes to the last NaN, also as in PyTorch. Padding is NaN here, which is equal to
    nothing: even a window of minus infinities passes no gradient to it.
    """
    grad, grad_x = to_channels_last(grad), empty_channels_last(x.shape, x)
    divides = all(n == k * o for n, k, o in zip(x.shape[2:], kernel, y.shape[2:], strict=True))
    is_tiling = kernel == stride and divides and not any(padding)

    def work(images: slice) -> None:
        padded, outputs, gradients = pad(x[images], padding, np.nan), y[images], grad[images]
        if is_tiling and outputs.size and _tiling_grad_without_ties(grad_x[images], gradients, padded, outputs, kernel):
            return
        target, overlap = _gradient_buffer(grad_x[images], kernel, stride, padding)
        unassigned = np.ones_like(outputs, bool)
        for tap in tap_slices(kernel, stride, (1,) * len(kernel), y.shape[2:]):
            is_max = padded[tap] == outputs
            is_max &= unassigned
            unassigned ^= is_max
            if overlap:
                window = target[tap]
                window += gradients * is_max
            else:
                np.multiply(gradients, is_max, out=target[tap])
        if np.isnan(outputs.min(initial=0)):
            _add_to_last_nan(target, gradients, pad(x[images], padding), kernel, stride)
        if any(padding):
            grad_x[images] = target[inside_padding(padding)]

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return grad_x


def _add_to_last_nan(target: Array, grad: Array, padded: Array, kernel: Size, stride: Size) -> None:
    """Add the gradient of every window that contains NaN to the last NaN in it."""
    unassigned = np.ones_like(grad, bool)
    for tap in reversed(list(tap_slices(kernel, stride, (1,) * len(kernel), grad.shape[2:]))):
        is_last = np.isnan(padded[tap])
        is_last &= unassigned
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
def avg_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """Return the mean of each window. Padded zeros count, as with PyTorch's count_include_pad=True."""
    y = empty_channels_last((*x.shape[:2], *map(output_size, x.shape[2:], kernel, stride, padding)), x)

    def work(images: slice) -> None:
        padded, outputs = pad(x[images], padding), y[images]
        first, *others = tap_slices(kernel, stride, (1,) * len(kernel), y.shape[2:])
        outputs[...] = padded[first]
        for tap in others:
            outputs += padded[tap]
        outputs *= 1 / prod(kernel)

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return y


@cuda_implementation(cuda.avg_pool_grad)
def avg_pool_grad(grad: Array, size: Size, kernel: Size, stride: Size, padding: Size) -> Array:
    """Return the gradient of avg_pool at its input, (N, C, *size): an output's is split evenly over its window."""
    grad, grad_x = to_channels_last(grad), empty_channels_last((*grad.shape[:2], *size), grad)

    def work(images: slice) -> None:
        target, overlap = _gradient_buffer(grad_x[images], kernel, stride, padding)
        per_pixel = grad[images] * (1 / prod(kernel))
        for tap in tap_slices(kernel, stride, (1,) * len(kernel), grad.shape[2:]):
            if overlap:
                window = target[tap]
                window += per_pixel
            else:
                target[tap] = per_pixel
        if any(padding):
            grad_x[images] = target[inside_padding(padding)]

    parallel_for(len(grad), 2 * grad_x[:1].nbytes, work)
    return grad_x


def _gradient_buffer(grad_x: Array, kernel: Size, stride: Size, padding: Size) -> tuple[Array, bool]:
    """Return the padded array that windows write their gradients into, and whether windows overlap.

    If they overlap or leave gaps, the array is zero.
    """
    shape = (*grad_x.shape[:2], *padded_size(grad_x.shape[2:], padding))
    target = empty_channels_last(shape, grad_x) if any(padding) else grad_x
    covered = all(n % s == 0 for n, s in zip(target.shape[2:], stride, strict=True))
    if kernel != stride or not covered:
        target[...] = 0
    return target, any(k > s for k, s in zip(kernel, stride, strict=True))


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
