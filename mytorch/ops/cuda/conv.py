"""Convolution on the GPU: im2col and col2im by our kernels, the matrix product by cuBLAS. See `mytorch.ops.conv`."""

from math import prod

from mytorch.device import Array, namespace
from mytorch.geometry import Size, blocks, channels_last, empty, flat, output_size
from mytorch.ops.cuda.activation import add_bias
from mytorch.ops.cuda.loader import launch, window

BLOCK = 1 << 26
"""Elements of im2col's matrix made at a time: 256 MiB in float32."""


def conv(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv."""
    x, kernel = channels_last(x), weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y, matrix = empty((len(x), len(weight), *out), x), _matrix(weight, groups)
    for images in blocks(len(x), prod(out) * prod(kernel) * x.shape[1], BLOCK):
        products = im2col(x[images], kernel, stride, padding, dilation, out, groups) @ matrix
        flat(y[images])[...] = _joined(products)
    if bias is not None:
        add_bias(y, bias)
    return y


def conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv_input_grad."""
    grad, kernel, out = channels_last(grad), weight.shape[2:], grad.shape[2:]
    channels = weight.shape[1] * groups
    grad_x, transposed = empty((len(grad), channels, *size), grad), _matrix(weight, groups).transpose(0, 2, 1)
    for images in blocks(len(grad), prod(out) * prod(kernel) * channels, BLOCK):
        columns = _split(flat(grad[images]), groups) @ transposed
        col2im(columns, grad_x[images], kernel, stride, padding, dilation, out, groups)
    return grad_x


def conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """As mytorch.ops.conv.conv_weight_grad."""
    x, grad, out = channels_last(x), channels_last(grad), grad.shape[2:]
    filters, channels, xp = grad.shape[1], x.shape[1], namespace(x)
    matrix = xp.zeros((groups, prod(kernel) * channels // groups, filters // groups), x.dtype)
    for images in blocks(len(x), prod(out) * prod(kernel) * channels, BLOCK):
        columns = im2col(x[images], kernel, stride, padding, dilation, out, groups)
        matrix += columns.transpose(0, 2, 1) @ _split(flat(grad[images]), groups)
    split = matrix.reshape(groups, prod(kernel), channels // groups, filters // groups)
    return xp.ascontiguousarray(split.transpose(0, 3, 2, 1)).reshape(filters, channels // groups, *kernel)


def im2col(x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, out: Size, groups: int = 1) -> Array:
    """The windows of `x` as rows, (G, n * positions, K C / G)."""
    n, channels = x.shape[:2]
    columns = namespace(x).empty((groups, n * prod(out), prod(kernel) * channels // groups), x.dtype)
    geometry = window(x.shape[2:], out, kernel, stride, padding, dilation)
    launch("columns", "im2col", x, x, columns, geometry, n, channels, groups, count=columns.size)
    return columns


def col2im(
    columns: Array,
    x: Array,
    kernel: Size,
    stride: Size,
    padding: Size,
    dilation: Size,
    out: Size,
    groups: int = 1,
) -> None:
    """Fill `x` (n, C, *size), memory channels last, with the sum of all rows where their windows stand."""
    n, channels = x.shape[:2]
    columns = namespace(x).ascontiguousarray(columns)
    geometry = window(x.shape[2:], out, kernel, stride, padding, dilation)
    launch("columns", "col2im", x, columns, x, geometry, n, channels, groups, count=x.size)


def _matrix(weight: Array, groups: int) -> Array:
    """`weight` as (G, K C / G, F / G), its rows in the order of a window's elements."""
    filters, channels = weight.shape[:2]
    split = weight.reshape(groups, filters // groups, channels, -1).transpose(0, 3, 2, 1)
    return namespace(weight).ascontiguousarray(split).reshape(groups, -1, filters // groups)


def _split(rows: Array, groups: int) -> Array:
    """(M, F) as (G, M, F / G)."""
    return rows.reshape(len(rows), groups, -1).transpose(1, 0, 2)


def _joined(products: Array) -> Array:
    """The inverse of _split."""
    groups, rows, width = products.shape
    return products.transpose(1, 0, 2).reshape(rows, groups * width)
