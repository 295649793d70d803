"""Convolution on the GPU. It picks the fastest method, see `mytorch.ops.conv`.

- depthwise (one kernel per channel): `depthwise`, one thread per output
- 3x3 kernels at stride 1 with enough channels, in float32: `winograd`. Not with TF32, whose 10 bits of precision are
too
  few for it
- 1x1 kernels at stride 1: the pixels are the windows, and one matrix product does it
- everything else: `im2col` and `col2im`, with one matrix product between them

The matrix products are computed by cuBLAS. With one group they have two axes: CuPy passes such arrays on as they are,
transposed or not, and would copy arrays with three axes.
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

MAX_COLUMN_ELEMENTS = 1 << 26
"""Elements of im2col's matrix that are computed at a time: 256 MiB in float32."""

MIN_WINOGRAD_CHANNELS = 16
"""With fewer input or output channels, Winograd's transforms move more memory than its products save. An estimate."""


def conv(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv."""
    if _use_winograd(weight.shape, x.dtype, stride, dilation, groups):
        return winograd_conv(x, weight, bias, padding)
    if _is_depthwise(weight.shape, groups):
        y = depthwise_conv(x, weight, stride, padding, dilation)
    else:
        y = _im2col_conv(x, weight, stride, padding, dilation, groups)
    if bias is not None:
        add_bias(y, bias)
    return y


def _im2col_conv(x: Array, weight: Array, stride: Size, padding: Size, dilation: Size, groups: int) -> Array:
    x, kernel, xp = to_channels_last(x), weight.shape[2:], get_array_module(x)
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y, matrix = empty_channels_last((len(x), len(weight), *out), x), _weight_matrix(weight, groups)
    if _is_pointwise(kernel, stride, padding, groups):
        xp.matmul(to_matrix(x), matrix[0], out=to_matrix(y))
        return y
    for images in split_by_budget(len(x), prod(out) * prod(kernel) * x.shape[1], MAX_COLUMN_ELEMENTS):
        columns = im2col(x[images], kernel, stride, padding, dilation, out, groups)
        if groups == 1:
            xp.matmul(columns[0], matrix[0], out=to_matrix(y[images]))
        else:
            to_matrix(y[images])[...] = _join_groups(columns @ matrix)
    return y


def conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv_input_grad."""
    covered = tuple(n + 2 - 2 * p for n, p in zip(grad.shape[2:], padding, strict=True))
    fits = max(padding) <= 2 and covered == tuple(size)
    if fits and _use_winograd(weight.shape, grad.dtype, stride, dilation, groups):
        return winograd_conv_input_grad(grad, weight, padding)
    if _is_depthwise(weight.shape, groups):
        return depthwise_conv_input_grad(grad, weight, size, stride, padding, dilation)
    grad, kernel, out, xp = to_channels_last(grad), weight.shape[2:], grad.shape[2:], get_array_module(grad)
    channels = weight.shape[1] * groups
    grad_x, matrix = empty_channels_last((len(grad), channels, *size), grad), _weight_matrix(weight, groups)
    if _is_pointwise(kernel, stride, padding, groups) and tuple(size) == out:
        xp.matmul(to_matrix(grad), matrix[0].T, out=to_matrix(grad_x))
        return grad_x
    for images in split_by_budget(len(grad), prod(out) * prod(kernel) * channels, MAX_COLUMN_ELEMENTS):
        rows = to_matrix(grad[images])
        columns = rows @ matrix[0].T if groups == 1 else _split_groups(rows, groups) @ matrix.transpose(0, 2, 1)
        col2im(columns, grad_x[images], kernel, stride, padding, dilation, out, groups)
    return grad_x


def conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv_weight_grad."""
    filters, channels, xp = grad.shape[1], x.shape[1], get_array_module(x)
    shape = (filters, channels // groups, *kernel)
    if _use_winograd(shape, x.dtype, stride, dilation, groups):
        return winograd_conv_weight_grad(grad, x, padding)
    if _is_depthwise(shape, groups):
        return depthwise_conv_weight_grad(grad, x, kernel, stride, padding, dilation)
    x, grad, out = to_channels_last(x), to_channels_last(grad), grad.shape[2:]
    if _is_pointwise(kernel, stride, padding, groups):
        return (to_matrix(grad).T @ to_matrix(x)).reshape(shape)
    matrix = xp.zeros((groups, prod(kernel) * channels // groups, filters // groups), x.dtype)
    for images in split_by_budget(len(x), prod(out) * prod(kernel) * channels, MAX_COLUMN_ELEMENTS):
        columns, rows = im2col(x[images], kernel, stride, padding, dilation, out, groups), to_matrix(grad[images])
        if groups == 1:
            matrix[0] += columns[0].T @ rows
        else:
            matrix += columns.transpose(0, 2, 1) @ _split_groups(rows, groups)
    split = matrix.reshape(groups, prod(kernel), channels // groups, filters // groups)
    return xp.ascontiguousarray(split.transpose(0, 3, 2, 1)).reshape(shape)


def _use_winograd(shape: Size, dtype: np.dtype, stride: Size, dilation: Size, groups: int) -> bool:
    """Return True if Winograd convolution applies to a weight of this shape, and is probably faster."""
    applies = shape[2:] == KERNEL and max(*stride, *dilation) == 1 and groups == 1 and dtype == np.float32
    return applies and min(shape[:2]) >= MIN_WINOGRAD_CHANNELS and winograd_allowed() and not tf32_allowed()


def _is_depthwise(shape: Size, groups: int) -> bool:
    """Return True if a weight of this shape has one kernel per channel."""
    return 1 < groups == shape[0] and shape[1] == 1


def _is_pointwise(kernel: Size, stride: Size, padding: Size, groups: int) -> bool:
    """Return True if every window is a pixel, and every pixel a window."""
    return groups == 1 and prod(kernel) == 1 and max(stride) == 1 and not any(padding)


def _weight_matrix(weight: Array, groups: int) -> Array:
    """Return `weight` as (G, K C / G, F / G), with rows in the order of a window's elements."""
    filters, channels = weight.shape[:2]
    split = weight.reshape(groups, filters // groups, channels, -1).transpose(0, 3, 2, 1)
    return get_array_module(weight).ascontiguousarray(split).reshape(groups, -1, filters // groups)


def _split_groups(rows: Array, groups: int) -> Array:
    """Return (M, F) as (G, M, F / G)."""
    return rows.reshape(len(rows), groups, -1).transpose(1, 0, 2)


def _join_groups(products: Array) -> Array:
    """Return the inverse of _split_groups."""
    groups, rows, width = products.shape
    return products.transpose(1, 0, 2).reshape(rows, groups * width)
