"""Drawings of layers that slide a window over an image: convolution, pooling, resampling."""

import numpy as np
from matplotlib.figure import Figure

from docs.drawings.canvas import GREEN, figure_of, panels, squares
from mytorch import nn

IMAGE = np.array([[1, 0, 2, 1, 0], [0, 3, 1, 0, 2], [2, 1, 0, 1, 1], [0, 2, 1, 3, 0], [1, 0, 2, 0, 1]], float)
KERNEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], float)
WINDOW = [(row, column) for row in range(3) for column in range(1, 4)]


def _image(array: np.ndarray) -> np.ndarray:
    return array[None, None]


def convolution() -> Figure:
    """Draw one window, its row in the im2col matrix, and its output."""
    layer = nn.Conv2d(1, 1, 3, bias=False, dtype="d")
    layer.weight.data[0, 0] = KERNEL
    y = layer(_image(IMAGE))[0, 0]
    rows = np.stack([IMAGE[r : r + 3, c : c + 3].ravel() for r in range(3) for c in range(3)])
    axes = panels(4, 8.4, 2.7, (5, 3, 9, 3), columns=2)
    squares(axes[0], IMAGE, "input, one window", WINDOW)
    squares(axes[1], KERNEL, "kernel")
    squares(axes[2], rows, "im2col: each window is a row", [(1, column) for column in range(9)])
    squares(axes[3], y, "output", [(0, 1)])
    return figure_of(axes[0])


def transposed_convolution() -> Figure:
    """Draw how each pixel becomes a copy of the kernel, and how overlapping copies add up."""
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2, bias=False, dtype="d")
    layer.weight.data[0, 0] = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    image = np.array([[1, 2], [0, 3]], float)
    one = np.zeros_like(image)
    one[0, 1] = image[0, 1]
    axes = panels(4, 8.0, 2.6, (2.4, 3, 5, 5), columns=2)
    squares(axes[0], image, "input", [(0, 1)])
    squares(axes[1], layer.weight.data[0, 0], "kernel")
    seen = [(row, column) for row in range(3) for column in range(2, 5)]
    squares(axes[2], layer(_image(one))[0, 0], "the copy of one pixel, stride 2", seen)
    squares(axes[3], layer(_image(image))[0, 0], "sum of all copies", seen)
    return figure_of(axes[0])


def pooling() -> Figure:
    """Draw the largest value and the mean of windows, and where the gradient of an output goes."""
    image = IMAGE[:4, :4]
    largest, mean = nn.MaxPool2d(2), nn.AvgPool2d(2)
    y, average = largest(_image(image))[0, 0], mean(_image(image))[0, 0]
    grad = np.array([[1, 2], [3, 4]], float)
    to_largest, to_mean = (layer.backward(_image(grad))[0, 0] for layer in (largest, mean))
    first = [(row, column) for row in range(2) for column in range(2)]
    axes = panels(6, 9.2, 2.2, (4, 2.2, 2.2, 2.2, 4, 4), columns=2)
    squares(axes[0], image, "input", first)
    squares(axes[1], y, "max", [(0, 0)])
    squares(axes[2], average, "mean", [(0, 0)])
    squares(axes[3], grad, "gradient", [(0, 0)], GREEN)
    squares(axes[4], to_largest, "input gradient: max", first, GREEN)
    squares(axes[5], to_mean, "input gradient: mean", first, GREEN)
    return figure_of(axes[0])


def adaptive_pooling() -> Figure:
    """Draw seven pixels pooled to three, by windows that overlap."""
    row = np.array([[4, 2, 6, 1, 5, 3, 9]], float)
    y = nn.AdaptiveAvgPool1d(3)(row[None])[0]
    axes = panels(4, 8.2, 1.6, (7, 7, 7, 3.4))
    for index, axis in enumerate(axes[:3]):
        start, stop = index * 7 // 3, -(-(index + 1) * 7 // 3)
        squares(axis, row, f"window {index}: {start} to {stop - 1}", [(0, column) for column in range(start, stop)])
    squares(axes[3], y, "means", number_format="{:.2g}")
    return figure_of(axes[0])


def resampling() -> Figure:
    """Draw a small image under each layer that changes the number of positions."""
    image = np.array([[1, 5], [3, 7]], float)
    bilinear = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)(_image(image))[0, 0]
    axes = panels(5, 9.2, 2.3, (2.4, 4, 4.4, 3, 2.4), columns=2)
    squares(axes[0], image, "input")
    squares(axes[1], nn.Upsample(scale_factor=2)(_image(image))[0, 0], "Upsample: nearest")
    squares(axes[2], bilinear, "Upsample: bilinear")
    zeros = nn.ZeroUpsample2d(2)(_image(image))[0, 0]
    squares(axes[3], zeros, "ZeroUpsample2d(2)", [(0, 0), (0, 2), (2, 0), (2, 2)])
    squares(axes[4], nn.Downsample2d(2)(_image(zeros))[0, 0], "Downsample2d(2)")
    return figure_of(axes[0])
