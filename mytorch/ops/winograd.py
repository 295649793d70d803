"""Winograd convolution: 3x3 kernels at stride 1 with a quarter of the multiplications, 5x5 with a sixth.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (arXiv 1509.09308): F(4x4, 3x3), where a tile of 6x6
inputs gives 4x4 outputs, and F(4x4, 5x5), where it has 8x8 inputs. Along one axis,

    y = A^T [(G w) * (B^T x)]        four outputs need six multiplications; direct convolution needs twelve.

`mytorch.ops.toom_cook` derives the matrices, for stride 2 as well. The steps are the paper's:

1. kernel transform: G w, once for all tiles
2. input transform: B^T x, along the rows and the columns of each tile
3. products: elementwise, summed over channels. For each of the P elements of a transformed tile this is a matrix
   product, (tiles, C) by (C, F)
4. output transform: A^T of the products

y is linear in x and in w, so both gradients use the same matrices transposed. The gradient at the input is the
convolution of the gradient with the flipped kernel; that at the weight is G^T [(B^T x) * (A grad)], summed over tiles.

In memory, tiles are (rows, columns, images, C). A transform along an axis is then the product of a
small matrix and a wide one. It reads strided views: tiles overlap, and none is copied.

The price is precision: the transforms add and subtract numbers of similar size, which costs float32 about one digit.
`mytorch.ops.conv` decides when to use it, and never does for float64. Arrays and names are as there.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import prod

import numpy as np

from mytorch import memory
from mytorch.device import Array
from mytorch.geometry import Band, Size, crop_into, empty_channels_last, output_size, to_channels_last
from mytorch.ops import toom_cook
from mytorch.ops.toom_cook import AxisTransform
from mytorch.threads import CHUNK_BYTES, get_num_threads, parallel_for, parallel_map

TILES_PER_STEP: int | None = None
"""Tiles that are processed at a time. None: chosen by the number of channels, see `_tiles_per_step`."""

IMAGES_PER_STEP = 8
"""Images that are processed at a time, if the batch has that many."""

MAX_UNPACKED_PRODUCT = 10**6
"""OpenBLAS multiplies matrices without packing (copying) them first if rows * columns * depth is at most this."""

MIN_TILES, MAX_TILES, SEQUENCE_TILES = 24, 128, 256
"""Bounds for `_tiles_per_step`. Up to MAX_TILES fit the cache; below MIN_TILES, packing the matrices is worthwhile.

Tiles of sequences are smaller, so more of them make a step; otherwise the work is done before another thread starts.
"""

Transforms = tuple[AxisTransform, AxisTransform]
"""The matrices for the rows and for the columns of a tile."""


def winograd_conv(x: Array, weight: Array, bias: Array | None, padding: Size, stride: Size = (1, 1)) -> Array:
    """Return the correlation of x (N, C, *size) with weight (F, C, *kernel), plus `bias` (F,).

    There are one or two spatial axes. Sequences are computed as images of one row.
    """
    if x.ndim == 3:
        return winograd_conv(x[:, :, None], weight[:, :, None], bias, (0, *padding), (1, *stride[-1:]))[:, :, 0]
    kernel = weight.shape[2:]
    rows, columns = map(toom_cook.forward_transform, kernel, stride, padding)
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding))
    return _correlate(x, _transform_kernels(weight, (rows, columns)), bias, out, (rows, columns))


def winograd_conv_input_grad(
    grad: Array, weight: Array, grad_padding: Size, stride: Size = (1, 1), size: Size | None = None
) -> Array:
    """Return the gradient at x, (N, C, *size), from grad (N, F, *out).

    grad_padding: kernel - 1 - padding of the convolution. At stride 1 the result is the correlation of `grad`, with
    this padding, with flipped kernels. size: that of x; by default the smallest that has these outputs.
    """
    if grad.ndim == 3:
        size = None if size is None else (1, *size)
        sequence = (grad[:, :, None], weight[:, :, None], (0, *grad_padding), (1, *stride[-1:]), size)
        return winograd_conv_input_grad(*sequence)[:, :, 0]
    kernel, out = weight.shape[2:], grad.shape[2:]
    padding = tuple(k - 1 - p for k, p in zip(kernel, grad_padding, strict=True))
    smallest = tuple((n - 1) * s + k - 2 * p for n, s, k, p in zip(out, stride, kernel, padding, strict=True))
    rows, columns = map(toom_cook.input_grad_transform, kernel, stride, padding)
    kernels = _transform_kernels(weight, (rows, columns), swap_channels=False)
    return _correlate(to_channels_last(grad), kernels, None, size or smallest, (rows, columns))


def winograd_conv_weight_grad(grad: Array, x: Array, kernel: Size, padding: Size, stride: Size = (1, 1)) -> Array:
    """Return the gradient at the weight, (F, C, *kernel)."""
    if x.ndim == 3:
        geometry = (1, *kernel), (0, *padding), (1, *stride[-1:])
        return winograd_conv_weight_grad(grad[:, :, None], x[:, :, None], *geometry)[:, :, 0]
    rows, columns = map(toom_cook.forward_transform, kernel, stride, padding)
    return _correlate_weight_grad(grad, x, kernel, (rows, columns))


def _correlate(x: Array, kernels: Array, bias: Array | None, out: Size, transforms: Transforms) -> Array:
    """Return y (N, F, *out) from x (N, C, H, W) and transformed kernels (P, C, F)."""
    products, channels, filters = kernels.shape
    y = empty_channels_last((len(x), filters, *out), x)
    source, target = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1)
    a_t = [transform.outputs.astype(np.float32) for transform in transforms]
    tile = tuple(map(len, a_t))
    tiles = TILES_PER_STEP or _tiles_per_step(products, channels, filters, out)

    def work(run: Sequence[Band]) -> None:
        for grid, bands in _group_by_grid(run, out, tile):
            inputs = _InputTransform(
                source,
                grid,
                [t.inputs for t in transforms],
                [t.step for t in transforms],
                [t.start for t in transforms],
            )
            multiplied = memory.empty((products, prod(grid), filters), np.float32)
            columns_done = memory.empty((len(transforms[0].inputs), tile[1], prod(grid) * filters), np.float32)
            outputs = columns_done
            if not _is_identity(a_t[0]):
                outputs = memory.empty((*tile, prod(grid) * filters), np.float32)
            output_tiles = outputs.reshape(*tile, *grid, filters)
            for band in bands:
                np.matmul(inputs.transform(band), kernels, out=multiplied)
                by_row = multiplied.reshape(len(columns_done), -1, columns_done.shape[-1])
                np.matmul(a_t[1], by_row, out=columns_done)
                if not _is_identity(a_t[0]):
                    rows = columns_done.reshape(len(columns_done), -1)
                    np.matmul(a_t[0], rows, out=outputs.reshape(tile[0], -1))
                if bias is not None:
                    output_tiles += bias
                _write_tiles(output_tiles, target, band)

    parallel_map(_split_into_bands(len(x), out, tile, tiles), work)
    return y


def _correlate_weight_grad(grad: Array, x: Array, kernel: Size, transforms: Transforms) -> Array:
    """Return the gradient at the weight, (F, C, *kernel), from grad (N, F, OH, OW) and x (N, C, H, W)."""
    filters, channels, out = grad.shape[1], x.shape[1], grad.shape[2:]
    x_pixels, grad_pixels = np.moveaxis(x, 1, -1), np.moveaxis(to_channels_last(grad), 1, -1)
    tile = tuple(len(transform.outputs) for transform in transforms)
    products = prod(len(transform.inputs) for transform in transforms)
    tiles = TILES_PER_STEP or _tiles_per_step(products, channels, filters, out)

    def work(run: Sequence[Band]) -> Array:
        total, term = (memory.empty((products, filters, channels), x.dtype) for _ in range(2))
        target = total  # the first band writes the total, the others are added to it
        for grid, bands in _group_by_grid(run, out, tile):
            inputs = _InputTransform(
                x_pixels,
                grid,
                [t.inputs for t in transforms],
                [t.step for t in transforms],
                [t.start for t in transforms],
            )
            gradients = _InputTransform(grad_pixels, grid, [t.outputs.T for t in transforms], tile, (0, 0))
            for band in bands:
                np.matmul(gradients.transform(band).transpose(0, 2, 1), inputs.transform(band), out=target)
                if target is term:
                    total += term
                target = term
        return total.reshape(products, -1)

    totals = parallel_map(_split_into_bands(len(x), out, tile, tiles), work)
    g, weight = _kernel_transform(transforms), memory.zeros((filters * channels, prod(kernel)), x.dtype)

    def transform_back(chunk: slice) -> None:
        for total in totals:
            weight[chunk] += total[:, chunk].T @ g

    parallel_for(len(weight), 2 * products * x.itemsize, transform_back)
    return weight.reshape(filters, channels, *kernel)


def _transform_kernels(weight: Array, transforms: Transforms, swap_channels: bool = True) -> Array:
    """Return the kernel transform of weight (F, C, *kernel): (P, C, F), or (P, F, C) without `swap_channels`.

    The result has this order in memory too: products with small matrices take 50 % longer if one is transposed.
    """
    weight = weight.swapaxes(0, 1) if swap_channels else weight
    channels, filters, *kernel = weight.shape
    g = _kernel_transform(transforms)
    kernels = memory.empty((len(g), channels, filters), np.float32)

    def work(chunk: slice) -> None:
        elements = weight[chunk].reshape(-1, prod(kernel)).T
        np.matmul(g, elements, out=kernels[:, chunk].reshape(len(kernels), -1))

    parallel_for(channels, 2 * len(g) * filters * 4, work)
    return kernels


def _kernel_transform(transforms: Transforms) -> Array:
    """Return G for both axes at once, (P, elements of a kernel)."""
    return np.kron(transforms[0].kernel, transforms[1].kernel).astype(np.float32)


def _tiles_per_step(products: int, channels: int, filters: int, out: Size) -> int:
    """Return how many tiles to process at a time. The matrices (P, channels, filters) are read once per step."""
    if out[0] == 1:
        return SEQUENCE_TILES
    unpacked, kernel_bytes = MAX_UNPACKED_PRODUCT // (channels * filters), 4 * products * channels * filters
    return min(unpacked, MAX_TILES) if unpacked >= MIN_TILES and kernel_bytes <= CHUNK_BYTES else MAX_TILES


def _split_into_bands(count: int, out: Size, tile: Size, tiles: int) -> list[Band]:
    """Split `count` images of outputs into bands of tile rows, of about `tiles` tiles, at least one for each thread."""
    rows, columns = (-(-n // t) for n, t in zip(out, tile, strict=True))
    threads = get_num_threads()
    images = max(1, min(max(IMAGES_PER_STEP, tiles // (rows * columns)), -(-count // threads), tiles // columns))
    parts = max(-(-rows // max(1, tiles // (images * columns))), -(-threads * images // max(1, count)))
    height = -(-rows // parts)
    return [
        Band(slice(first, min(first + images, count)), top, min(top + height, rows))
        for top in range(0, rows, height)
        for first in range(0, count, images)
    ]


def _group_by_grid(run: Sequence[Band], out: Size, tile: Size) -> Iterator[tuple[Size, Iterator[Band]]]:
    """Group consecutive bands with the same grid of tiles, (rows, columns, images). A group shares its buffers."""
    columns = -(-out[1] // tile[1])
    return groupby(run, lambda band: (band.bottom - band.top, columns, band.images.stop - band.images.start))


class _InputTransform:
    """The input transform for bands of one grid, from pixels (N, H, W, C). Its buffers serve band after band.

    matrices: for the rows and for the columns of a tile. step: distance between the starts of two tiles; start: where
    the first tile starts.
    """

    def __init__(self, pixels: Array, grid: Size, matrices: Sequence[Array], step: Sequence[int], start: Sequence[int]):
        self.pixels, self.step, self.start, self.zeroed_top = pixels, step, start, -1
        self.matrices = [matrix.astype(np.float32) for matrix in matrices]
        (products_high, tile_high), (products_wide, tile_wide) = (matrix.shape for matrix in matrices)
        rows, columns, images = grid
        run = images * pixels.shape[-1]
        height, width = step[0] * (rows - 1) + tile_high, step[1] * (columns - 1) + tile_wide
        self.box = memory.empty((height, width, images, pixels.shape[-1]), np.float32)
        row_bytes, pixel_bytes = width * run * 4, run * 4
        self.tile_rows = _strided_view(self.box, (rows, tile_high, width * run), (step[0] * row_bytes, row_bytes, 4))
        rows_shape = (rows, products_high, width * run)
        identity = _is_identity(self.matrices[0])
        self.rows_done = self.box.reshape(rows_shape) if identity else memory.empty(rows_shape, np.float32)
        self.tile_columns = _strided_view(
            self.rows_done,
            (rows, products_high, columns, tile_wide, run),
            (products_high * row_bytes, row_bytes, step[1] * pixel_bytes, pixel_bytes, 4),
        )
        self.tiles = memory.empty((products_high, products_wide, rows, columns, run), np.float32)

    def transform(self, band: Band) -> Array:
        """Return the transformed tiles of a band, (P, tiles, C). Pixels outside the image are zero.

        The result is valid until the next call.
        """
        start = (self.step[0] * band.top + self.start[0], self.start[1])
        zeroed = band.top == self.zeroed_top
        crop_into(self.box.transpose(2, 0, 1, 3), self.pixels, band.images, start, zeroed)
        self.zeroed_top = band.top
        if not _is_identity(self.matrices[0]):
            np.matmul(self.matrices[0], self.tile_rows, out=self.rows_done)
        np.matmul(self.matrices[1], self.tile_columns, out=self.tiles.transpose(2, 0, 3, 1, 4))
        high, wide = self.tiles.shape[:2]
        return self.tiles.reshape(high * wide, -1, self.pixels.shape[-1])


def _is_identity(matrix: Array) -> bool:
    """Return True for the transform of an axis with one input and one output, such as the first axis of sequences."""
    return matrix.shape == (1, 1)


def _strided_view(array: Array, shape: Size, strides: Size) -> Array:
    return np.lib.stride_tricks.as_strided(array, shape, strides, writeable=False)


def _write_tiles(tiles: Array, target: Array, band: Band) -> None:
    """Write output tiles (*tile, rows, columns, n, F) to their places, without what exceeds the image."""
    high, wide, rows, columns, images, filters = tiles.shape
    area = target[band.images, high * band.top : high * band.bottom]
    if area.shape[1:3] == (high * rows, wide * columns):
        area.reshape(images, rows, high, columns, wide, filters)[...] = tiles.transpose(4, 2, 0, 3, 1, 5)
        return
    for i in range(high):
        for j in range(wide):
            some = area[:, i::high, j::wide]
            some[...] = tiles[i, j, : some.shape[1], : some.shape[2]].transpose(2, 0, 1, 3)
