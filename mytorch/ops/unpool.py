"""Where the maximum of each pooling window is, and the way from there to an image: indices and max unpooling.

x: (N, C, *size); y: (N, C, *out), the maxima. An index is flat: the number of a pixel among those of its image, in C
order, as in PyTorch. The functions use nothing but what NumPy and CuPy have in common.
"""

from collections.abc import Sequence
from functools import reduce
from itertools import product
from math import prod

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, to_channels_last


def max_pool_indices(
    x: Array, y: Array, kernel: Size, stride: Size, padding: Size, dilation: Size | None = None
) -> Array:
    """Return the index of the maximum of each window of y = max_pool(x): the first, or the last NaN if there is one."""
    dilation = dilation or (1,) * len(kernel)
    geometry = zip(y.shape[2:], kernel, stride, padding, dilation, strict=True)
    return _indices(x, y, [np.arange(k)[:, None] * d + np.arange(o) * s - p for o, k, s, p, d in geometry])


def adaptive_max_pool_indices(x: Array, y: Array) -> Array:
    """Return the index of the maximum of each window of y = adaptive_max_pool(x), as `max_pool_indices` does."""
    taps = []
    for n, out in zip(x.shape[2:], y.shape[2:], strict=True):
        start, stop = np.arange(out) * n // out, -(-(np.arange(out) + 1) * n // out)
        taps.append(np.minimum(np.arange((stop - start).max())[:, None] + start, stop - 1))
    return _indices(x, y, taps)


def _indices(x: Array, y: Array, taps: Sequence[np.ndarray]) -> Array:
    """Return the index of each maximum. taps[axis][k, o]: the pixel that is element k of window o, or one outside.

    Elements of a window are in C order, so the last write of a loop from the last element to the first is the first
    maximum.
    """
    xp, size = get_array_module(x), x.shape[2:]
    indices, elements = xp.zeros(y.shape, np.int64), list(product(*(range(len(axis)) for axis in taps)))
    has_nan = bool(xp.isnan(y).any())
    for is_maximum, order in [(lambda pixels: pixels == y, elements[::-1])] + [(xp.isnan, elements)] * has_nan:
        for element in order:
            positions = np.ix_(*(axis[k] for axis, k in zip(taps, element, strict=True)))
            inside = reduce(np.logical_and, ((p >= 0) & (p < n) for p, n in zip(positions, size, strict=True)))
            clipped = [np.clip(p, 0, n - 1) for p, n in zip(positions, size, strict=True)]
            flat = reduce(lambda index, axis: index * axis[1] + axis[0], zip(clipped, size, strict=True), np.int64(0))
            pixels = x[(slice(None), slice(None), *map(xp.asarray, clipped))]
            indices = xp.where(is_maximum(pixels) & xp.asarray(inside), xp.asarray(flat), indices)
    return indices


def max_unpool(x: Array, indices: Array, size: Size) -> Array:
    """Return (N, C, *size) that is zero but for the values of `x` (N, C, *out), each at its index."""
    y = get_array_module(x).zeros((*x.shape[:2], prod(size)), x.dtype)
    y[_places(indices)] = x.reshape(*x.shape[:2], prod(x.shape[2:]))
    return to_channels_last(y.reshape(*x.shape[:2], *size))


def max_unpool_grad(grad: Array, indices: Array) -> Array:
    """Return the gradient of max_unpool at its input, with the shape of `indices`."""
    flat = grad.reshape(*grad.shape[:2], prod(grad.shape[2:]))
    return flat[_places(indices)].reshape(indices.shape)


def _places(indices: Array) -> tuple[Array, ...]:
    """Return the index of all values in an array (N, C, positions)."""
    xp, (n, channels) = get_array_module(indices), indices.shape[:2]
    flat = indices.reshape(n, channels, prod(indices.shape[2:]))
    return xp.arange(n)[:, None, None], xp.arange(channels)[:, None], flat
