"""The matrices of an MLP that shares its weights, and the small blocks that they are made of.

An MLP looks at a window of frames. Let its first layer compute the same few neurons from frames 0 and 1, again from
frames 2 and 3, and so on. Then its big matrix holds one small block B many times, and zeros elsewhere:

        position     0   1   2   3
                   ┌                ┐
    frames 0, 1    │ B   .   .   .  │         rows:    frame by frame, and within a frame channel by channel
    frames 2, 3    │ .   B   .   .  │         columns: position by position, and within a position likewise
    frames 4, 5    │ .   .   B   .  │         B:       (kernel · C_in, C_out), here with kernel 2 and stride 2
    frames 6, 7    │ .   .   .   B  │         matrix:  (8 · C_in, 4 · C_out)
                   └                ┘

The next layer does to those positions what the first did to the frames, until one position is left. A matrix that
shares nothing is the special case of one position, whose block is all of it. In 2d a window is a square of pixels,
taken row by row, a block is (kernel² · C_in, C_out), and kernels and strides hold for both axes.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def positions(kernels: Sequence[int], strides: Sequence[int]) -> list[int]:
    """How many positions each layer has along one axis of a window: that of the input first, and 1 last.

    One position sees `kernel` positions of the layer below; the next position starts `stride` further.
    Raises ValueError for lists of different lengths, and for numbers below 1.
    """
    if not kernels or len(kernels) != len(strides):
        raise ValueError(
            f"got {len(kernels)} kernels and {len(strides)} strides: give every layer one of each, at least one layer"
        )
    if min(*kernels, *strides) < 1:
        raise ValueError(f"kernels and strides should be 1 or more, got {list(kernels)} and {list(strides)}")
    counts = [1]
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        counts.append((counts[-1] - 1) * stride + kernel)
    return counts[::-1]


def expand_blocks(
    blocks: Sequence[Array],
    kernels: Sequence[int],
    strides: Sequence[int],
    biases: Sequence[Array] | None = None,
    dims: int = 1,
) -> tuple[list[Array], list[Array]]:
    """The full matrices and biases of an MLP, from its shared blocks and their biases (zeros if left out).

    blocks: (kernel^dims · C_in, C_out) each; biases: (C_out,) each; dims: 1 for sequences, 2 for images.
    Raises ValueError where the shapes do not fit each other.
    """
    counts = [count**dims for count in positions(kernels, strides)]
    biases = _biases(blocks, biases, len(kernels))
    matrices = []
    channels = len(blocks[0]) // kernels[0] ** dims
    for n, block in enumerate(blocks):
        if len(block) != kernels[n] ** dims * channels:
            raise ValueError(
                f"block {n} has {len(block)} rows, expected {channels} channels for each of the {kernels[n] ** dims} "
                "positions that its kernel sees: give it that many, or change the kernel"
            )
        matrix = np.zeros((counts[n], channels, counts[n + 1], block.shape[1]), block.dtype)
        for position, seen in enumerate(_seen(n, kernels, strides, dims)):
            matrix[seen, :, position] = block.reshape(len(seen), channels, -1)
        matrices.append(matrix.reshape(counts[n] * channels, -1))
        channels = block.shape[1]
    return matrices, [np.tile(bias, count) for bias, count in zip(biases, counts[1:], strict=True)]


def shared_blocks(
    matrices: Sequence[Array],
    kernels: Sequence[int],
    strides: Sequence[int],
    biases: Sequence[Array] | None = None,
    dims: int = 1,
    check: bool = True,
) -> tuple[list[Array], list[Array]]:
    """The blocks and biases that an MLP's full matrices repeat: the converse of `expand_blocks`.

    matrices: (n_in · C_in, n_out · C_out) each, n_in and n_out as `positions` counts them, to the power of dims.
    check: whether to make sure that the matrices are their first blocks repeated, and zero elsewhere; without it, what
        is in the other places is ignored.
    Raises ValueError where the shapes do not fit, or a matrix does not share as its kernel and stride say.
    """
    counts = [count**dims for count in positions(kernels, strides)]
    biases = _biases(matrices, biases, len(kernels))
    blocks = []
    for n, matrix in enumerate(matrices):
        rows, columns = matrix.shape
        if rows % counts[n] or columns % counts[n + 1] or (n and rows != matrices[n - 1].shape[1]):
            raise ValueError(
                f"matrix {n} is {matrix.shape}, expected a multiple of {counts[n]} rows"
                + (f", as many as matrix {n - 1} has columns ({matrices[n - 1].shape[1]})," if n else "")
                + f" and of {counts[n + 1]} columns, the positions on either side of it: "
                "give matrices as (inputs, outputs), or change kernels and strides"
            )
        matrix = matrix.reshape(counts[n], rows // counts[n], counts[n + 1], columns // counts[n + 1])
        seen = next(_seen(n, kernels, strides, dims))
        blocks.append(matrix[seen, :, 0].reshape(-1, matrix.shape[-1]))
    firsts = [bias[: block.shape[1]] for bias, block in zip(biases, blocks, strict=True)]
    if check:
        ones = [1] * (len(kernels) - 1)
        whole = expand_blocks(blocks, kernels, strides, firsts, dims)
        for kind, given, expanded in zip(("matrix", "bias"), (matrices, biases), whole, strict=True):
            for n, (values, repeated) in enumerate(zip(given, expanded, strict=True)):
                if not np.array_equal(values, repeated):
                    raise ValueError(
                        f"{kind} {n} is not its first block repeated, but off by up to "
                        f"{np.abs(values - repeated).max():.3g}, so kernels {list(kernels)} and strides "
                        f"{list(strides)} cannot answer as it does: share its weights, or let the first kernel see the "
                        f"whole window, kernels {[positions(kernels, strides)[0], *ones]} and strides "
                        f"{[math.prod(strides), *ones]}"
                    )
    return blocks, firsts


def _seen(n: int, kernels: Sequence[int], strides: Sequence[int], dims: int) -> Iterator[Array]:
    """For each position that layer n computes, the numbers of the positions below that it sees."""
    below, above = positions(kernels, strides)[n : n + 2]
    grid = np.arange(below**dims).reshape((below,) * dims)
    for corner in product(range(above), repeat=dims):
        yield grid[tuple(slice(c * strides[n], c * strides[n] + kernels[n]) for c in corner)].ravel()


def _biases(matrices: Sequence[Array], biases: Sequence[Array] | None, layers: int) -> list[Array]:
    """The biases as vectors, one entry for each column of its matrix; zeros if left out."""
    for n, matrix in enumerate(matrices):
        if np.ndim(matrix) != 2:
            raise ValueError(f"matrix {n} has shape {np.shape(matrix)}: give matrices as (inputs, outputs)")
    biases = [np.zeros(matrix.shape[1], matrix.dtype) for matrix in matrices] if biases is None else biases
    if not len(matrices) == len(biases) == layers:
        raise ValueError(
            f"got {len(matrices)} matrices and {len(biases)} biases for {layers} kernels: give every layer one of each"
        )
    vectors = [np.ravel(bias) for bias in biases]
    for n, (matrix, vector) in enumerate(zip(matrices, vectors, strict=True)):
        if len(vector) != matrix.shape[1]:
            raise ValueError(
                f"bias {n} has {vector.size} entries, expected {matrix.shape[1]}, one for each column of matrix {n}"
            )
    return vectors
