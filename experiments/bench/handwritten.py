"""Convolution as other hand-written libraries have it, to be measured against: no part of mytorch.

Both ways are for images and one group. x: (N, C, H, W), weight: (F, C, K, K), grad and y: (N, F, OH, OW). Each function
returns y, the gradient at x and the gradient at the weight.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Three = tuple[np.ndarray, np.ndarray, np.ndarray]


def by_index_arrays(x: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride: int, padding: int) -> Three:
    """im2col by fancy indexing, one matrix product each, col2im by `np.add.at`: the way of many a course."""
    filters, channels, kernel = weight.shape[:3]
    padded = _padded(x, padding)
    rows, columns = (stride * np.arange(n)[:, None] + np.arange(kernel) for n in grad.shape[2:])
    seen: Any = (  # (K, K, OH, OW) places, broadcast over images and channels
        slice(None),
        slice(None),
        rows.T[:, None, :, None],
        columns.T[None, :, None, :],
    )
    unrolled = padded[seen].reshape(len(x), channels * kernel**2, -1)
    matrix, flat = weight.reshape(filters, -1), grad.reshape(len(x), filters, -1)
    y = (matrix @ unrolled).reshape(grad.shape)
    weight_grad = (flat @ unrolled.transpose(0, 2, 1)).sum(0).reshape(weight.shape)
    padded_grad = np.zeros_like(padded)
    np.add.at(padded_grad, seen, (matrix.T @ flat).reshape(padded[seen].shape))
    return y, _cropped(padded_grad, padding), weight_grad


def by_windows(x: np.ndarray, weight: np.ndarray, grad: np.ndarray, stride: int, padding: int) -> Three:
    """`tensordot` over all windows at once, which it copies; for the input's gradient, over those of a spread gradient.

    The gradient at x is a convolution of the gradient, zeros put between its elements for a stride, with the kernel
    turned.
    """
    kernel = weight.shape[2]
    windows = _windows(_padded(x, padding), kernel)[:, :, ::stride, ::stride]
    y = np.tensordot(windows, weight, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    weight_grad = np.tensordot(grad, windows, ((0, 2, 3), (0, 2, 3)))
    height, width = (n + 2 * padding - kernel + 1 for n in x.shape[2:])
    spread = np.zeros((*grad.shape[:2], height, width), grad.dtype)
    spread[:, :, ::stride, ::stride] = grad
    turned = weight[:, :, ::-1, ::-1]
    every = _windows(_padded(spread, kernel - 1), kernel)
    x_grad = np.tensordot(every, turned, ((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
    return y, _cropped(x_grad, padding), weight_grad


WAYS = {"im2col": by_index_arrays, "tensordot": by_windows}


def _padded(x: np.ndarray, padding: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def _cropped(x: np.ndarray, padding: int) -> np.ndarray:
    return x[:, :, padding:-padding, padding:-padding] if padding else x


def _windows(x: np.ndarray, kernel: int) -> np.ndarray:
    """(N, C, OH, OW, K, K), a view."""
    return sliding_window_view(x, (kernel, kernel), (2, 3))
