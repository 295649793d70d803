"""Adaptive pooling: windows laid out so that the output has a given size, over any number of spatial axes.

x: (N, C, *size); y and grad: (N, C, *out). Output i of an axis sees the inputs from floor(i size / out) up to
ceil((i + 1) size / out): windows differ in length by one at most, may overlap, and leave nothing out (PyTorch's). Both
the mean and the largest of a box can be found one axis after the other, and so can their gradients. The axis that is
pooled is turned to the front, before the images: what lies behind one of its positions is then a long run of memory, on
which NumPy's calls do little but arithmetic.
"""

from collections.abc import Callable
from math import prod

import numpy as np

from mytorch.device import Array, namespace, on_cuda
from mytorch.geometry import Size, empty, fresh, to_pixels
from mytorch.ops.mixing import Weights, mixed
from mytorch.ops.pool import max_pool, max_pool_grad
from mytorch.threads import share

RUN = 1024
"""Elements behind a position that are a run long enough even where the axis is not in front."""

CALLS = 4
"""An image counts for so much less than its bytes when images are parted.

A part goes through hundreds of NumPy calls, and short ones keep threads waiting for each other's Python for longer than
the cache saves.
"""


def spans(size: int, out: int) -> list[slice]:
    """What each of `out` outputs sees of an axis."""
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_avg_pool(x: Array, out: Size) -> Array:
    """Mean of each window."""
    return mixed(x, *map(_shares, x.shape[2:], out)) if on_cuda(x) else _pooled(x, out, _mean)


def adaptive_avg_pool_grad(grad: Array, size: Size) -> Array:
    """Gradient of adaptive_avg_pool at its input, (N, C, *size): an equal share to each pixel of the window."""
    return mixed(grad, *(_shares(n, out).turned(n) for n, out in zip(size, grad.shape[2:], strict=True)))


def adaptive_max_pool(x: Array, out: Size) -> Array:
    """Largest value of each window."""
    even = _even(x.shape[2:], out)
    return max_pool(x, even, even, (0,) * len(out)) if even else _pooled(x, out, _largest)


def adaptive_max_pool_grad(grad: Array, x: Array, y: Array) -> Array:
    """Gradient of y = adaptive_max_pool(x) at x: each output's goes to the pixel that won, to the first of several.

    The first is that of the first row that has the largest value: the last axis is pooled first, and gets its gradient
    last.
    """
    even = _even(x.shape[2:], y.shape[2:])
    if even:
        return max_pool_grad(grad, x, y, even, even, (0,) * len(even))
    grad_x = empty(x.shape, grad)

    def work(images: slice) -> None:
        left, stages = to_pixels(x[images]), []
        for axis in range(x.ndim - 2, 0, -1):
            below = _copied(_front(left, axis))
            above = _room(y.shape[axis + 1], below)
            _over(below, above, _largest)
            stages.append((axis, below, above))
            left = _back(above, axis)
        given = to_pixels(grad[images])
        for axis, below, above in reversed(stages):
            given = _back(_to_winners(_copied(_front(given, axis)), below, above), axis)
        to_pixels(grad_x[images])[...] = given

    _by_images(work, x)
    return grad_x


def _even(size: Size, out: Size) -> Size | None:
    """The windows' size where all have the same and none overlap, as in plain pooling; else None."""
    if any(n % o or n < o for n, o in zip(size, out, strict=True)):
        return None
    return tuple(n // o for n, o in zip(size, out, strict=True))


def _shares(size: int, out: int) -> Weights:
    """The weights of a mean over each window of an axis."""
    windows = spans(size, out)
    lengths = np.array([window.stop - window.start for window in windows], int)
    source = [np.arange(window.start, window.stop) for window in windows]
    target = np.repeat(np.arange(out), lengths)
    return Weights(target, np.concatenate(source), np.repeat(1 / lengths, lengths), out)


def _pooled(x: Array, out: Size, pool: Callable[[Array, Array], None]) -> Array:
    """`x` after `pool` has put something for each window, positions in front, into an array, axis after axis."""
    y = empty((*x.shape[:2], *out), x)

    def work(images: slice) -> None:
        left = to_pixels(x[images])
        for axis, count in enumerate(out, start=1):
            below = _front(left, axis)
            if prod(left.shape[axis + 1 :]) < RUN:
                below = _copied(below)
            above = _room(count, below)
            _over(below, above, pool)
            left = _back(above, axis)
        to_pixels(y[images])[...] = left

    _by_images(work, x)
    return y


def _over(below: Array, above: Array, pool: Callable[[Array, Array], None]) -> None:
    for i, span in enumerate(spans(len(below), len(above))):
        pool(below[span], above[i])


def _mean(window: Array, into: Array) -> None:
    np.add.reduce(window, axis=0, out=into)
    into *= 1 / len(window)


def _largest(window: Array, into: Array) -> None:
    window.max(axis=0, out=into)


def _to_winners(grad: Array, below: Array, above: Array) -> Array:
    """Gradient at `below`, of which `above` has the largest of each window of the axis in front."""
    result, xp, done = fresh(below.shape, grad), namespace(grad), 0
    for i, span in enumerate(spans(len(below), len(above))):
        free = xp.ones_like(above[i], bool)
        for k in range(span.start, span.stop):
            won = below[k] == above[i]
            won &= free
            free ^= won
            passed = won.astype(grad.dtype)
            if k < done:
                passed *= grad[i]
                both = result[k]
                both += passed
            else:
                xp.multiply(passed, grad[i], out=result[k])
        done = span.stop
    return result


def _front(pixels: Array, axis: int) -> Array:
    """A view of (n, *size, C) with an axis before all others; `_back` puts it where it was."""
    return np.moveaxis(pixels, axis, 0)


def _back(turned: Array, axis: int) -> Array:
    return np.moveaxis(turned, 0, axis)


def _copied(turned: Array) -> Array:
    copy = fresh(turned.shape, turned)
    copy[...] = turned
    return copy


def _room(count: int, like: Array) -> Array:
    """For so many positions of an axis in front."""
    return fresh((count, *like.shape[1:]), like)


def _by_images(work: Callable[[slice], None], x: Array) -> None:
    if on_cuda(x):
        work(slice(None))
    else:
        share(len(x), x[:1].nbytes // CALLS, work)
