"""Sums over rows on the GPU, in float64 and in a fixed order. See `mytorch.ops.sums`."""

from math import ceil

from mytorch.device import Array, namespace
from mytorch.ops.cuda.loader import THREADS, launch

CHUNK = 1 << 15
"""Elements that a block adds up."""


def column_sums(matrix: Array) -> Array:
    """As mytorch.ops.sums.column_sums."""
    matrix = namespace(matrix).ascontiguousarray(matrix)
    return sums("row_sums", matrix, count=1)[1]


def sums(kernel: str, matrix: Array, *others: Array, count: int) -> tuple[Array, Array]:
    """What `kernel` of norm.cu adds up over the rows of `matrix` (rows, C), divided by `count`: in float64, rounded.

    others: the kernel's further arrays.
    """
    xp = namespace(matrix)
    rows, channels = matrix.shape
    chunk_rows = max(1, CHUNK // max(1, channels))
    chunks, tiles = ceil(rows / chunk_rows), ceil(channels / THREADS)
    partial = xp.empty((chunks, channels), "d")
    launch(
        "norm", kernel, matrix, matrix, *others, partial, rows, channels, chunk_rows, count=chunks * tiles, blocks=True
    )
    exact, rounded = xp.empty(channels, "d"), xp.empty(channels, matrix.dtype)
    launch("norm", "fold", matrix, partial, exact, rounded, chunks, channels, count, count=channels)
    return exact, rounded
