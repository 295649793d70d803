"""Winograd's convolution: 3x3 kernels at stride 1 with a quarter of the multiplications, 5x5 with a third.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (arXiv 1509.09308): F(4x4, 3x3), where a tile of 6x6
inputs gives 4x4 outputs, and F(2x2, 5x5), where it gives 2x2. With the matrices below, along one axis,

    y = A^T [(G w) * (B^T x)]        four outputs by six products, where the definition takes twelve.

The idea: correlation is the transpose of multiplying polynomials, and a polynomial is known by its values at enough
points, where products are taken number by number. A and G hold the powers of the points 0, 1, -1, 2, -2 and infinity;
B interpolates. Along two axes each matrix is applied to rows and to columns: one product with a Kronecker product. And
the products, summed over channels, are 36 matrix products, (tiles, C) by (C, F), one for each element of a tile.

y is linear in x and in w, so both gradients are the same matrices turned: that of the input is the convolution of the
gradient with the turned kernel; that of the weight is G^T [(B^T x) * (A grad)], summed over tiles.

The price is rounding: the transforms add and subtract numbers of like size, which costs float32 about one digit.
`mytorch.ops.conv` chooses, and never chooses this for float64. Arrays and names are as there.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import prod

import numpy as np

from mytorch import memory
from mytorch.device import Array
from mytorch.geometry import Band, Size, bands, channels_last, empty, fill
from mytorch.threads import share, spread

KERNELS = (3, 5)
"""Sizes of a kernel, along either axis, for which six inputs make a tile."""

POINTS = (0, 1, -1, 2, -2)
"""The sixth is infinity, at which a polynomial's value is its last coefficient."""

SEEN = 6
"""Inputs of a tile along one axis."""

ALL = SEEN * SEEN
"""Elements of a tile."""

B = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
).T

SCALE = np.array([1 / 4, -1 / 6, -1 / 6, 1 / 24, 1 / 24, 1])
"""What interpolation divides by at each point; it is multiplied into the kernels, which are few."""

TILES = 128
"""Tiles worked on at a time: so many that NumPy's calls are long and Python's few, so few that a cache holds them."""


def winograd(x: Array, weight: Array, bias: Array | None, padding: Size) -> Array:
    """Correlation of x (N, C, H, W) with weight (F, C, 3 or 5, 3 or 5), plus `bias`."""
    kernel = weight.shape[2:]
    return _correlation(x, _transformed(weight, _kernel_transform(kernel)).swapaxes(1, 2), bias, kernel, padding)


def winograd_input_grad(grad: Array, weight: Array, padding: Size) -> Array:
    """Gradient at x, the correlation of grad (N, F, OH, OW), so padded, with the turned kernels.

    What turns a kernel is that its transform takes the elements from the last to the first.
    """
    kernel = weight.shape[2:]
    kernels = _transformed(weight, np.ascontiguousarray(_kernel_transform(kernel)[:, ::-1]))
    return _correlation(channels_last(grad), kernels, None, kernel, padding)


def _correlation(x: Array, kernels: Array, bias: Array | None, kernel: Size, padding: Size) -> Array:
    """Correlation of x (N, C, H, W) with kernels that are transformed already, (36, C, F)."""
    _, channels, filters = kernels.shape
    out = tuple(n + 2 * p - k + 1 for n, p, k in zip(x.shape[2:], padding, kernel, strict=True))
    y = empty((len(x), filters, *out), x)
    source, target, tile = np.moveaxis(x, 1, -1), np.moveaxis(y, 1, -1), _tile(kernel)
    to_products, to_outputs = _both(B, B).T, _both(_powers(tile[0]), _powers(tile[1])).T

    def work(run: Sequence[Band]) -> None:
        for grid, alike in _alike(run, out, tile):
            tiles = _Tiles(source, grid, tile, (SEEN, SEEN), padding)
            seen, products = _rows(grid, ALL, channels), _rows(grid, ALL, filters)
            made = _rows(grid, tile[0] * tile[1], filters)
            for band in alike:
                np.matmul(to_products, tiles.of(band), out=seen)
                np.matmul(_apart(seen, channels), kernels, out=_apart(products, filters))
                np.matmul(to_outputs, products, out=made)
                if bias is not None:
                    _apart(made, filters)[...] += bias
                _scatter(made.reshape(*tile, *grid, filters), target, band)

    spread(_bands(target.shape, tile), work)
    return y


def winograd_weight_grad(grad: Array, x: Array, kernel: Size, padding: Size) -> Array:
    """Gradient at the weight, (F, C, *kernel)."""
    filters, channels, out = grad.shape[1], x.shape[1], grad.shape[2:]
    source, above, tile = np.moveaxis(x, 1, -1), np.moveaxis(channels_last(grad), 1, -1), _tile(kernel)
    to_products, from_outputs = _both(B, B).T, _both(_powers(tile[0]), _powers(tile[1]))

    def work(run: Sequence[Band]) -> Array:
        total, part = (memory.empty((ALL, filters, channels), x.dtype) for _ in range(2))
        into = total  # the first band's products are a total; the others' are added to it
        for grid, alike in _alike(run, out, tile):
            tiles, given = _Tiles(source, grid, tile, (SEEN, SEEN), padding), _Tiles(above, grid, tile, tile, (0, 0))
            seen, asked = _rows(grid, ALL, channels), _rows(grid, ALL, filters)
            for band in alike:
                np.matmul(to_products, tiles.of(band), out=seen)
                np.matmul(from_outputs, given.of(band), out=asked)
                np.matmul(_apart(asked, filters).transpose(0, 2, 1), _apart(seen, channels), out=into)
                if into is part:
                    total += part
                into = part
        return total.reshape(ALL, -1)

    totals = spread(_bands(above.shape, tile), work)
    transform, weight = _kernel_transform(kernel), memory.zeros((filters * channels, prod(kernel)), x.dtype)

    def back(some: slice) -> None:
        for total in totals:
            weight[some] += total[:, some].T @ transform

    share(len(weight), 2 * ALL * x.itemsize, back)
    return weight.reshape(filters, channels, *kernel)


def _tile(kernel: Sequence[int]) -> Size:
    """How many outputs a tile has along either axis."""
    return tuple(SEEN - k + 1 for k in kernel)


def _bands(shape: Size, tile: Size) -> list[Band]:
    """Bands of rows of tiles that cover outputs (N, OH, OW, F)."""
    rows, columns = (-(-n // t) for n, t in zip(shape[1:3], tile, strict=True))
    return bands(shape[0], rows, max(1, TILES // columns))


def _alike(run: Sequence[Band], out: Size, tile: Size) -> Iterator[tuple[Size, Iterator[Band]]]:
    """Runs of bands whose tiles lie alike, as (images, rows, columns) of tiles: they work in the same memory."""
    columns = -(-out[1] // tile[1])
    return groupby(run, lambda band: (band.images.stop - band.images.start, band.bottom - band.top, columns))


class _Tiles:
    """The tiles of bands that lie alike in pixels (N, *size, C): each begins a `tile` after the one before."""

    def __init__(self, source: Array, grid: Size, tile: Size, size: Size, padding: Size):
        self.source, self.tile, self.padding, self.cleared = source, tile, padding, -1
        reach = (tile[0] * (grid[1] - 1) + size[0], tile[1] * (grid[2] - 1) + size[1])
        self.box = memory.empty((grid[0], *reach, source.shape[-1]), source.dtype)
        image, row, column, channel = self.box.strides
        strides = (row, column, image, tile[0] * row, tile[1] * column, channel)
        shape = (*size, *grid, source.shape[-1])
        self.view = np.lib.stride_tricks.as_strided(self.box, shape, strides, writeable=False)
        self.tiles = memory.empty(shape, source.dtype)

    def of(self, band: Band) -> Array:
        """A band's, (elements, tiles * C), zero outside of the image: a row for each element; good until the next's."""
        start = (self.tile[0] * band.top - self.padding[0], -self.padding[1])
        fill(self.box, self.source, band.images, start, cleared=band.top == self.cleared)
        self.cleared = band.top
        np.copyto(self.tiles, self.view)
        return self.tiles.reshape(self.view.shape[0] * self.view.shape[1], -1)


def _rows(grid: Size, elements: int, channels: int) -> Array:
    """Room for tiles: a row for each of their elements."""
    return memory.empty((elements, prod(grid) * channels), np.float32)


def _apart(rows: Array, channels: int) -> Array:
    """Rows (elements, tiles * C) as matrices (elements, tiles, C)."""
    return rows.reshape(len(rows), -1, channels)


def _scatter(tiles: Array, target: Array, band: Band) -> None:
    """Put output tiles (*tile, n, rows, columns, F) where they stand, without what hangs over the edge."""
    high, wide, images, rows, columns, filters = tiles.shape
    part = target[band.images, high * band.top : high * band.bottom]
    if part.shape[1:3] == (high * rows, wide * columns):
        part.reshape(images, rows, high, columns, wide, filters)[...] = tiles.transpose(2, 3, 0, 4, 1, 5)
        return
    for i in range(high):
        for j in range(wide):
            some = part[:, i::high, j::wide]
            some[...] = tiles[i, j, :, : some.shape[1], : some.shape[2]]


def _transformed(weight: Array, transform: Array) -> Array:
    """Every kernel of `weight` (F, C, *kernel) transformed: (36, F, C)."""
    filters, channels = weight.shape[:2]
    elements = weight.reshape(filters * channels, -1).T
    kernels = memory.empty((ALL, filters * channels), weight.dtype)
    share(
        len(elements.T),
        2 * ALL * weight.itemsize,
        lambda some: np.matmul(transform, elements[:, some], out=kernels[:, some]),
    )
    return kernels.reshape(ALL, filters, channels)


def _kernel_transform(kernel: Sequence[int]) -> Array:
    """G for both axes, (36, elements of a kernel)."""
    rows, columns = (SCALE[:, None] * _powers(k) for k in kernel)
    return _both(rows, columns)


def _powers(count: int) -> Array:
    """The powers 0 to count - 1 of each point: what gives a polynomial's values, (6, count)."""
    powers = np.vander(np.array(POINTS, float), count, increasing=True)
    return np.vstack([powers, np.eye(count)[-1]])


def _both(rows: Array, columns: Array) -> Array:
    """What applies one matrix to the rows and another to the columns of a tile that is written as one column."""
    return np.kron(rows, columns).astype(np.float32)
