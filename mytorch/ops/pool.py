"""Pooling: a forward and its gradient side by side, for any number of spatial axes.

x: (N, C, *size); y and grad: (N, C, *out); kernel, stride and padding hold one number a spatial axis. Each goes over a
few images at a time, which stay in the cache from tap to tap.
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
    """Largest value of each window. Padding is minus infinity, so a padded pixel never wins.

    One axis after the other: along the first, NumPy goes over whole rows.
    """
    y = empty_channels_last((*x.shape[:2], *map(output_size, x.shape[2:], kernel, stride, padding)), x)

    def work(images: slice) -> None:
        left = to_nhwc(pad(x[images], padding, -np.inf))
        for axis, (k, s, n) in enumerate(zip(kernel, stride, y.shape[2:], strict=True), start=1):
            last = axis == len(kernel)
            into = to_nhwc(y[images]) if last else empty((*left.shape[:axis], n, *left.shape[axis + 1 :]), x)
            _largest(left, k, s, axis, into)
            left = into

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return y


def _largest(pixels: Array, kernel: int, stride: int, axis: int, into: Array) -> None:
    """The largest of each window along one axis."""
    reach, before = stride * (into.shape[axis] - 1) + 1, (slice(None),) * axis
    first, *others = (pixels[(*before, slice(k, k + reach, stride))] for k in range(kernel))
    np.maximum(first, others[0] if others else first, out=into)
    for seen in others[1:]:
        np.maximum(into, seen, out=into)


@cuda_implementation(cuda.max_pool_grad)
def max_pool_grad(grad: Array, x: Array, y: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """Gradient of y = max_pool(x) at x: an output's goes to the first pixel that has the maximum, as in PyTorch.

    If a window contains NaN, it goes to the last NaN, also as in PyTorch. Padding is NaN here, which equals nothing:
    not even a window of minus infinities gives its gradient to padding.
    """
    grad, grad_x = to_channels_last(grad), empty_channels_last(x.shape, x)
    whole = all(n == k * o for n, k, o in zip(x.shape[2:], kernel, y.shape[2:], strict=True))
    tiling = kernel == stride and whole and not any(padding)

    def work(images: slice) -> None:
        padded, some, given = pad(x[images], padding, np.nan), y[images], grad[images]
        if tiling and some.size and _to_sole_winners(grad_x[images], given, padded, some, kernel):
            return
        into, overlap = _spread(grad_x[images], kernel, stride, padding)
        free = np.ones_like(some, bool)
        for seen in tap_slices(kernel, stride, (1,) * len(kernel), y.shape[2:]):
            won = padded[seen] == some
            won &= free
            free ^= won
            if overlap:
                window = into[seen]
                window += given * won
            else:
                np.multiply(given, won, out=into[seen])
        if np.isnan(some.min(initial=0)):
            _add_to_last_nan(into, given, pad(x[images], padding), kernel, stride)
        if any(padding):
            grad_x[images] = into[inside_padding(padding)]

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return grad_x


def _add_to_last_nan(into: Array, grad: Array, padded: Array, kernel: Size, stride: Size) -> None:
    """Add the gradient of every window that contains NaN to the last NaN in it."""
    free = np.ones_like(grad, bool)
    for seen in reversed(list(tap_slices(kernel, stride, (1,) * len(kernel), grad.shape[2:]))):
        last = np.isnan(padded[seen])
        last &= free
        free ^= last
        window = into[seen]
        window += grad * last


def _to_sole_winners(into: Array, grad: Array, x: Array, y: Array, kernel: Size) -> bool:
    """max_pool_grad into `into` where windows tile x and none has its largest value twice; False, undone, elsewhere.

    A window's output is then compared with all of its pixels at once, along whole rows.
    """

    def widened(outputs: Array) -> Array:
        pixels = to_nhwc(outputs)
        for axis, k in enumerate(kernel[1:], start=2):
            pixels = pixels.repeat(k, axis)
        return pixels.reshape(len(x), y.shape[2], 1, -1)

    rows = (len(x), y.shape[2], kernel[0], -1)
    won = to_nhwc(x).reshape(rows) == widened(y)
    if np.count_nonzero(won) != y.size or np.isnan(y.min()):
        return False
    np.multiply(widened(grad), won.astype(grad.dtype), out=to_nhwc(into).reshape(rows))
    return True


@cuda_implementation(cuda.avg_pool)
def avg_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """Mean of each window; padded zeros count, as PyTorch's count_include_pad=True."""
    y = empty_channels_last((*x.shape[:2], *map(output_size, x.shape[2:], kernel, stride, padding)), x)

    def work(images: slice) -> None:
        padded, some = pad(x[images], padding), y[images]
        first, *others = tap_slices(kernel, stride, (1,) * len(kernel), y.shape[2:])
        some[...] = padded[first]
        for seen in others:
            some += padded[seen]
        some *= 1 / prod(kernel)

    parallel_for(len(x), 2 * x[:1].nbytes, work)
    return y


@cuda_implementation(cuda.avg_pool_grad)
def avg_pool_grad(grad: Array, size: Size, kernel: Size, stride: Size, padding: Size) -> Array:
    """Gradient of avg_pool at its input, (N, C, *size): an equal share to each pixel of the window."""
    grad, grad_x = to_channels_last(grad), empty_channels_last((*grad.shape[:2], *size), grad)

    def work(images: slice) -> None:
        into, overlap = _spread(grad_x[images], kernel, stride, padding)
        each = grad[images] * (1 / prod(kernel))
        for seen in tap_slices(kernel, stride, (1,) * len(kernel), grad.shape[2:]):
            if overlap:
                window = into[seen]
                window += each
            else:
                into[seen] = each
        if any(padding):
            grad_x[images] = into[inside_padding(padding)]

    parallel_for(len(grad), 2 * grad_x[:1].nbytes, work)
    return grad_x


def _spread(some: Array, kernel: Size, stride: Size, padding: Size) -> tuple[Array, bool]:
    """Where windows give their gradients back, padded; and whether they overlap, and so add up, in zeros."""
    into = (
        some
        if not any(padding)
        else empty_channels_last((*some.shape[:2], *padded_size(some.shape[2:], padding)), some)
    )
    covered = all(n % s == 0 for n, s in zip(into.shape[2:], stride, strict=True))
    if kernel != stride or not covered:
        into[...] = 0
    return into, any(k > s for k, s in zip(kernel, stride, strict=True))


def global_avg_pool(x: Array) -> Array:
    """Mean over all positions: (N, C, *size) -> (N, C, 1, ...)."""
    means = spatial_sum(x) / prod(x.shape[2:])
    return means.astype(x.dtype).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))


def global_avg_pool_grad(grad: Array, size: Size) -> Array:
    """Gradient of global_avg_pool at its input, (N, C, *size)."""
    spread = empty_channels_last((*grad.shape[:2], *size), grad)
    each = grad / prod(size)

    def work(some: slice) -> None:
        spread[some] = each[some]

    parallel_for(len(grad), spread[:1].nbytes, work)
    return spread
