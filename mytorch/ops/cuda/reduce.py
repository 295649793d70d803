"""Sums over rows on the GPU, in float64 and in a fixed order. See `mytorch.ops.reduce`."""

from math import ceil

from mytorch.device import Array, get_array_module
from mytorch.ops.cuda.loader import THREADS, launch

CHUNK = 1 << 12
"""Elements that a block adds up at least."""

CHUNKS = 512
"""Of the rows at most: enough blocks for any GPU, and few enough sums to add up afterwards."""


def column_sums(matrix: Array) -> Array:
    """As mytorch.ops.reduce.column_sums."""
    matrix = get_array_module(matrix).ascontiguousarray(matrix)
    rounded = get_array_module(matrix).empty(matrix.shape[1], matrix.dtype)
    partial = partial_sums("batch_norm", "row_sums", matrix, matrix.shape, matrix)
    fold("batch_norm", "fold_sums", matrix, partial, rounded)
    return rounded


def partial_sums(source: str, kernel: str, like: Array, shape: tuple[int, int], *given: object, sums: int = 1) -> Array:
    """What `kernel` adds up over chunks of rows, (sums, chunks, C), float64.

    given: the kernel's arguments before the partial sums. shape: (rows, C).
    """
    rows, channels = shape
    chunk_rows = max(1, CHUNK // max(1, channels), ceil(rows / CHUNKS))
    chunks, tiles = ceil(rows / chunk_rows), ceil(channels / THREADS)
    partial = get_array_module(like).empty((sums, chunks, channels), "d")
    launch(source, kernel, like, *given, partial, rows, channels, chunk_rows, count=chunks * tiles, blocks=True)
    return partial


def fold(source: str, kernel: str, like: Array, partial: Array, *given: object) -> None:
    """Let `kernel` add up the chunks, a block a channel. given: its further arguments, but for the partial's shape."""
    _, chunks, channels = partial.shape
    threads = min(THREADS, max(32, 1 << (chunks - 1).bit_length())) if chunks else 32
    launch(source, kernel, like, partial, *given, chunks, channels, count=channels, blocks=True, threads=threads)
