"""Resampling on the GPU, by tables of where each output takes its values from."""

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, to_channels_last
from mytorch.ops.cuda.loader import axes, launch

Tables = tuple[np.ndarray, ...]
"""For each spatial axis, a NumPy array with a value for each of its outputs."""


def nearest(x: Array, sources: Tables) -> Array:
    """Output o along an axis is x at sources[axis][o]. x: (N, C, *size); sources only grow."""
    x, out = to_channels_last(x), tuple(map(len, sources))
    y = empty_channels_last((*x.shape[:2], *out), x)
    arguments = (x, y, _joined(sources, x, "i"), axes(x.shape[2:]), axes(out), *x.shape[:2])
    launch("resample", "nearest", x, *arguments, count=y.size)
    return y


def nearest_grad(grad: Array, size: Size, sources: Tables) -> Array:
    """Gradient of nearest at its input, (N, C, *size)."""
    grad, out = to_channels_last(grad), tuple(map(len, sources))
    grad_x = empty_channels_last((*grad.shape[:2], *size), grad)
    first, last = _takers(sources, sources, size, grad)
    arguments = (grad, grad_x, first, last, axes(size), axes(out), *grad.shape[:2])
    launch("resample", "nearest_grad", grad, *arguments, count=grad_x.size)
    return grad_x


def linear(x: Array, lows: Tables, highs: Tables, shares: Tables) -> Array:
    """Output o along an axis mixes two positions: (1 - share) of x at low and share of x at high. Lows only grow."""
    x, out = to_channels_last(x), tuple(map(len, lows))
    y = empty_channels_last((*x.shape[:2], *out), x)
    tables = (_joined(lows, x, "i"), _joined(highs, x, "i"), _joined(shares, x, x.dtype.char))
    launch("resample", "linear", x, x, y, *tables, axes(x.shape[2:]), axes(out), *x.shape[:2], count=y.size)
    return y


def linear_grad(grad: Array, size: Size, lows: Tables, highs: Tables, shares: Tables) -> Array:
    """Gradient of linear at its input, (N, C, *size)."""
    grad, out = to_channels_last(grad), tuple(map(len, lows))
    grad_x = empty_channels_last((*grad.shape[:2], *size), grad)
    tables = (_joined(lows, grad, "i"), _joined(highs, grad, "i"), _joined(shares, grad, grad.dtype.char))
    takers = _takers(lows, highs, size, grad)
    arguments = (grad, grad_x, *tables, *takers, axes(size), axes(out), *grad.shape[:2])
    launch("resample", "linear_grad", grad, *arguments, count=grad_x.size)
    return grad_x


def insert_zeros(x: Array, factor: Size, out: Size) -> Array:
    """x at every factor-th position of (N, C, *out), zeros between; the gradient of pick."""
    return _spaced("insert_zeros", x, factor, out)


def subsample(x: Array, factor: Size, out: Size) -> Array:
    """Every factor-th position of x, as (N, C, *out); the gradient of insert_zeros."""
    return _spaced("subsample", x, factor, out)


def _spaced(kernel: str, x: Array, factor: Size, out: Size) -> Array:
    x = to_channels_last(x)
    y = empty_channels_last((*x.shape[:2], *out), x)
    launch("resample", kernel, x, x, y, axes(x.shape[2:]), axes(out), axes(factor), *x.shape[:2], count=y.size)
    return y


def _joined(tables: Tables, like: Array, kind: str) -> Array:
    """The tables of three axes as one array beside `like`; for an axis that is not there, the one position 0."""
    missing = [np.zeros(1)] * (3 - len(tables))
    return get_array_module(like).asarray(np.concatenate([*missing, *tables]).astype(kind))


def _takers(lows: Tables, highs: Tables, size: Size, like: Array) -> tuple[Array, Array]:
    """For each position along each axis, the first output that takes part of it and one past the last."""
    first = tuple(np.searchsorted(high, np.arange(n)) for high, n in zip(highs, size, strict=True))
    last = tuple(np.searchsorted(low, np.arange(n), side="right") for low, n in zip(lows, size, strict=True))
    missing = (np.ones(1),) * (3 - len(size))
    return _joined(first, like, "i"), _joined((*missing, *last), like, "i")
