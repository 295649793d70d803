"""Products with banded matrices along the axes of an image: interpolation and adaptive averages.

Each output is a weighted sum of a short run of inputs, so the matrix (outputs, inputs) of an axis is zero outside a
band. The gradient is the product with the transposed matrix. The product is computed for a block of outputs at a time,
which needs few inputs, so few zeros are multiplied. Some are, however: an infinite input makes NaN of outputs close to
those it belongs to.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from mytorch.device import Array, get_array_module, is_cuda
from mytorch.geometry import empty_channels_last, to_channels_last
from mytorch.threads import parallel_for

BLOCK_OUTPUTS = 32
"""Outputs that one product computes."""


class BandedMatrix(NamedTuple):
    """The matrix of an axis, in coordinates: `value[k]` times input `source[k]` is added to output `target[k]`."""

    target: np.ndarray
    source: np.ndarray
    value: np.ndarray
    outputs: int

    def transposed(self, inputs: int) -> "BandedMatrix":
        """Return the matrix of the gradient: outputs and inputs exchanged."""
        return BandedMatrix(self.source, self.target, self.value, inputs)

    def blocks(self) -> list[tuple[slice, slice, np.ndarray]]:
        """Return blocks of outputs: their slice, the slice of the inputs they need, and the dense matrix between."""
        blocks = []
        for first in range(0, self.outputs, BLOCK_OUTPUTS):
            last = min(first + BLOCK_OUTPUTS, self.outputs)
            in_block = (self.target >= first) & (self.target < last)
            target, source = self.target[in_block] - first, self.source[in_block]
            low, high = (int(source.min()), int(source.max()) + 1) if len(source) else (0, 0)
            matrix = np.zeros((last - first, high - low))
            np.add.at(matrix, (target, source - low), self.value[in_block])
            blocks.append((slice(first, last), slice(low, high), matrix))
        return blocks


def apply_banded(x: Array, *matrices: BandedMatrix) -> Array:
    """Return x (N, C, *size) multiplied by a matrix along each spatial axis: (N, C, *outputs), channels last."""
    y = empty_channels_last((*x.shape[:2], *(axis.outputs for axis in matrices)), x)
    xp = get_array_module(x)
    blocks = [[(rows, inputs, xp.asarray(m.astype(x.dtype))) for rows, inputs, m in axis.blocks()] for axis in matrices]

    def work(images: slice) -> None:
        pixels = np.moveaxis(to_channels_last(x[images]), 1, -1)
        for axis, products in enumerate(blocks, start=1):
            shape = (*pixels.shape[:axis], matrices[axis - 1].outputs, *pixels.shape[axis + 1 :])
            is_last = axis == len(blocks)
            result = np.moveaxis(y[images], 1, -1) if is_last else xp.empty(shape, x.dtype)
            source, target = _as_matrices(pixels, axis), _as_matrices(result, axis)
            for rows, inputs, matrix in products:
                if is_cuda(x):
                    target[:, rows] = matrix @ source[:, inputs]
                else:
                    np.matmul(matrix, source[:, inputs], out=target[:, rows])
            pixels = result

    if is_cuda(x):
        work(slice(None))
    else:
        parallel_for(len(x), 2 * max(x[:1].nbytes, y[:1].nbytes), work)
    return y


def _as_matrices(pixels: Array, axis: int) -> Array:
    """Return pixels (n, *size, C) as (all axes before, `axis`, all axes after): a view of C-ordered memory."""
    return pixels.reshape(prod(pixels.shape[:axis]), pixels.shape[axis], prod(pixels.shape[axis + 1 :]))
