"""Convolution as one matrix product (im2col: Chellapilla, Puri and Simard 2006): a row per window, a column per filter.

Its gradients are the same product with the factors transposed. The rows are built for one band of outputs at a time, so
that they are still in the cache when the product reads them. Arrays and names as in `mytorch.ops.conv`, which decides
when to use this method.
"""

from collections.abc import Sequence
from functools import reduce
from math import prod

import numpy as np

from mytorch import memory
from mytorch.device import Array
from mytorch.geometry import (
    Band,
    Size,
    crop_into,
    empty_channels_last,
    output_size,
    padded_size,
    split_into_bands,
    tap_slices,
    to_channels_last,
)
from mytorch.threads import CHUNK_BYTES, parallel_for, parallel_map


def im2col_conv(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """Return the correlation of `x` with `weight`, plus `bias` (F,) unless it is None."""
    kernel = weight.shape[2:]
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding, dilation))
    y = empty_channels_last((len(x), len(weight), *out), x)
    source, target, matrix = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1), _weight_matrix(weight, groups)
    offset = None if bias is None else bias.reshape(groups, 1, -1)

    def work(run: Sequence[Band]) -> None:
        windows = _Windows(source, out, kernel, stride, padding, dilation, groups)
        for band in run:
            rows = _band_rows(target, band, groups)
            np.matmul(windows.gather(band), matrix, out=rows)
            if offset is not None:
                rows += offset

    parallel_map(_split(target.shape, matrix), work)
    return y


def im2col_conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """Return the gradient at the input, (N, C, *size): every window's gradient, added at its place (col2im)."""
    kernel, out, channels = weight.shape[2:], grad.shape[2:], weight.shape[1] * groups
    result = empty_channels_last((len(grad), channels, *size), grad)
    source, target = np.moveaxis(to_channels_last(grad), 1, -1), np.moveaxis(result, 1, -1)
    transposed = _weight_matrix(weight, groups).transpose(0, 2, 1)
    inside = tuple(slice(p, p + n) for p, n in zip(padding, size, strict=True))

    def work(images: slice) -> None:
        rows = _band_rows(source, Band(images, 0, out[0]), groups)
        columns = memory.empty((groups, rows.shape[1], transposed.shape[2]), rows.dtype)
        np.matmul(rows, transposed, out=columns)
        windows = columns.reshape(groups, -1, *out, prod(kernel), channels // groups)
        padded = memory.zeros((windows.shape[1], *padded_size(size, padding), channels), rows.dtype)
        by_group = np.moveaxis(padded.reshape(*padded.shape[:-1], groups, -1), -2, 0)  # (G, n, *padded size, C / G)
        for k, (_, *tap) in enumerate(tap_slices(kernel, stride, dilation, out)):
            by_group[:, :, *tap] += windows[..., k, :]
        target[images] = padded[:, *inside]

    parallel_for(len(grad), prod(out) * prod(kernel) * channels * grad.itemsize, work)
    return result


def im2col_conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """Return the gradient at the weight, (F, C / groups, *kernel)."""
    out, filters, channels = grad.shape[2:], grad.shape[1], x.shape[1]
    x_pixels, grad_pixels = np.moveaxis(x, 1, -1), np.moveaxis(to_channels_last(grad), 1, -1)
    shape = (groups, prod(kernel) * channels // groups, filters // groups)

    def work(run: Sequence[Band]) -> Array:
        total, term = memory.zeros(shape, x.dtype), memory.empty(shape, x.dtype)
        windows = _Windows(x_pixels, out, kernel, stride, padding, dilation, groups)
        for band in run:
            columns = windows.gather(band).transpose(0, 2, 1)
            total += np.matmul(columns, _band_rows(grad_pixels, band, groups), out=term)
        return total

    totals = parallel_map(_split(grad_pixels.shape, np.empty(shape, x.dtype)), work)
    total = reduce(np.add, totals or [memory.zeros(shape, x.dtype)])
    return _weight_from_matrix(total, (filters, channels // groups, *kernel))


class _Windows:
    """Gathers the windows of bands of outputs, from pixels (N, *size, C). Its buffers serve band after band."""

    def __init__(
        self, pixels: Array, out: Size, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int
    ):
        self.pixels, self.out, self.kernel, self.groups = pixels, out, kernel, groups
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.is_pointwise = prod(kernel) == prod(stride) == groups == 1 and not any(padding)
        self.band_size, self.zeroed_top = (0, 0), -1

    def gather(self, band: Band) -> Array:
        """Return the windows of a band as rows, (G, n * positions, K C / G). They are valid until the next call."""
        if self.is_pointwise:  # a window is a pixel, and pixels are rows already
            return self.pixels[band.images, band.top : band.bottom].reshape(1, -1, self.pixels.shape[-1])
        band_size = (band.images.stop - band.images.start, band.bottom - band.top)
        if band_size != self.band_size:
            self._allocate(*band_size)
        start = (band.top * self.stride[0] - self.padding[0], *(-p for p in self.padding[1:]))
        crop_into(self.box, self.pixels, band.images, start, zeroed=band.top == self.zeroed_top)
        self.zeroed_top = band.top
        np.copyto(self.columns, self.windows)
        return self.columns.reshape(prod(band_size) * prod(self.out[1:]), self.groups, -1).transpose(1, 0, 2)

    def _allocate(self, images: int, rows: int) -> None:
        """Allocate buffers for bands of this size: a box of pixels, a strided view of its windows, and their copy."""
        self.band_size, self.zeroed_top = (images, rows), -1
        outputs, channels = (rows, *self.out[1:]), self.pixels.shape[-1]
        geometry = zip(outputs, self.stride, self.dilation, self.kernel, strict=True)
        reach = ((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in geometry)
        self.box = memory.empty((images, *reach, channels), self.pixels.dtype)
        image, *pixel, channel = self.box.strides
        shape = (images, *outputs, self.groups, *self.kernel, channels // self.groups)
        strides = (
            image,
            *(s * p for s, p in zip(self.stride, pixel, strict=True)),
            channels // self.groups * channel,
            *(d * p for d, p in zip(self.dilation, pixel, strict=True)),
            channel,
        )
        self.windows = np.lib.stride_tricks.as_strided(self.box, shape, strides, writeable=False)
        self.columns = memory.empty(shape, self.pixels.dtype)


def _band_rows(pixels: Array, band: Band, groups: int) -> Array:
    """Return the pixels of a band as matrices (G, n * positions, F / G): a view, which may be written to."""
    rows = pixels[band.images, band.top : band.bottom]
    return rows.reshape(-1, groups, pixels.shape[-1] // groups).transpose(1, 0, 2)


def _split(shape: Size, matrix: Array) -> list[Band]:
    """Split outputs (N, *out, F) into bands whose windows, the rows of a product with `matrix`, fit the cache."""
    groups, row_elements, _ = matrix.shape
    row_bytes = groups * row_elements * prod(shape[2:-1]) * matrix.itemsize
    return split_into_bands(shape[0], shape[1], max(1, CHUNK_BYTES // row_bytes))


def _weight_matrix(weight: Array, groups: int) -> Array:
    """Return `weight` as (G, K C / G, F / G), with rows in the order of a window's elements."""
    filters, channels = weight.shape[:2]
    split = weight.reshape(groups, filters // groups, channels, -1)
    return split.transpose(0, 3, 2, 1).reshape(groups, -1, filters // groups)


def _weight_from_matrix(matrix: Array, shape: Size) -> Array:
    """Return the inverse of _weight_matrix: (G, K C / G, F / G) as a weight of `shape`."""
    filters, channels = shape[:2]
    split = matrix.reshape(len(matrix), -1, channels, filters // len(matrix))
    return np.ascontiguousarray(split.transpose(0, 3, 2, 1).reshape(shape))
