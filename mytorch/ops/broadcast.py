"""Arithmetic of two arrays whose shapes broadcast, and the gradient of broadcasting: the sum over what was repeated."""

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size
from mytorch.ops.activation import add as add_same_shape
from mytorch.ops.blockwise import elementwise
from mytorch.ops.reduce import column_sums, scale_channels, spatial_dot, spatial_sum


def add(x: Array, other: Array) -> Array:
    """x + other, broadcast."""
    return add_same_shape(x, other) if x.shape == other.shape else get_array_module(x).add(x, other)


def multiply(x: Array, other: Array) -> Array:
    """x * other, broadcast. A number per channel of each image, (N, C, 1, ...), takes one pass over memory."""
    if x.shape == other.shape:
        return _multiply_same_shape(x, other)
    if _is_per_channel(other.shape, x.shape):
        return scale_channels(x, other)
    if _is_per_channel(x.shape, other.shape):
        return scale_channels(other, x)
    return get_array_module(x).multiply(x, other)


def multiply_grad(grad: Array, other: Array, x: Array) -> Array:
    """Gradient of x * other at x: grad * other, summed where x was repeated."""
    if grad.shape == other.shape and _is_per_channel(x.shape, grad.shape):
        return spatial_dot(grad, other).astype(grad.dtype).reshape(x.shape)
    return unbroadcast(multiply(grad, other), x.shape)


def unbroadcast(grad: Array, shape: Size) -> Array:
    """Return the gradient at an array of `shape` that was broadcast: `grad` summed over every repeated axis."""
    if grad.shape == shape:
        return grad
    if _is_per_channel(shape, grad.shape):
        return spatial_sum(grad).astype(grad.dtype).reshape(shape)
    full = (1,) * (grad.ndim - len(shape)) + shape
    if grad.ndim > 1 and full == (1, grad.shape[1], *(1,) * (grad.ndim - 2)):
        rows = get_array_module(grad).moveaxis(grad, 1, -1).reshape(-1, grad.shape[1])
        return column_sums(rows).reshape(shape)
    axes = tuple(axis for axis, length in enumerate(full) if length != grad.shape[axis])
    return get_array_module(grad).sum(grad, axis=axes, dtype="d").astype(grad.dtype).reshape(shape)


def _is_per_channel(shape: Size, images: Size) -> bool:
    """Return True if `shape` is (N, C, 1, ...) and `images` is (N, C, *size)."""
    return len(images) > 2 and len(shape) == len(images) and shape == (*images[:2], *(1,) * (len(images) - 2))


@elementwise
def _multiply_same_shape(out: Array, x: Array, other: Array) -> None:
    np.multiply(x, other, out=out)
