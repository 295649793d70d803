"""Mixing along axes: each output is a weighted sum of a run of inputs, as in interpolation and in adaptive averages.

The weights of an axis make a matrix (outputs, inputs) that is zero but for a band. So mixing is a product, and its
gradient the product with the matrix turned. A few outputs at a time see few inputs, and few zeros are multiplied; yet
some are, and an infinity makes NaN of outputs beside those that it belongs to.
"""

from typing import NamedTuple

import numpy as np

from mytorch.device import Array, namespace, on_cuda
from mytorch.geometry import channels_last, empty
from mytorch.threads import share

BLOCK = 32
"""Outputs of one product."""


class Weights(NamedTuple):
    """What an axis mixes: `value[k]` times input `source[k]` is added to output `target[k]`, of so many outputs."""

    target: np.ndarray
    source: np.ndarray
    value: np.ndarray
    outputs: int

    def turned(self, inputs: int) -> "Weights":
        """The weights of the gradient: outputs and inputs exchanged."""
        return Weights(self.source, self.target, self.value, inputs)

    def blocks(self) -> list[tuple[slice, slice, np.ndarray]]:
        """For some outputs at a time, their slice, that of the inputs they see, and the matrix between them."""
        found = []
        for first in range(0, self.outputs, BLOCK):
            last = min(first + BLOCK, self.outputs)
            some = (self.target >= first) & (self.target < last)
            target, source = self.target[some] - first, self.source[some]
            low, high = (int(source.min()), int(source.max()) + 1) if len(source) else (0, 0)
            matrix = np.zeros((last - first, high - low))
            np.add.at(matrix, (target, source - low), self.value[some])
            found.append((slice(first, last), slice(low, high), matrix))
        return found


def mixed(x: Array, *weights: Weights) -> Array:
    """`x` (N, C, *size) mixed along each spatial axis, (N, C, *outputs), memory channels last."""
    y = empty((*x.shape[:2], *(axis.outputs for axis in weights)), x)
    xp = namespace(x)
    blocks = [[(rows, seen, xp.asarray(m.astype(x.dtype))) for rows, seen, m in axis.blocks()] for axis in weights]

    def work(images: slice) -> None:
        below = np.moveaxis(channels_last(x[images]), 1, -1)
        for axis, products in enumerate(blocks, start=1):
            shape = (*below.shape[:axis], weights[axis - 1].outputs, *below.shape[axis + 1 :])
            last = axis == len(blocks)
            above = np.moveaxis(y[images], 1, -1) if last else xp.empty(shape, x.dtype)
            source, target = _matrices(below, axis), _matrices(above, axis)
            for rows, seen, matrix in products:
                if on_cuda(x):
                    target[:, rows] = matrix @ source[:, seen]
                else:
                    np.matmul(matrix, source[:, seen], out=target[:, rows])
            below = above

    if on_cuda(x):
        work(slice(None))
    else:
        share(len(x), 2 * max(x[:1].nbytes, y[:1].nbytes), work)
    return y


def _matrices(pixels: Array, axis: int) -> Array:
    """`pixels` (n, *size, C) as matrices (all before, the axis, all behind): a view of memory in C order."""
    before, along = int(np.prod(pixels.shape[:axis])), pixels.shape[axis]
    return pixels.reshape(before, along, int(np.prod(pixels.shape[axis + 1 :])))
