"""Resampling on the GPU, by tables of the inputs that each output uses. See `mytorch.ops.resample`."""

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, to_channels_last
from mytorch.ops.cuda.loader import axes, launch

Tables = tuple[np.ndarray, ...]
"""For each spatial axis, a NumPy array with one value per output. Positions never decrease."""


def nearest(x: Array, sources: Tables) -> Array:
    """As mytorch.ops.resample.nearest."""
    x, out = to_channels_last(x), tuple(map(len, sources))
    y = empty_channels_last((*x.shape[:2], *out), x)
    arguments = (x, y, _join(sources, x, "i"), axes(x.shape[2:]), axes(out), *x.shape[:2])
    launch("resample", "nearest", x, *arguments, count=y.size)
    return y


def nearest_grad(grad: Array, size: Size, sources: Tables) -> Array:
    """As mytorch.ops.resample.nearest_grad."""
    grad, out = to_channels_last(grad), tuple(map(len, sources))
    grad_x = empty_channels_last((*grad.shape[:2], *size), grad)
    first, last = _users(sources, sources, size, grad)
    arguments = (grad, grad_x, first, last, axes(size), axes(out), *grad.shape[:2])
    launch("resample", "nearest_grad", grad, *arguments, count=grad_x.size)
    return grad_x


def linear(x: Array, lows: Tables, highs: Tables, weights: Tables) -> Array:
    """As mytorch.ops.resample.linear."""
    x, out = to_channels_last(x), tuple(map(len, lows))
    y = empty_channels_last((*x.shape[:2], *out), x)
    tables = (_join(lows, x, "i"), _join(highs, x, "i"), _join(weights, x, x.dtype.char))
    launch("resample", "linear", x, x, y, *tables, axes(x.shape[2:]), axes(out), *x.shape[:2], count=y.size)
    return y


def linear_grad(grad: Array, size: Size, lows: Tables, highs: Tables, weights: Tables) -> Array:
    """As mytorch.ops.resample.linear_grad."""
    grad, out = to_channels_last(grad), tuple(map(len, lows))
    grad_x = empty_channels_last((*grad.shape[:2], *size), grad)
    tables = (_join(lows, grad, "i"), _join(highs, grad, "i"), _join(weights, grad, grad.dtype.char))
    users = _users(lows, highs, size, grad)
    arguments = (grad, grad_x, *tables, *users, axes(size), axes(out), *grad.shape[:2])
    launch("resample", "linear_grad", grad, *arguments, count=grad_x.size)
    return grad_x


def insert_zeros(x: Array, factor: Size, out: Size) -> Array:
    """As mytorch.ops.resample.insert_zeros."""
    return _by_factor("insert_zeros", x, factor, out)


def subsample(x: Array, factor: Size, out: Size) -> Array:
    """As mytorch.ops.resample.subsample, but not a view."""
    return _by_factor("subsample", x, factor, out)


def _by_factor(kernel: str, x: Array, factor: Size, out: Size) -> Array:
    x = to_channels_last(x)
    y = empty_channels_last((*x.shape[:2], *out), x)
    launch("resample", kernel, x, x, y, axes(x.shape[2:]), axes(out), axes(factor), *x.shape[:2], count=y.size)
    return y


def _join(tables: Tables, like: Array, kind: str) -> Array:
    """Return the tables of three axes as one array on the device of `like`. An axis that does not exist gets one 0."""
    missing = [np.zeros(1)] * (3 - len(tables))
    return get_array_module(like).asarray(np.concatenate([*missing, *tables]).astype(kind))


def _users(lows: Tables, highs: Tables, size: Size, like: Array) -> tuple[Array, Array]:
    """Return, for each position of each axis, the first output that uses it, and one past the last."""
    first = tuple(np.searchsorted(high, np.arange(n)) for high, n in zip(highs, size, strict=True))
    last = tuple(np.searchsorted(low, np.arange(n), side="right") for low, n in zip(lows, size, strict=True))
    missing = (np.ones(1),) * (3 - len(size))
    return _join(first, like, "i"), _join((*missing, *last), like, "i")
