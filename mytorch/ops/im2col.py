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
from mytorch.geometry import Band, Size, bands, channels_last, empty, fill, output_size, padded_size, taps
from mytorch.threads import PART, share, spread


def im2col(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """Correlation of `x` with `weight`, plus `bias` (F,). Returns y."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty((len(x), len(weight), *out), x)
    source, target, matrix = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1), _matrix(weight, groups)
    offset = None if bias is None else bias.reshape(groups, 1, -1)

    def work(run: Sequence[Band]) -> None:
        windows = _Windows(source, out, kernel, stride, padding, dilation, groups)
        for band in run:
            rows = _rows(target, band, groups)
            np.matmul(windows.of(band), matrix, out=rows)
            if offset is not None:
                rows += offset

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

    def work(images: slice) -> None:
        rows = _rows(source, Band(images, 0, out[0]), groups)
        columns = memory.empty((groups, rows.shape[1], transposed.shape[2]), rows.dtype)
        np.matmul(rows, transposed, out=columns)
        windows = columns.reshape(groups, -1, *out, prod(kernel), channels // groups)
        padded = memory.zeros((windows.shape[1], *padded_size(size, padding), channels), rows.dtype)
        split = np.moveaxis(padded.reshape(*padded.shape[:-1], groups, -1), -2, 0)  # (G, n, *padded size, C / G)
        for k, (_, *seen) in enumerate(taps(kernel, stride, dilation, out)):
            split[:, :, *seen] += windows[..., k, :]
        target[images] = padded[:, *inner]

    share(len(grad), prod(out) * prod(kernel) * channels * grad.itemsize, work)
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
        windows = _Windows(source, out, kernel, stride, padding, dilation, groups)
        for band in run:
            total += np.matmul(windows.of(band).transpose(0, 2, 1), _rows(above, band, groups), out=part)
        return total

    found = spread(_bands(above.shape, np.empty(shape, x.dtype)), work)
    total = reduce(np.add, found or [memory.zeros(shape, x.dtype)])
    return _weight(total, (filters, channels // groups, *kernel))


class _Windows:
    """The windows of bands of outputs, from pixels (N, *size, C), in memory that serves from band to band."""

    def __init__(
        self, source: Array, out: Size, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int
    ):
        self.source, self.out, self.kernel, self.groups = source, out, kernel, groups
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.pixels = prod(kernel) == prod(stride) == groups == 1 and not any(padding)
        self.lying, self.cleared = (0, 0), -1

    def of(self, band: Band) -> Array:
        """A band's windows as rows, (G, n * positions, K C / G); good until the next band's."""
        if self.pixels:  # a window is a pixel, and they lie in rows already
            return self.source[band.images, band.top : band.bottom].reshape(1, -1, self.source.shape[-1])
        lying = (band.images.stop - band.images.start, band.bottom - band.top)
        if lying != self.lying:
            self._make_room(*lying)
        start = (band.top * self.stride[0] - self.padding[0], *(-p for p in self.padding[1:]))
        fill(self.box, self.source, band.images, start, cleared=band.top == self.cleared)
        self.cleared = band.top
        np.copyto(self.columns, self.view)
        return self.columns.reshape(prod(lying) * prod(self.out[1:]), self.groups, -1).transpose(1, 0, 2)

    def _make_room(self, count: int, rows: int) -> None:
        """Memory for the windows of so many images and rows, and the view of the pixels that gathers them."""
        self.lying, self.cleared, outputs, channels = (count, rows), -1, (rows, *self.out[1:]), self.source.shape[-1]
        geometry = zip(outputs, self.stride, self.dilation, self.kernel, strict=True)
        reach = ((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in geometry)
        self.box = memory.empty((count, *reach, channels), self.source.dtype)
        image, *pixel, channel = self.box.strides
        shape = (count, *outputs, self.groups, *self.kernel, channels // self.groups)
        strides = (
            image,
            *(s * p for s, p in zip(self.stride, pixel, strict=True)),
            channels // self.groups * channel,
            *(d * p for d, p in zip(self.dilation, pixel, strict=True)),
            channel,
        )
        self.view = np.lib.stride_tricks.as_strided(self.box, shape, strides, writeable=False)
        self.columns = memory.empty(shape, self.source.dtype)


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
