"""Drawings of layers that use many values at once: normalization and dropout."""

import numpy as np
from matplotlib.figure import Figure

from docs.drawings.canvas import BLUE, GREEN, ORANGE, RED, figure_of, panels, squares
from mytorch import manual_seed, nn


def batch_norm() -> Figure:
    """Draw the values of four channels before and after batch norm."""
    rng = np.random.default_rng(0)
    x = rng.normal([0, 3, -2, 6], [1, 0.4, 2, 1.4], (600, 4))
    y = nn.BatchNorm1d(4, dtype="d")(x)
    axes = panels(2, 8.0, 2.6)
    for channel, color in enumerate((BLUE, ORANGE, GREEN, RED)):
        for axis, values in zip(axes, (x, y), strict=True):
            axis.hist(
                values[:, channel], bins=list(np.linspace(-8, 10, 73)), histtype="step", color=color, linewidth=1.4
            )
    axes[0].set(title="four channels of a batch", xlim=(-8, 10), yticks=[])
    axes[1].set(title="after BatchNorm1d", xlim=(-8, 10), yticks=[])
    return figure_of(axes[0])


def image_norm() -> Figure:
    """Draw which values share a mean and a variance: images as rows, channels as columns, positions merged."""
    axes = panels(4, 8.2, 1.7, columns=2)
    groups = {
        "batch norm": [(row, 0) for row in range(3)],
        "layer norm of (C, H, W)": [(0, column) for column in range(6)],
        "group norm, 2 groups": [(0, column) for column in range(3)],
        "group norm, 6 groups": [(0, 0)],
    }
    for axis, (title, together) in zip(axes, groups.items(), strict=True):
        squares(axis, np.ones((3, 6)), title, together, number_format="")
        axis.text(3, 3.5, "channels", ha="center", va="center", fontsize=7.5)
        axis.text(-0.45, 1.5, "images", ha="center", va="center", rotation=90, fontsize=7.5)
        axis.set(xlim=(-0.9, 6.1), ylim=(3.8, -0.1))
    return figure_of(axes[0])


def dropout() -> Figure:
    """Draw what the three kinds leave of channels of ones; dark is zero."""
    manual_seed(3)
    ones = np.ones((1, 6, 14, 14))
    kinds = {"Dropout(0.3)": nn.Dropout(0.3), "Dropout2d(0.3)": nn.Dropout2d(0.3)}
    kinds["DropBlock2d(0.3, block_size=5)"] = nn.DropBlock2d(0.3, block_size=5)
    axes = panels(3, 8.2, 2.2)
    for axis, (title, layer) in zip(axes, kinds.items(), strict=True):
        y = layer(ones)[0]
        gap = np.full((14, 1), np.nan)
        rows = [np.hstack([y[0], gap, y[1], gap, y[2]]), np.hstack([y[3], gap, y[4], gap, y[5]])]
        whole = np.vstack([rows[0], np.full((1, rows[0].shape[1]), np.nan), rows[1]])
        axis.imshow(whole, cmap="Blues_r", vmin=-0.4, vmax=2.2, interpolation="nearest")
        axis.set(title=title)
        axis.axis("off")
    return figure_of(axes[0])
