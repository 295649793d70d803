"""Plotting functions of the lessons: rows of images, matrices with their numbers, frames around windows."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from PIL import Image

SIGNED = "RdBu_r"
"""Colors for signed numbers: red above zero, blue below, white at zero."""


def show_row(
    images: Sequence[np.ndarray],
    titles: Sequence[str] = (),
    columns: int | None = None,
    size: float = 1.7,
    signed: bool = False,
) -> None:
    """Plot images in rows of `columns`, each as `plot_image` does.

    size: width of one image in inches. Each signed image has its own color scale.
    """
    columns = columns or len(images)
    rows = ceil(len(images) / columns)
    height = size * max(image.shape[0] / image.shape[1] for image in images)
    height += 0.25 * max((title.count("\n") + 1 for title in titles), default=0)
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02)
    _, axes = plt.subplots(rows, columns, figsize=(columns * size, rows * height), squeeze=False, layout=layout)
    for number, axis in enumerate(axes.flat):
        axis.axis("off")
        if number < len(images):
            plot_image(axis, images[number], signed)
        if number < len(titles):
            axis.set_title(titles[number], fontsize=9, parse_math=False)


def plot_image(axis: Axes, image: np.ndarray, signed: bool = False, **settings: Any) -> None:
    """Plot an image without interpolation: (H, W, 3) in color, or (H, W) from 0 (black) to 1 (white).

    signed: (H, W) numbers of any size and sign; red above zero, blue below, white at zero.
    """
    if signed:
        reach = float(np.abs(image).max()) or 1.0
        settings = {"cmap": SIGNED, "vmin": -reach, "vmax": reach, **settings}
    elif image.ndim == 2:
        settings = {"cmap": "gray", "vmin": 0, "vmax": 1, **settings}
    axis.imshow(image, interpolation="nearest", **settings)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def plot_numbers(axis: Axes, matrix: np.ndarray, form: str = "{:.0f}", fontsize: float = 7, **settings: Any) -> None:
    """Plot a matrix as coloured cells with a number in each, dark on light and light on dark."""
    cells = axis.imshow(matrix, interpolation="nearest", **settings)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(matrix):
        red, green, blue, _ = cells.cmap(cells.norm(value))
        ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
        axis.text(column, row, form.format(value), ha="center", va="center", fontsize=fontsize, color=ink)


def draw_equation(
    parts: Sequence[np.ndarray | str], titles: Sequence[str], cell: float = 0.28, form: str = "{:.0f}"
) -> dict[int, Axes]:
    """Plot matrices and the signs between them as one line of an equation, with cells of equal size.

    parts: matrices and signs such as "@". titles: one per matrix. cell: size of a cell in inches. Returns the axes of
    the matrices by their position in `parts`.
    """
    tallest = max(len(part) for part in parts if not isinstance(part, str))
    widths = [1.6 if isinstance(part, str) else part.shape[1] for part in parts]
    lone = [0 if isinstance(part, str) else max(0, 3.4 - part.shape[1]) / 2 for part in parts]  # room for the title
    width, height = sum(widths) + 2 * sum(lone), tallest + 2.6
    figure = plt.figure(figsize=(cell * width, cell * height), layout="none")
    left, axes, names = 0.0, {}, iter(titles)
    for place, part in enumerate(parts):
        if isinstance(part, str):
            middle = ((left + widths[place] / 2) / width, 0.5 * tallest / height)
            figure.text(*middle, part, ha="center", va="center", fontsize=15)
        else:
            left += lone[place]
            bottom = (tallest - len(part)) / 2
            box = (left / width, bottom / height, part.shape[1] / width, len(part) / height)
            axes[place] = axis = figure.add_axes(box)
            reach = float(np.abs(part).max()) or 1.0
            plot_numbers(axis, part, form, cmap=SIGNED, vmin=-1.3 * reach, vmax=1.3 * reach)
            axis.set_title(next(names), fontsize=9, parse_math=False)
            left += lone[place]
        left += widths[place]
    return axes


def frame(axis: Axes, row: float, column: float, height: float, width: float, color: str) -> None:
    """Draw a frame around the pixels that start at (row, column)."""
    axis.add_patch(Rectangle((column - 0.5, row - 0.5), width, height, fill=False, edgecolor=color, linewidth=2.5))


def image_file(path: str | Path, width: int = 700) -> Image.Image:
    """Return an image that a command wrote, at most `width` pixels wide; as the last line of a cell it is shown."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    return image.quantize(128, dither=Image.Dither.NONE)
