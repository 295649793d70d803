"""Adaptive pooling: windows laid out so that the output has a given size, over any number of spatial axes.

x: (N, C, *size); y and grad: (N, C, *out). Output i of an axis sees the inputs from floor(i size / out) up to
ceil((i + 1) size / out): windows differ in length by one at most, may overlap, and leave nothing out (PyTorch's).
"""

from collections.abc import Iterator
from itertools import product
from math import prod

from mytorch.device import Array, namespace
from mytorch.geometry import Size, empty


def spans(size: int, out: int) -> list[slice]:
    """What each of `out` outputs sees of an axis."""
    return [slice(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


def adaptive_avg_pool(x: Array, out: Size) -> Array:
    """Mean of each window: one axis after the other, as the mean of a box is the mean of its rows' means."""
    for axis, count in enumerate(out, start=2):
        y = empty((*x.shape[:axis], count, *x.shape[axis + 1 :]), x)
        for i, span in enumerate(spans(x.shape[axis], count)):
            x[_at(axis, span)].mean(axis, out=y[_at(axis, i)])
        x = y
    return x


def adaptive_avg_pool_grad(grad: Array, size: Size) -> Array:
    """Gradient of adaptive_avg_pool at its input, (N, C, *size): an equal share to each pixel of the window."""
    for axis, length in enumerate(size, start=2):
        spread = empty((*grad.shape[:axis], length, *grad.shape[axis + 1 :]), grad)
        spread[...] = 0
        for i, span in enumerate(spans(length, grad.shape[axis])):
            spread[_at(axis, span)] += grad[_at(axis, slice(i, i + 1))] / (span.stop - span.start)
        grad = spread
    return grad


def adaptive_max_pool(x: Array, out: Size) -> Array:
    """Largest value of each window."""
    y = empty((*x.shape[:2], *out), x)
    for cell, window in _windows(x.shape[2:], out):
        x[window].max(tuple(range(2, x.ndim)), out=y[cell])
    return y


def adaptive_max_pool_grad(grad: Array, x: Array, y: Array) -> Array:
    """Gradient of y = adaptive_max_pool(x) at x: each output's goes to the pixel that won, to the first of several."""
    spread = empty(x.shape, grad)
    spread[...] = 0
    xp = namespace(x)
    for cell, window in _windows(x.shape[2:], y.shape[2:]):
        seen = x[window]
        ones = (1,) * (x.ndim - 2)
        won = (seen == y[cell].reshape(*y.shape[:2], *ones)).reshape(*x.shape[:2], -1)
        first = won & (xp.arange(prod(seen.shape[2:])) == won.argmax(-1)[..., None])
        spread[window] += first.reshape(seen.shape) * grad[cell].reshape(*y.shape[:2], *ones)
    return spread


def _windows(size: Size, out: Size) -> Iterator[tuple[tuple, tuple]]:
    """For each output, its index and that of the window it sees."""
    for cell in product(*map(range, out)):
        window = (spans(n, count)[i] for n, count, i in zip(size, out, cell, strict=True))
        yield (..., *cell), (..., *window)


def _at(axis: int, index: int | slice) -> tuple:
    return (*(slice(None),) * axis, index)
