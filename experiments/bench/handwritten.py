"""Convolution as other hand-written libraries have it, to be measured against: no part of mytorch.

Both ways are for images and one group; a sequence is an image of one row. x: (N, C, H, W), weight: (F, C, KH, KW), grad
and y: (N, F, OH, OW); stride and padding: a number an axis. Each function returns y, the gradient at x and the gradient
at the weight.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Three = tuple[np.ndarray, np.ndarray, np.ndarray]
Pair = tuple[int, int]


def by_index_arrays(x: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride: Pair, padding: Pair) -> Three:
    """im2col by fancy indexing, one matrix product each, col2im by `np.add.at`: the way of many a course and book.

    A column for each window, (C KH KW, OH OW N), gathered with three index arrays that name the channel, row and column
    of every element of every window, and added back with the same.
    """
    filters, padded = len(weight), _padded(x, padding)
    element = np.indices(weight.shape[1:]).reshape(3, -1, 1)
    window = np.indices(grad.shape[2:]).reshape(2, 1, -1)
    where: Any = (slice(None), element[0], stride[0] * window[0] + element[1], stride[1] * window[1] + element[2])
    columns = padded[where].transpose(1, 2, 0).reshape(element.shape[1], -1)
    matrix, given = weight.reshape(filters, -1), grad.transpose(1, 2, 3, 0).reshape(filters, -1)
    y = (matrix @ columns).reshape(filters, *grad.shape[2:], len(x)).transpose(3, 0, 1, 2)
    weight_grad = (given @ columns.T).reshape(weight.shape)
    padded_grad = np.zeros_like(padded)
    np.add.at(padded_grad, where, (matrix.T @ given).reshape(len(matrix.T), -1, len(x)).transpose(2, 0, 1))
    return y, _cropped(padded_grad, padding), weight_grad


def by_windows(x: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride: Pair, padding: Pair) -> Three:
    """`tensordot` over all windows at once, which it copies; for the input's gradient, over those of a spread gradient.

    The gradient at x is a convolution of the gradient, zeros put between its elements for a stride, with the kernel
    turned.
    """
    kernel = weight.shape[2:]
    windows = _windows(_padded(x, padding), kernel)[:, :, :: stride[0], :: stride[1]]
    y = np.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    weight_grad = np.tensordot(grad, windows, ((0, 2, 3), (0, 2, 3)))
    height, width = (n + 2 * p - k + 1 for n, p, k in zip(x.shape[2:], padding, kernel, strict=True))
    spread = np.zeros((*grad.shape[:2], height, width), grad.dtype)
    spread[:, :, :: stride[0], :: stride[1]] = grad
    turned = weight[:, :, ::-1, ::-1]
    every = _windows(_padded(spread, (kernel[0] - 1, kernel[1] - 1)), kernel)
    x_grad = np.tensordot(every, turned, ((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
    return y, _cropped(x_grad, padding), weight_grad


WAYS = {"im2col": by_index_arrays, "tensordot": by_windows}


def _padded(x: np.ndarray, padding: Pair) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))


def _cropped(x: np.ndarray, padding: Pair) -> np.ndarray:
    rows, columns = (slice(p, n - p) for p, n in zip(padding, x.shape[2:], strict=True))
    return x[:, :, rows, columns]


def _windows(x: np.ndarray, kernel: tuple[int, ...]) -> np.ndarray:
    """(N, C, OH, OW, KH, KW), a view."""
    return sliding_window_view(x, kernel, (2, 3))
