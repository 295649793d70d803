"""Drawings of how layers are connected: a matrix product, a shortcut, squeeze-and-excitation."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from docs.drawings.canvas import BLUE, GREEN, ORANGE, arrow, box, figure_of, panels, squares
from mytorch import nn


def linear() -> Figure:
    """Draw y = x W^T + b with numbers."""
    layer = nn.Linear(3, 2, dtype="d")
    layer.weight.data[:] = [[1, 0, 2], [0, 3, 1]]
    assert layer.bias is not None
    layer.bias.data[:] = [1, -1]
    x = np.array([[1, 2, 0], [0, 1, 1], [2, 0, 1], [1, 1, 1]], float)
    axes = panels(4, 7.2, 2.3, (3, 2, 2, 2), columns=2)
    squares(axes[0], x, "x: (N, in)", [(1, column) for column in range(3)])
    squares(axes[1], layer.weight.data.T, "weight, transposed", [(row, 0) for row in range(3)])
    squares(axes[2], layer.bias.data[None], "bias", [(0, 0)])
    squares(axes[3], layer(x), "y: (N, out)", [(1, 0)])
    return figure_of(axes[0])


def _blank(width: float, height: float) -> Axes:
    (axes,) = panels(1, 8.0, 8.0 * height / width)
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.axis("off")
    return axes


def containers() -> Figure:
    """Draw a Residual: two paths forward for the input, two paths back for the gradient."""
    axes = _blank(10, 3.4)
    for x, text in ((2.6, "conv"), (4.6, "norm"), (6.6, "conv")):
        box(axes, x, 1.4, text, 1.3)
    box(axes, 8.5, 1.4, "+", 0.5)
    axes.text(4.6, 2.9, "shortcut: x itself, or a 1x1 convolution", ha="center", fontsize=8)
    axes.text(4.6, 0.28, "body: a Sequential; its backward calls them in reverse", ha="center", fontsize=8)
    axes.text(0.45, 1.5, "x", ha="center", va="center")
    axes.text(9.6, 1.5, "y", ha="center", va="center")
    for start, end in ((0.7, 1.95), (3.25, 3.95), (5.25, 5.95), (7.25, 8.25), (8.75, 9.4)):
        arrow(axes, (start, 1.52), (end, 1.52), BLUE)
        arrow(axes, (end, 1.28), (start, 1.28), ORANGE)
    arrow(axes, (1.2, 1.6), (8.42, 1.68), BLUE, -0.24)
    arrow(axes, (8.58, 1.68), (1.05, 1.6), ORANGE, 0.27)
    axes.text(8.2, 0.28, "forward", color=BLUE, fontsize=8)
    axes.text(9.2, 0.28, "backward", color=ORANGE, fontsize=8)
    return figure_of(axes)


def squeeze() -> Figure:
    """Draw squeeze-and-excitation: a gate per channel, computed from all channel means, multiplies the channel."""
    axes = _blank(11, 2.9)
    steps = ("mean", "1x1, down", "ReLU", "1x1, up", "sigmoid")
    places = (2.5, 4.2, 5.7, 7.1, 8.6)
    for x, text in zip(places, steps, strict=True):
        box(axes, x, 2.2, text, 1.15 if len(text) < 8 else 1.35, color=GREEN)
    axes.text(0.5, 0.8, "x", ha="center", va="center")
    axes.text(10.7, 0.8, "y", ha="center", va="center")
    arrow(axes, (0.75, 0.8), (9.55, 0.8), BLUE)
    box(axes, 9.8, 0.8, "×", 0.5)
    arrow(axes, (10.05, 0.8), (10.5, 0.8), BLUE)
    arrow(axes, (1.3, 0.8), (1.92, 2.2), BLUE, -0.4)
    for left, right in ((3.08, 3.52), (4.88, 5.12), (6.28, 6.42), (7.78, 8.02)):
        arrow(axes, (left, 2.2), (right, 2.2), BLUE)
    arrow(axes, (9.18, 2.2), (9.8, 1.06), BLUE, -0.4)
    axes.text(5.5, 1.5, "one gate per channel: (N, C, 1, 1)", ha="center", fontsize=8)
    axes.text(5.5, 0.5, "the image: (N, C, H, W)", ha="center", fontsize=8)
    return figure_of(axes)
