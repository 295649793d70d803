"""Adaptive pooling: windows laid out so that the output has a given size, over any number of spatial axes.

x: (N, C, *size); y and grad: (N, C, *out). Output i of an axis sees the inputs from floor(i size / out) up to
ceil((i + 1) size / out): windows differ in length by one at most, may overlap, and leave nothing out (PyTorch's). Both
the mean and the largest of a box can be found one axis after the other, and so can their gradients.
"""

from collections.abc import Callable

import numpy as np

from mytorch.device import Array, namespace, on_cuda
from mytorch.geometry import Size, empty
from mytorch.ops.mixing import Weights, mixed
from mytorch.ops.pool import max_pool, max_pool_grad
from mytorch.threads import share


def spans(size: int, out: int) -> list[slice]:
    """What each of `out` outputs sees of an axis."""
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_avg_pool(x: Array, out: Size) -> Array:
    """Mean of each window."""
    return mixed(x, *map(_shares, x.shape[2:], out))


def adaptive_avg_pool_grad(grad: Array, size: Size) -> Array:
    """Gradient of adaptive_avg_pool at its input, (N, C, *size): an equal share to each pixel of the window."""
    return mixed(grad, *(_shares(n, out).turned(n) for n, out in zip(size, grad.shape[2:], strict=True)))


def adaptive_max_pool(x: Array, out: Size) -> Array:
    """Largest value of each window."""
    even = _even(x.shape[2:], out)
    if even:
        return max_pool(x, even, even, (0,) * len(out))
    y = empty((*x.shape[:2], *out), x)

    def work(images: slice) -> None:
        y[images] = _largest(x[images], out)[-1]

    _by_images(work, x)
    return y


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
        stages, given = _largest(x[images], y.shape[2:]), grad[images]
        for axis in range(2, x.ndim):
            given = _to_winners(given, stages[-axis], stages[1 - axis], axis)
        grad_x[images] = given

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


def _largest(x: Array, out: Size) -> list[Array]:
    """`x`, then what is left of it after pooling its last axis, the one before that as well, and so on."""
    stages, xp = [x], namespace(x)
    for axis in range(x.ndim - 1, 1, -1):
        below = stages[-1]
        above = empty((*below.shape[:axis], out[axis - 2], *below.shape[axis + 1 :]), x)
        for i, span in enumerate(spans(below.shape[axis], out[axis - 2])):
            cell = above[_at(axis, i)]
            cell[...] = below[_at(axis, span.start)]
            for k in range(span.start + 1, span.stop):
                xp.maximum(cell, below[_at(axis, k)], out=cell)
        stages.append(above)
    return stages


def _to_winners(grad: Array, below: Array, above: Array, axis: int) -> Array:
    """Gradient at `below`, of which `above` has the largest of each window of an axis."""
    result, xp = empty(below.shape, grad), namespace(grad)
    result[...] = 0
    for i, span in enumerate(spans(below.shape[axis], above.shape[axis])):
        largest, given = above[_at(axis, i)], grad[_at(axis, i)]
        free = xp.ones_like(largest, bool)
        for k in range(span.start, span.stop):
            won = below[_at(axis, k)] == largest
            won &= free
            free ^= won
            into = result[_at(axis, k)]
            into += given * won
    return result


def _by_images(work: Callable[[slice], None], x: Array) -> None:
    if on_cuda(x):
        work(slice(None))
    else:
        share(len(x), 2 * x[:1].nbytes, work)


def _at(axis: int, index: int) -> tuple:
    return (*(slice(None),) * axis, index)
