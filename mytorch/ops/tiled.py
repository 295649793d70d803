"""Convolution in two dimensions by a quick algorithm of `mytorch.ops.bilinear` along each axis, tile by tile.

A tile of x is transformed along its rows and columns, multiplied with the transformed kernel, element by element, and
transformed back. Summed over channels, the products are matrix products, (tiles, C) by (C, F), one for each of the P
elements of a transformed tile. The images of a band lie innermost but for the channels: (rows, columns, images, C). So
an axis is transformed by products with a small matrix on the left whose other factor has long rows, seen where it
stands: tiles overlap, and none is gathered.

The weight's gradient is the same matrices turned: kernel^T [(inputs x) * (outputs^T grad)], summed over tiles.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import prod

import numpy as np

from mytorch import memory
from mytorch.device import Array
from mytorch.geometry import Band, Size, channels_last, empty, fill
from mytorch.ops.bilinear import Axis
from mytorch.threads import PART, get_num_threads, share, spread

IMAGES = 8
"""Images worked on at a time, where there are so many."""

UNPACKED = 10**6
"""Rows times columns times depth up to which OpenBLAS multiplies matrices as they lie, without a copy beforehand."""

FEW, MANY, ALONG = 24, 128, 256
"""Tiles worked on at a time: more where packing is worth its while, so few that a cache holds them.

ALONG a sequence they are smaller, and fewer of them would be done before another thread is awake.
"""

Axes = tuple[Axis, Axis]


def suitable(products: int, channels: int, filters: int, out: Size) -> int:
    """How many tiles at a time suit products with matrices (P, channels, filters): each time, all are read again."""
    if out[0] == 1:
        return ALONG
    unpacked, kernels = UNPACKED // (channels * filters), 4 * products * channels * filters
    return min(unpacked, MANY) if unpacked >= FEW and kernels <= PART else MANY


def correlation(x: Array, kernels: Array, bias: Array | None, out: Size, axes: Axes, tiles: int | None) -> Array:
    """y (N, F, *out), from x (N, C, H, W) and kernels that are transformed already, (P, C, F). About `tiles` at once.

    None: as many as are suitable.
    """
    products, channels, filters = kernels.shape
    y = empty((len(x), filters, *out), x)
    source, target = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1)
    back = [axis.outputs.astype(np.float32) for axis in axes]
    tile = tuple(map(len, back))

    def work(run: Sequence[Band]) -> None:
        for grid, alike in _alike(run, out, tile):
            seen = _Tiles(source, grid, [a.inputs for a in axes], [a.step for a in axes], [a.start for a in axes])
            multiplied = _room(products, prod(grid), filters)
            half = _room(len(axes[0].inputs), tile[1], prod(grid) * filters)
            made = half if _alone(back[0]) else _room(*tile, prod(grid) * filters)
            finished = made.reshape(*tile, *grid, filters)
            for band in alike:
                np.matmul(seen.of(band), kernels, out=multiplied)
                np.matmul(back[1], multiplied.reshape(len(half), -1, half.shape[-1]), out=half)
                if not _alone(back[0]):
                    np.matmul(back[0], half.reshape(len(half), -1), out=made.reshape(tile[0], -1))
                if bias is not None:
                    finished += bias
                _scatter(finished, target, band)

    spread(_bands(len(x), out, tile, tiles or suitable(products, channels, filters, out)), work)
    return y


def weight_grad(grad: Array, x: Array, kernel: Size, axes: Axes, tiles: int | None) -> Array:
    """Gradient at the weight, (F, C, *kernel), from grad (N, F, OH, OW) and x (N, C, H, W)."""
    filters, channels, out = grad.shape[1], x.shape[1], grad.shape[2:]
    source, above = np.moveaxis(x, 1, -1), np.moveaxis(channels_last(grad), 1, -1)
    tile, products = tuple(len(axis.outputs) for axis in axes), prod(len(axis.inputs) for axis in axes)

    def work(run: Sequence[Band]) -> Array:
        total, part = (memory.empty((products, filters, channels), x.dtype) for _ in range(2))
        into = total  # the first band's products are a total; the others' are added to it
        for grid, alike in _alike(run, out, tile):
            seen = _Tiles(source, grid, [a.inputs for a in axes], [a.step for a in axes], [a.start for a in axes])
            given = _Tiles(above, grid, [a.outputs.T for a in axes], tile, (0, 0))
            for band in alike:
                np.matmul(given.of(band).transpose(0, 2, 1), seen.of(band), out=into)
                if into is part:
                    total += part
                into = part
        return total.reshape(products, -1)

    totals = spread(_bands(len(x), out, tile, tiles or suitable(products, channels, filters, out)), work)
    transform, weight = _kernel_transform(axes), memory.zeros((filters * channels, prod(kernel)), x.dtype)

    def back(some: slice) -> None:
        for total in totals:
            weight[some] += total[:, some].T @ transform

    share(len(weight), 2 * products * x.itemsize, back)
    return weight.reshape(filters, channels, *kernel)


def transformed(weight: Array, axes: Axes, turned: bool = False) -> Array:
    """Every kernel of `weight` (F, C, *kernel) transformed, for `correlation`: (P, C, F), turned: (P, F, C).

    As they lie in memory, too: products with small matrices take half as long again where one is turned.
    """
    weight = weight if turned else weight.swapaxes(0, 1)
    channels, filters, *kernel = weight.shape
    transform = _kernel_transform(axes)
    kernels = memory.empty((len(transform), channels, filters), np.float32)

    def work(some: slice) -> None:
        elements = weight[some].reshape(-1, prod(kernel)).T
        np.matmul(transform, elements, out=kernels[:, some].reshape(len(kernels), -1))

    share(channels, 2 * len(transform) * filters * 4, work)
    return kernels


def _kernel_transform(axes: Axes) -> Array:
    """The kernel's transform along both axes, (P, elements of a kernel)."""
    return np.kron(axes[0].kernel, axes[1].kernel).astype(np.float32)


def _bands(count: int, out: Size, tile: Size, most: int) -> list[Band]:
    """Bands of rows of tiles that cover `count` images of `out`, of about `most` tiles, as many as threads at least."""
    rows, columns = (-(-n // t) for n, t in zip(out, tile, strict=True))
    threads = get_num_threads()
    images = max(1, min(max(IMAGES, most // (rows * columns)), -(-count // threads), most // columns))
    parts = max(-(-rows // max(1, most // (images * columns))), -(-threads * images // max(1, count)))
    height = -(-rows // parts)
    return [
        Band(slice(first, min(first + images, count)), top, min(top + height, rows))
        for top in range(0, rows, height)
        for first in range(0, count, images)
    ]


def _alike(run: Sequence[Band], out: Size, tile: Size) -> Iterator[tuple[Size, Iterator[Band]]]:
    """Runs of bands whose tiles lie alike, as (rows, columns, images) of tiles: they work in the same memory."""
    columns = -(-out[1] // tile[1])
    return groupby(run, lambda band: (band.bottom - band.top, columns, band.images.stop - band.images.start))


class _Tiles:
    """Transformed tiles of bands that lie alike in pixels (N, H, W, C), each a `step` after the one before."""

    def __init__(self, source: Array, grid: Size, matrices: Sequence[Array], step: Sequence[int], start: Sequence[int]):
        self.source, self.step, self.start, self.cleared = source, step, start, -1
        self.matrices = [matrix.astype(np.float32) for matrix in matrices]
        (high, tall), (wide, broad) = (matrix.shape for matrix in matrices)
        rows, columns, images = grid
        run = images * source.shape[-1]
        reach = (step[0] * (rows - 1) + tall, step[1] * (columns - 1) + broad)
        self.box = memory.empty((*reach, images, source.shape[-1]), np.float32)
        line, pixel = reach[1] * run * 4, run * 4
        self.rows = _seen(self.box, (rows, tall, reach[1] * run), (step[0] * line, line, 4))
        half = (rows, high, reach[1] * run)
        self.half = self.box.reshape(half) if _alone(self.matrices[0]) else memory.empty(half, np.float32)
        self.columns = _seen(
            self.half, (rows, high, columns, broad, run), (high * line, line, step[1] * pixel, pixel, 4)
        )
        self.tiles = memory.empty((high, wide, rows, columns, run), np.float32)

    def of(self, band: Band) -> Array:
        """A band's, (P, tiles, C), zero outside of the image; good until the next's."""
        start = (self.step[0] * band.top + self.start[0], self.start[1])
        fill(self.box.transpose(2, 0, 1, 3), self.source, band.images, start, cleared=band.top == self.cleared)
        self.cleared = band.top
        if not _alone(self.matrices[0]):
            np.matmul(self.matrices[0], self.rows, out=self.half)
        np.matmul(self.matrices[1], self.columns, out=self.tiles.transpose(2, 0, 3, 1, 4))
        high, wide = self.tiles.shape[:2]
        return self.tiles.reshape(high * wide, -1, self.source.shape[-1])


def _alone(matrix: Array) -> bool:
    """Whether an axis has one input and one output, as the first has in sequences: it is as it should be already."""
    return matrix.shape == (1, 1)


def _seen(array: Array, shape: Size, strides: Size) -> Array:
    return np.lib.stride_tricks.as_strided(array, shape, strides, writeable=False)


def _room(*shape: int) -> Array:
    return memory.empty(shape, np.float32)


def _scatter(tiles: Array, target: Array, band: Band) -> None:
    """Put output tiles (*tile, rows, columns, n, F) where they stand, without what hangs over the edge."""
    high, wide, rows, columns, images, filters = tiles.shape
    part = target[band.images, high * band.top : high * band.bottom]
    if part.shape[1:3] == (high * rows, wide * columns):
        part.reshape(images, rows, high, columns, wide, filters)[...] = tiles.transpose(4, 2, 0, 3, 1, 5)
        return
    for i in range(high):
        for j in range(wide):
            some = part[:, i::high, j::wide]
            some[...] = tiles[i, j, : some.shape[1], : some.shape[2]].transpose(2, 0, 1, 3)
