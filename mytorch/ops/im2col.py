"""Convolution as one matrix product (im2col: Chellapilla, Puri and Simard 2006): a window is a row, a filter a column.

Its gradients are the same product with the factors turned. Rows are made for a band of outputs at a time, so that they
are still in the cache when the product reads them. Arrays and names as in `mytorch.ops.conv`, which chooses.
"""

from collections.abc import Sequence
from functools import reduce
from math import prod

import numpy as np

from mytorch import memory
from mytorch.device import Array
from mytorch.geometry import Band, Size, bands, channels_last, cut, empty, output_size, padded_size, taps
from mytorch.threads import PART, spread


def im2col(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """Correlation of `x` with `weight`, plus `bias` (F,). Returns y."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty((len(x), len(weight), *out), x)
    source, target, matrix = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1), _matrix(weight, groups)

    def work(run: Sequence[Band]) -> None:
        for band in run:
            rows = _rows(target, band, groups)
            np.matmul(_columns(source, band, out, kernel, stride, padding, dilation, groups), matrix, out=rows)
            if bias is not None:
                rows += bias.reshape(groups, 1, -1)

    spread(_bands(target.shape, matrix), work)
    return y


def im2col_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """Gradient at the input, (N, C, *size): every window's gradient added back where the window stood (col2im)."""
    kernel, out, channels = weight.shape[2:], grad.shape[2:], weight.shape[1] * groups
    result = empty((len(grad), channels, *size), grad)
    source, target = np.moveaxis(channels_last(grad), 1, -1), np.moveaxis(result, 1, -1)
    transposed = _matrix(weight, groups).transpose(0, 2, 1)
    inner = tuple(slice(p, p + n) for p, n in zip(padding, size, strict=True))

    def work(run: Sequence[Band]) -> None:
        for band in run:
            rows = _rows(source, band, groups)
            columns = np.matmul(
                rows, transposed, out=memory.empty((groups, rows.shape[1], transposed.shape[2]), rows.dtype)
            )
            windows = columns.reshape(groups, -1, *out, prod(kernel), channels // groups)
            padded = memory.empty((windows.shape[1], *padded_size(size, padding), channels), rows.dtype)
            padded[...] = 0
            split = np.moveaxis(padded.reshape(*padded.shape[:-1], groups, -1), -2, 0)  # (G, n, *padded size, C / G)
            for k, (_, *seen) in enumerate(taps(kernel, stride, dilation, out)):
                split[:, :, *seen] += windows[..., k, :]
            target[band.images] = padded[:, *inner]

    whole = [Band(slice(i, i + 1), 0, out[0]) for i in range(len(grad))]
    spread(whole, work)
    return result


def im2col_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """Gradient at the weight, (F, C / groups, *kernel)."""
    out, filters, channels = grad.shape[2:], grad.shape[1], x.shape[1]
    source, above = np.moveaxis(x, 1, -1), np.moveaxis(channels_last(grad), 1, -1)
    shape = (groups, prod(kernel) * channels // groups, filters // groups)

    def work(run: Sequence[Band]) -> Array:
        total, part = memory.zeros(shape, x.dtype), memory.empty(shape, x.dtype)
        for band in run:
            columns = _columns(source, band, out, kernel, stride, padding, dilation, groups)
            total += np.matmul(columns.transpose(0, 2, 1), _rows(above, band, groups), out=part)
        return total

    total = reduce(
        np.add, spread(_bands(above.shape, np.empty(shape, x.dtype)), work) or [memory.zeros(shape, x.dtype)]
    )
    return _weight(total, (filters, channels // groups, *kernel))


def _columns(
    source: Array, band: Band, out: Size, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """The windows of a band as rows, (G, n * positions, K C / G), from pixels (N, *size, C)."""
    counts = (band.bottom - band.top, *out[1:])
    reach = tuple((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(counts, stride, dilation, kernel, strict=True))
    first = (band.top * stride[0] - padding[0], *(-p for p in padding[1:]))
    box = cut(source, band.images, first, reach)
    if prod(kernel) == prod(stride) == groups == 1:  # the pixels themselves
        return box.reshape(1, -1, box.shape[-1])
    image, *pixel, channel = box.strides
    share = box.shape[-1] // groups
    shape = (len(box), *counts, groups, *kernel, share)
    strides = (
        image,
        *(s * p for s, p in zip(stride, pixel, strict=True)),
        share * channel,
        *(d * p for d, p in zip(dilation, pixel, strict=True)),
        channel,
    )
    columns = memory.empty(shape, box.dtype)
    columns[...] = np.lib.stride_tricks.as_strided(box, shape, strides, writeable=False)
    return columns.reshape(len(box) * prod(counts), groups, -1).transpose(1, 0, 2)


def _rows(pixels: Array, band: Band, groups: int) -> Array:
    """The outputs of a band as matrices (G, n * positions, F / G): a view to fill."""
    rows = pixels[band.images, band.top : band.bottom]
    return rows.reshape(-1, groups, pixels.shape[-1] // groups).transpose(1, 0, 2)


def _bands(shape: Size, matrix: Array) -> list[Band]:
    """Bands of outputs (N, *out, F), whose windows, rows of a product with `matrix`, fit the cache."""
    groups, long, _ = matrix.shape
    return bands(shape[0], shape[1], max(1, PART // (groups * long * prod(shape[2:-1]) * matrix.itemsize)))


def _matrix(weight: Array, groups: int) -> Array:
    """`weight` as (G, K C / G, F / G), its rows in the order of a window's elements."""
    filters, channels = weight.shape[:2]
    split = weight.reshape(groups, filters // groups, channels, -1)
    return split.transpose(0, 3, 2, 1).reshape(groups, -1, filters // groups)


def _weight(matrix: Array, shape: Size) -> Array:
    """The inverse of _matrix: (G, K C / G, F / G) as a weight of `shape`."""
    filters, channels = shape[:2]
    split = matrix.reshape(len(matrix), -1, channels, filters // len(matrix))
    return np.ascontiguousarray(split.transpose(0, 3, 2, 1).reshape(shape))
