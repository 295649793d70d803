"""Convolution over any number of spatial axes: a forward and its three gradients.

Each window of the padded input becomes a row (im2col: Chellapilla, Puri and Simard 2006), so that the convolution is
one matrix product; its gradients are the same product with the factors turned. Rows are made for a few images at a
time, so that they are still in the cache when the product reads them.

Everywhere: x (N, C, *size), weight (F, C / groups, *kernel), grad and y (N, F, *out); stride, padding and dilation hold
one number a spatial axis. K is the number of elements of the kernel, G the number of groups.
"""

from collections.abc import Iterator
from math import prod

import numpy as np

from mytorch.device import Array, namespace, on_gpu
from mytorch.geometry import Size, blocks, channels_last, empty, flat, inner, output_size, pad, padded_size, taps
from mytorch.ops.cuda import conv as cuda
from mytorch.ops.depthwise import depthwise, depthwise_input_grad, depthwise_weight_grad
from mytorch.ops.sums import column_sums

BLOCK = 1 << 19
"""Elements of im2col's matrix made at a time: 2 MiB in float32, about a second-level cache."""


@on_gpu(cuda.conv)
def conv(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Correlation of `x` with `weight`, plus `bias` (F,) where there is one. Returns y."""
    if _depthwise(weight.shape, groups):
        y = depthwise(x, weight, stride, padding, dilation)
    else:
        y = _conv(x, weight, stride, padding, dilation, groups)
    if bias is not None:
        y += _channelwise(bias, x.ndim)
    return y


def _conv(x: Array, weight: Array, stride: Size, padding: Size, dilation: Size, groups: int) -> Array:
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    padded = pad(x, padding)
    y = empty((len(x), len(weight), *out), x)
    matrix = _matrix(weight, groups)
    for images in _blocks(padded, kernel, out):
        np.matmul(_columns(padded[images], kernel, stride, dilation, out, groups), matrix, out=_rows(y[images], groups))
    return y


@on_gpu(cuda.conv_input_grad)
def conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Gradient at the input, (N, C, *size): every window's gradient added back where the window stood (col2im)."""
    kernel, out = weight.shape[2:], grad.shape[2:]
    channels = weight.shape[1] * groups
    if _depthwise(weight.shape, groups):
        return depthwise_input_grad(grad, weight, size, stride, padding, dilation)
    grad = channels_last(grad)
    padded = empty((len(grad), channels, *padded_size(size, padding)), grad)
    padded[...] = 0
    transposed = _matrix(weight, groups).transpose(0, 2, 1)
    for images in _blocks(padded, kernel, out):
        columns = np.matmul(_rows(grad[images], groups), transposed)
        columns = columns.transpose(1, 0, 2).reshape(-1, *out, groups, prod(kernel), channels // groups)
        for k, seen in enumerate(taps(kernel, stride, dilation, out)):
            window = np.moveaxis(padded[images][seen], 1, -1)
            window += columns[..., k, :].reshape(window.shape)
    return padded[inner(padding)]


@on_gpu(cuda.conv_weight_grad)
def conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Gradient at the weight, (F, C / groups, *kernel)."""
    out, filters, channels = grad.shape[2:], grad.shape[1], x.shape[1]
    if _depthwise((filters, channels // groups), groups):
        return depthwise_weight_grad(grad, x, kernel, stride, padding, dilation)
    padded, grad = pad(x, padding), channels_last(grad)
    matrix = namespace(x).zeros((groups, prod(kernel) * channels // groups, filters // groups), x.dtype)
    for images in _blocks(padded, kernel, out):
        columns = _columns(padded[images], kernel, stride, dilation, out, groups)
        matrix += np.matmul(columns.transpose(0, 2, 1), _rows(grad[images], groups))
    return _weight(matrix, (filters, channels // groups, *kernel))


def conv_bias_grad(grad: Array) -> Array:
    """Gradient at the bias, (F,): the sum over images and positions."""
    return column_sums(flat(grad))


def _depthwise(shape: Size, groups: int) -> bool:
    """True where a weight of this shape is one kernel a channel."""
    return 1 < groups == shape[0] and shape[1] == 1


def _columns(padded: Array, kernel: Size, stride: Size, dilation: Size, out: Size, groups: int) -> Array:
    """im2col: the windows of `padded` as rows, (G, n * positions, K C / G)."""
    n, channels = padded.shape[:2]
    columns = namespace(padded).empty((n, *out, groups, prod(kernel), channels // groups), padded.dtype)
    for k, seen in enumerate(taps(kernel, stride, dilation, out)):
        columns[..., k, :] = np.moveaxis(padded[seen], 1, -1).reshape(n, *out, groups, -1)
    return columns.reshape(n * prod(out), groups, -1).transpose(1, 0, 2)


def _rows(y: Array, groups: int) -> Array:
    """`y` (n, F, *out), memory channels last, as matrices (G, n * positions, F / G): a view to fill."""
    return flat(y).reshape(-1, groups, y.shape[1] // groups).transpose(1, 0, 2)


def _matrix(weight: Array, groups: int) -> Array:
    """`weight` as (G, K C / G, F / G), its rows in the order of a window's elements."""
    filters, channels = weight.shape[:2]
    split = weight.reshape(groups, filters // groups, channels, -1)
    return split.transpose(0, 3, 2, 1).reshape(groups, -1, filters // groups)


def _weight(matrix: Array, shape: Size) -> Array:
    """The inverse of _matrix: (G, K C / G, F / G) as a weight of `shape`."""
    filters, channels = shape[:2]
    split = matrix.reshape(len(matrix), -1, channels, filters // len(matrix))
    return namespace(matrix).ascontiguousarray(split.transpose(0, 3, 2, 1).reshape(shape))


def _channelwise(vector: Array, rank: int) -> Array:
    """(C,) as (1, C, 1, ...), which broadcasts over images and positions."""
    return vector.reshape(1, -1, *(1,) * (rank - 2))


def _blocks(padded: Array, kernel: Size, out: Size) -> Iterator[slice]:
    """A few images at a time."""
    return blocks(len(padded), prod(out) * prod(kernel) * padded.shape[1], BLOCK)
