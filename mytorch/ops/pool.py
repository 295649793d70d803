"""Pooling: a forward and its gradient side by side, for any number of spatial axes.

x: (N, C, *size); y and grad: (N, C, *out); kernel, stride and padding hold one number a spatial axis.
"""

from math import prod

import numpy as np

from mytorch.device import Array, on_gpu
from mytorch.geometry import Size, blocks, empty, inner, output_size, pad, padded_size, taps
from mytorch.ops.cuda import pool as cuda

BLOCK = 1 << 18
"""Elements of the input gone over at a time: 1 MiB in float32, which stays in the cache from tap to tap."""


@on_gpu(cuda.max_pool)
def max_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """Largest value of each window. Padding is minus infinity, so a padded pixel never wins."""
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding))
    padded = pad(x, padding, -np.inf)
    first, *others = taps(kernel, stride, (1,) * len(kernel), out)
    y = empty((*x.shape[:2], *out), x)
    y[...] = padded[first]
    for seen in others:
        np.maximum(y, padded[seen], out=y)
    return y


@on_gpu(cuda.max_pool_grad)
def max_pool_grad(grad: Array, x: Array, y: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """Gradient of y = max_pool(x) at x: each output's goes to the pixel that won, to the first of several (PyTorch's).

    Here padding is NaN, which equals nothing: not even a window of minus infinities gives its gradient away.
    """
    padded = pad(x, padding, np.nan)
    spread = empty(padded.shape, grad)
    spread[...] = 0
    taken = np.zeros_like(y, bool)
    for images in blocks(len(x), prod(padded.shape[1:]), BLOCK):
        for seen in taps(kernel, stride, (1,) * len(kernel), y.shape[2:]):
            won = padded[images][seen] == y[images]
            won &= ~taken[images]
            taken[images] |= won
            window = spread[images][seen]
            window += grad[images] * won
    return spread[inner(padding)]


@on_gpu(cuda.avg_pool)
def avg_pool(x: Array, kernel: Size, stride: Size, padding: Size) -> Array:
    """Mean of each window; padded zeros count, as PyTorch's count_include_pad=True."""
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding))
    padded = pad(x, padding)
    y = empty((*x.shape[:2], *out), x)
    y[...] = 0
    for seen in taps(kernel, stride, (1,) * len(kernel), out):
        y += padded[seen]
    y /= prod(kernel)
    return y


@on_gpu(cuda.avg_pool_grad)
def avg_pool_grad(grad: Array, size: Size, kernel: Size, stride: Size, padding: Size) -> Array:
    """Gradient of avg_pool at its input, (N, C, *size): an equal share to each pixel of the window."""
    spread = empty((*grad.shape[:2], *padded_size(size, padding)), grad)
    spread[...] = 0
    share = grad / prod(kernel)
    for seen in taps(kernel, stride, (1,) * len(kernel), grad.shape[2:]):
        spread[seen] += share
    return spread[inner(padding)]


def global_avg_pool(x: Array) -> Array:
    """Mean over all positions: (N, C, *size) -> (N, C, 1, ...)."""
    return x.mean(tuple(range(2, x.ndim)), keepdims=True)


def global_avg_pool_grad(grad: Array, size: Size) -> Array:
    """Gradient of global_avg_pool at its input, (N, C, *size)."""
    spread = empty((*grad.shape[:2], *size), grad)
    spread[...] = grad / prod(size)
    return spread
