"""Convolution on the GPU, in the way that suits its shape. See `mytorch.ops.conv`.

- One kernel a channel: `depthwise_conv`, a thread an output.
- 3x3 kernels at stride 1 over enough channels, in float32: `tiles`, Winograd's way. Not with TF32, of whose 10 bits it
  would leave too few.
- A 1x1 kernel that moves by 1: the pixels are the windows, and one matrix product all there is.
- All else: windows made and added back by our kernels (im2col, col2im), one matrix product between them.

The matrix products are cuBLAS's. Those of one group are of two axes, which CuPy hands over as they lie, transposed or
not; of three it would copy.
"""

from math import prod

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, output_size, split_by_budget, to_channels_last, to_matrix
from mytorch.modes import winograd_allowed
from mytorch.ops.cuda.activation import add_bias
from mytorch.ops.cuda.depthwise import depthwise_conv, depthwise_conv_input_grad, depthwise_conv_weight_grad
from mytorch.ops.cuda.im2col import col2im, im2col
from mytorch.ops.cuda.precision import tf32_allowed
from mytorch.ops.cuda.winograd import KERNEL, winograd_conv, winograd_conv_input_grad, winograd_conv_weight_grad

BLOCK = 1 << 26
"""Elements of im2col's matrix made at a time: 256 MiB in float32."""

CHANNELS = 16
"""Of fewer channels, coming or going, Winograd's transforms move more than its products save. An estimate."""


def conv(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv."""
    if _suits_tiles(weight.shape, x.dtype, stride, dilation, groups):
        return winograd_conv(x, weight, bias, padding)
    if _depthwise(weight.shape, groups):
        y = depthwise_conv(x, weight, stride, padding, dilation)
    else:
        y = _conv(x, weight, stride, padding, dilation, groups)
    if bias is not None:
        add_bias(y, bias)
    return y


def _conv(x: Array, weight: Array, stride: Size, padding: Size, dilation: Size, groups: int) -> Array:
    x, kernel, xp = to_channels_last(x), weight.shape[2:], get_array_module(x)
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y, matrix = empty_channels_last((len(x), len(weight), *out), x), _matrix(weight, groups)
    if _pointwise(kernel, stride, padding, groups):
        xp.matmul(to_matrix(x), matrix[0], out=to_matrix(y))
        return y
    for images in split_by_budget(len(x), prod(out) * prod(kernel) * x.shape[1], BLOCK):
        columns = im2col(x[images], kernel, stride, padding, dilation, out, groups)
        if groups == 1:
            xp.matmul(columns[0], matrix[0], out=to_matrix(y[images]))
        else:
            to_matrix(y[images])[...] = _joined(columns @ matrix)
    return y


def conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv_input_grad."""
    found = tuple(n + 2 - 2 * p for n, p in zip(grad.shape[2:], padding, strict=True))
    fits = max(padding) <= 2 and found == tuple(size)
    if fits and _suits_tiles(weight.shape, grad.dtype, stride, dilation, groups):
        return winograd_conv_input_grad(grad, weight, padding)
    if _depthwise(weight.shape, groups):
        return depthwise_conv_input_grad(grad, weight, size, stride, padding, dilation)
    grad, kernel, out, xp = to_channels_last(grad), weight.shape[2:], grad.shape[2:], get_array_module(grad)
    channels = weight.shape[1] * groups
    grad_x, matrix = empty_channels_last((len(grad), channels, *size), grad), _matrix(weight, groups)
    if _pointwise(kernel, stride, padding, groups) and tuple(size) == out:
        xp.matmul(to_matrix(grad), matrix[0].T, out=to_matrix(grad_x))
        return grad_x
    for images in split_by_budget(len(grad), prod(out) * prod(kernel) * channels, BLOCK):
        rows = to_matrix(grad[images])
        columns = rows @ matrix[0].T if groups == 1 else _split(rows, groups) @ matrix.transpose(0, 2, 1)
        col2im(columns, grad_x[images], kernel, stride, padding, dilation, out, groups)
    return grad_x


def conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv_weight_grad."""
    filters, channels, xp = grad.shape[1], x.shape[1], get_array_module(x)
    shape = (filters, channels // groups, *kernel)
    if _suits_tiles(shape, x.dtype, stride, dilation, groups):
        return winograd_conv_weight_grad(grad, x, padding)
    if _depthwise(shape, groups):
        return depthwise_conv_weight_grad(grad, x, kernel, stride, padding, dilation)
    x, grad, out = to_channels_last(x), to_channels_last(grad), grad.shape[2:]
    if _pointwise(kernel, stride, padding, groups):
        return (to_matrix(grad).T @ to_matrix(x)).reshape(shape)
    matrix = xp.zeros((groups, prod(kernel) * channels // groups, filters // groups), x.dtype)
    for images in split_by_budget(len(x), prod(out) * prod(kernel) * channels, BLOCK):
        columns, rows = im2col(x[images], kernel, stride, padding, dilation, out, groups), to_matrix(grad[images])
        if groups == 1:
            matrix[0] += columns[0].T @ rows
        else:
            matrix += columns.transpose(0, 2, 1) @ _split(rows, groups)
    split = matrix.reshape(groups, prod(kernel), channels // groups, filters // groups)
    return xp.ascontiguousarray(split.transpose(0, 3, 2, 1)).reshape(shape)


def _suits_tiles(shape: Size, dtype: np.dtype, stride: Size, dilation: Size, groups: int) -> bool:
    """True where Winograd's way is open, for a weight of this shape, and likely the quicker one."""
    fits = shape[2:] == KERNEL and max(*stride, *dilation) == 1 and groups == 1 and dtype == np.float32
    return fits and min(shape[:2]) >= CHANNELS and winograd_allowed() and not tf32_allowed()


def _depthwise(shape: Size, groups: int) -> bool:
    """True where a weight of this shape is one kernel a channel."""
    return 1 < groups == shape[0] and shape[1] == 1


def _pointwise(kernel: Size, stride: Size, padding: Size, groups: int) -> bool:
    """True where a window is a pixel, and every pixel is one."""
    return groups == 1 and prod(kernel) == 1 and max(stride) == 1 and not any(padding)


def _matrix(weight: Array, groups: int) -> Array:
    """`weight` as (G, K C / G, F / G), its rows in the order of a window's elements."""
    filters, channels = weight.shape[:2]
    split = weight.reshape(groups, filters // groups, channels, -1).transpose(0, 3, 2, 1)
    return get_array_module(weight).ascontiguousarray(split).reshape(groups, -1, filters // groups)


def _split(rows: Array, groups: int) -> Array:
    """(M, F) as (G, M, F / G)."""
    return rows.reshape(len(rows), groups, -1).transpose(1, 0, 2)


def _joined(products: Array) -> Array:
    """The inverse of _split."""
    groups, rows, width = products.shape
    return products.transpose(1, 0, 2).reshape(rows, groups * width)
