"""Arithmetic that differs from channel to channel of each image, and sums over each image's positions.

x, grad: NumPy's (N, C, *size), in any memory layout; numbers of channels: (N, C), or (N, C, 1, ...). Images are taken
as matrices (positions, C), memory channels last, a few at a time on several threads. NumPy is slow where it starts
anew every few numbers; so a line of several positions, with the channels' numbers as often beside each other, is one.
"""

from collections.abc import Callable

import numpy as np

from mytorch.device import Array, on_cuda
from mytorch.geometry import channels_last, empty, positions, to_pixels
from mytorch.threads import share

LINE = 2048
"""Numbers that NumPy should go over in one go."""
BLOCK = 128
"""Positions summed by one product with ones."""


def scaled(x: Array, factor: Array, offset: Array | None = None) -> Array:
    """x * factor + offset, for numbers of channels."""
    if on_cuda(x):
        return x * factor if offset is None else x * factor + offset
    y = empty(x.shape, x)
    result, times = images(y), line_of(x)

    def work(some: slice, pixels: Array) -> None:
        lines = in_lines(result[some], times)
        np.multiply(in_lines(pixels, times), repeated(factor[some], times), out=lines)
        if offset is not None:
            lines += repeated(offset[some], times)

    by_pixels(work, x)
    return y


def position_sums(x: Array) -> Array:
    """The sum over all positions, (N, C) in float64: float32 adds up short blocks alone."""
    return _sums(x, None)


def position_products(x: Array, other: Array) -> Array:
    """The sum of x * other over all positions, (N, C) in float64."""
    return _sums(x, other)


def _sums(x: Array, other: Array | None) -> Array:
    if on_cuda(x):
        return (x if other is None else x * other).sum(tuple(range(2, x.ndim)), dtype="d")
    total = np.empty(x.shape[:2])

    def work(some: slice, pixels: Array, *others: Array) -> None:
        total[some] = pixel_sums(pixels * others[0] if others else pixels)

    by_pixels(work, x, *([] if other is None else [other]))
    return total


def by_pixels(work: Callable[..., None], *arrays: Array) -> None:
    """`work(some, *pixels)` for a few images at a time, each array's as (n, positions, C), memory channels last."""

    def part(some: slice) -> None:
        work(some, *(images(channels_last(array[some])) for array in arrays))

    share(len(arrays[0]), sum(array[:1].nbytes for array in arrays), part)


def images(x: Array) -> Array:
    """`x` (N, C, *size) as (N, positions, C): a view where memory is channels last."""
    return to_pixels(x).reshape(len(x), positions(x.shape[2:]), x.shape[1])


def pixel_sums(pixels: Array) -> Array:
    """The sums over positions of (n, positions, C), (n, C) in float64."""
    n, count, channels = pixels.shape
    whole = count // BLOCK * BLOCK
    ones = np.ones(BLOCK, pixels.dtype)
    blocks = pixels[:, :whole].reshape(n, count // BLOCK, BLOCK, channels)
    return np.matmul(ones, blocks).sum(1, dtype="d") + np.matmul(ones[: count - whole], pixels[:, whole:])


def line_of(x: Array) -> int:
    """How many positions make a line: a power of two that divides their number."""
    times, count = 1, positions(x.shape[2:])
    while count and 2 * times * x.shape[1] <= LINE and count % (2 * times) == 0:
        times *= 2
    return times


def in_lines(pixels: Array, times: int) -> Array:
    """Pixels (n, positions, C) as lines (n, positions / times, times * C)."""
    n, count, channels = pixels.shape
    return pixels.reshape(n, count // times, times * channels)


def repeated(numbers: Array, times: int) -> Array:
    """Numbers of channels, `times` beside each other: (n, 1, times * C)."""
    return np.tile(numbers.reshape(len(numbers), 1, -1), (1, 1, times))
