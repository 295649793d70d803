"""Sums over rows on the GPU, in float64 and in a fixed order. See `mytorch.ops.reduce`.

The rows are split into chunks. A first kernel sums each chunk, a second one combines the chunks.
"""

from math import ceil

from mytorch.device import Array, get_array_module
from mytorch.ops.cuda.loader import THREADS_PER_BLOCK, launch

MIN_CHUNK_ELEMENTS = 1 << 12
"""Elements that one block sums at least."""

MAX_CHUNKS = 512
"""Enough blocks for any GPU, and few enough partial sums to combine afterwards."""


def column_sums(matrix: Array) -> Array:
    """As mytorch.ops.reduce.column_sums."""
    matrix = get_array_module(matrix).ascontiguousarray(matrix)
    sums = get_array_module(matrix).empty(matrix.shape[1], matrix.dtype)
    partial = sum_chunks("batch_norm", "row_sums", matrix, matrix.shape, matrix)
    combine_chunks("batch_norm", "combine_sums", matrix, partial, sums)
    return sums


def sum_chunks(
    source: str, kernel: str, like: Array, shape: tuple[int, int], *arguments: object, sums: int = 1
) -> Array:
    """Launch a kernel that computes one or more sums of every chunk of rows: (sums, chunks, C), float64.

    arguments: the kernel's arguments before the partial sums. shape: (rows, C).
    """
    rows, channels = shape
    chunk_rows = max(1, MIN_CHUNK_ELEMENTS // max(1, channels), ceil(rows / MAX_CHUNKS))
    chunks, channel_tiles = ceil(rows / chunk_rows), ceil(channels / THREADS_PER_BLOCK)
    partial = get_array_module(like).empty((sums, chunks, channels), "d")
    sizes = (rows, channels, chunk_rows)
    launch(source, kernel, like, *arguments, partial, *sizes, count=chunks * channel_tiles, count_blocks=True)
    return partial


def combine_chunks(source: str, kernel: str, like: Array, partial: Array, *arguments: object) -> None:
    """Launch a kernel that combines the chunks, with one block per channel.

    arguments: the kernel's arguments between the partial sums and their shape.
    """
    _, chunks, channels = partial.shape
    threads = min(THREADS_PER_BLOCK, max(32, 1 << (chunks - 1).bit_length())) if chunks else 32
    sizes = (chunks, channels)
    launch(source, kernel, like, partial, *arguments, *sizes, count=channels, count_blocks=True, threads=threads)
