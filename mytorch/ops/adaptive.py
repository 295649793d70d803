"""Adaptive pooling to a given output size, over any number of spatial axes, with PyTorch's windows.

x: (N, C, *size); y and grad: (N, C, *out). Output i of an axis sees the inputs from floor(i size / out) up to
ceil((i + 1) size / out): window lengths differ by at most one, and windows may overlap and cover everything.

The mean and the maximum of a box can be computed one axis after another, and so can their gradients. The axis being
pooled is moved to the front, before the images. What belongs to one of its positions is then a long run of memory,
which NumPy processes with little overhead.
"""

from collections.abc import Callable
from math import prod

import numpy as np

from mytorch.device import Array, get_array_module, is_cuda
from mytorch.geometry import Size, empty, empty_channels_last, to_nhwc
from mytorch.ops.banded import BandedMatrix, apply_banded
from mytorch.ops.pool import max_pool, max_pool_grad
from mytorch.threads import parallel_for

MIN_RUN_ELEMENTS = 1024
"""If a position has at least this many elements behind it, the axis is not copied to the front."""

BYTES_DIVISOR = 4
"""Images are split into chunks as if they were smaller by this factor.

The work on a chunk is hundreds of NumPy calls. If these are short, threads wait for each other's Python for longer than
the cache saves.
"""


def window_slices(size: int, out: int) -> list[slice]:
    """Return the inputs that each of `out` outputs of an axis sees."""
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_avg_pool(x: Array, out: Size) -> Array:
    """Return the mean of each window."""
    return apply_banded(x, *map(_mean_matrix, x.shape[2:], out)) if is_cuda(x) else _pool(x, out, _mean)


def adaptive_avg_pool_grad(grad: Array, size: Size) -> Array:
    """Return the gradient of adaptive_avg_pool at its input, (N, C, *size)."""
    matrices = (_mean_matrix(n, out).transposed(n) for n, out in zip(size, grad.shape[2:], strict=True))
    return apply_banded(grad, *matrices)


def adaptive_max_pool(x: Array, out: Size) -> Array:
    """Return the maximum of each window."""
    kernel = _equal_windows(x.shape[2:], out)
    return max_pool(x, kernel, kernel, (0,) * len(out)) if kernel else _pool(x, out, _max)


def adaptive_max_pool_grad(grad: Array, x: Array, y: Array) -> Array:
    """Return the gradient of y = adaptive_max_pool(x) at x: an output's goes to the first pixel that has the maximum.

    The first is that of the first row that contains the maximum: the last axis is pooled first, and gets its gradient
    last.
    """
    kernel = _equal_windows(x.shape[2:], y.shape[2:])
    if kernel:
        return max_pool_grad(grad, x, y, kernel, kernel, (0,) * len(kernel))
    grad_x = empty_channels_last(x.shape, grad)

    def work(images: slice) -> None:
        pixels, stages = to_nhwc(x[images]), []
        for axis in range(x.ndim - 2, 0, -1):
            before = _copy(_to_front(pixels, axis))
            after = _empty_front(y.shape[axis + 1], before)
            _pool_windows(before, after, _max)
            stages.append((axis, before, after))
            pixels = _from_front(after, axis)
        gradient = to_nhwc(grad[images])
        for axis, before, after in reversed(stages):
            gradient = _from_front(_max_grad(_copy(_to_front(gradient, axis)), before, after), axis)
        to_nhwc(grad_x[images])[...] = gradient

    _parallel_over_images(work, x)
    return grad_x


def _equal_windows(size: Size, out: Size) -> Size | None:
    """Return the windows' size if all have the same and none overlap, as in plain pooling; otherwise None."""
    if any(n % o or n < o for n, o in zip(size, out, strict=True)):
        return None
    return tuple(n // o for n, o in zip(size, out, strict=True))


def _mean_matrix(size: int, out: int) -> BandedMatrix:
    """Return the matrix that computes the mean of each window of an axis."""
    windows = window_slices(size, out)
    lengths = np.array([window.stop - window.start for window in windows], int)
    source = [np.arange(window.start, window.stop) for window in windows]
    target = np.repeat(np.arange(out), lengths)
    return BandedMatrix(target, np.concatenate(source), np.repeat(1 / lengths, lengths), out)


def _pool(x: Array, out: Size, reduce_window: Callable[[Array, Array], None]) -> Array:
    """Return `x` with every window reduced, one axis after another. `reduce_window(window, out)` fills its result."""
    y = empty_channels_last((*x.shape[:2], *out), x)

    def work(images: slice) -> None:
        pixels = to_nhwc(x[images])
        for axis, count in enumerate(out, start=1):
            before = _to_front(pixels, axis)
            if prod(pixels.shape[axis + 1 :]) < MIN_RUN_ELEMENTS:
                before = _copy(before)
            after = _empty_front(count, before)
            _pool_windows(before, after, reduce_window)
            pixels = _from_front(after, axis)
        to_nhwc(y[images])[...] = pixels

    _parallel_over_images(work, x)
    return y


def _pool_windows(before: Array, after: Array, reduce_window: Callable[[Array, Array], None]) -> None:
    for i, window in enumerate(window_slices(len(before), len(after))):
        reduce_window(before[window], after[i])


def _mean(window: Array, out: Array) -> None:
    np.add.reduce(window, axis=0, out=out)
    out *= 1 / len(window)


def _max(window: Array, out: Array) -> None:
    window.max(axis=0, out=out)


def _max_grad(grad: Array, before: Array, after: Array) -> Array:
    """Return the gradient at `before`, given that at `after`, the maximum of each window of the front axis.

    It goes to the first position with the maximum, or to the last NaN if there is one.
    """
    result, xp, written = empty(before.shape, grad), get_array_module(grad), 0
    has_nan = bool(xp.isnan(after).any())
    for i, window in enumerate(window_slices(len(before), len(after))):
        unassigned = xp.ones_like(after[i], bool)
        for k in range(window.start, window.stop):
            is_max = before[k] == after[i]
            is_max &= unassigned
            unassigned ^= is_max
            gradient = is_max.astype(grad.dtype)
            if k < written:  # the window before sees this position too
                gradient *= grad[i]
                total = result[k]
                total += gradient
            else:
                xp.multiply(gradient, grad[i], out=result[k])
        written = window.stop
        for k in reversed(range(window.start, window.stop)) if has_nan else ():
            is_last = xp.isnan(before[k])
            is_last &= unassigned
            unassigned ^= is_last
            total = result[k]
            total += is_last * grad[i]
    return result


def _to_front(pixels: Array, axis: int) -> Array:
    """Return a view of (n, *size, C) with `axis` before all others; `_from_front` is the inverse."""
    return np.moveaxis(pixels, axis, 0)


def _from_front(moved: Array, axis: int) -> Array:
    return np.moveaxis(moved, 0, axis)


def _copy(moved: Array) -> Array:
    copy = empty(moved.shape, moved)
    copy[...] = moved
    return copy


def _empty_front(count: int, like: Array) -> Array:
    """Return an uninitialized array like `like`, with a front axis of `count` positions."""
    return empty((count, *like.shape[1:]), like)


def _parallel_over_images(work: Callable[[slice], None], x: Array) -> None:
    if is_cuda(x):
        work(slice(None))
    else:
        parallel_for(len(x), x[:1].nbytes // BYTES_DIVISOR, work)
