"""What the drawings share: axes without a screen, colors, and arrays drawn as squares with numbers in them."""

import colorsys
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

Draw = Callable[[], Figure]

BLUE, ORANGE, GREEN, RED, GRAY = "#1f5fa8", "#d9822b", "#2e8b57", "#b5382f", "#8a8f98"
COLORS = (BLUE, ORANGE, GREEN, RED, "#6b4fa0", "#17828f", GRAY)

NARROW_WIDTH = 4.3
"""Inches across a drawing for a phone; its letters are then about as large as the text around it."""

_narrow: ContextVar[bool] = ContextVar("narrow", default=False)


@contextmanager
def style(narrow: bool = False) -> Iterator[None]:
    """Draw with plain lines, and letters as outlines, so that a drawing looks the same in every browser.

    narrow: stack the panels, for a phone.
    """
    settings: Any = {
        "svg.fonttype": "path", "svg.hashsalt": "mytorch", "font.size": 9, "font.family": "DejaVu Sans",
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9.5, "legend.frameon": False,
        "lines.linewidth": 1.8, "axes.grid": False,
    }  # fmt: skip
    token = _narrow.set(narrow)
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        _narrow.reset(token)


def invert_lightness(svg: str) -> str:
    """Return an SVG for a dark page: every color keeps its hue, and light colors become dark ones and the reverse."""

    def inverted(found: re.Match[str]) -> str:
        red, green, blue = (int(found[1][i : i + 2], 16) / 255 for i in (0, 2, 4))
        hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
        back = colorsys.hls_to_rgb(hue, 0.93 - 0.8 * lightness, saturation)
        return "#" + "".join(f"{round(255 * value):02x}" for value in back)

    svg = re.sub(r"#([0-9a-f]{6})\b", inverted, svg)
    # Matplotlib leaves black out where it is the default: the letters.
    return svg.replace("<svg ", '<svg fill="#ededed" ', 1)


def panels(
    count: int, width: float = 7.2, height: float = 2.6, ratios: Sequence[float] | None = None, columns: int = 1
) -> list[Axes]:
    """Return `count` axes in a row on a figure of `width` x `height` inches; their figure is `axes[0].figure`.

    ratios: relative widths. columns: how many are next to each other on a narrow screen, where rows are stacked.
    """
    if not _narrow.get() or count == 1:
        figure = Figure(figsize=(width, height), layout="constrained")
        return list(np.atleast_1d(figure.subplots(1, count, width_ratios=ratios)))
    rows = ceil(count / columns)
    figure = Figure(figsize=(NARROW_WIDTH, rows * min(height, 2.6)), layout="constrained")
    axes = list(np.ravel(figure.subplots(rows, columns)))
    for unused in axes[count:]:
        unused.remove()
    return axes[:count]


def figure_of(axes: Axes) -> Figure:
    """Return the figure that holds these axes."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # axes from `panels` always have one
    return figure


def squares(
    axes: Axes,
    array: np.ndarray,
    title: str = "",
    marked: Iterable[tuple[int, int]] = (),
    color: str = ORANGE,
    number_format: str = "{:g}",
) -> None:
    """Draw a matrix as squares with its numbers, some of them marked. NaN is an empty square."""
    rows, columns = array.shape
    largest = float(np.nanmax(np.abs(array))) or 1.0
    marked_squares = set(marked)
    for row in range(rows):
        for column in range(columns):
            value = array[row, column]
            here = (row, column) in marked_squares
            shade = 0.0 if np.isnan(value) else 0.32 * abs(value) / largest
            face = tint(color, 0.45) if here else tint(BLUE, shade)
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=face, edgecolor="white", linewidth=1.2))
            if not np.isnan(value):
                axes.text(column + 0.5, row + 0.52, number_format.format(value), ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.05, -0.05), aspect="equal", title=title)
    axes.axis("off")


def tint(color: str, strength: float) -> tuple[float, float, float]:
    """Return the color mixed with white; strength 1 is the color itself."""
    red, green, blue = mpl.colors.to_rgb(color)
    return 1 - strength * (1 - red), 1 - strength * (1 - green), 1 - strength * (1 - blue)


def box(axes: Axes, x: float, y: float, text: str, width: float, height: float = 0.5, color: str = BLUE) -> None:
    """Draw a labeled box centered on (x, y)."""
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(
        Rectangle(corner, width, height, facecolor=tint(color, 0.16), edgecolor=color, linewidth=1.2, zorder=3)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8, zorder=4)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str = GRAY, bend: float = 0.0
) -> None:
    """Draw an arrow from one point to another."""
    look = {"arrowstyle": "-|>", "color": color, "linewidth": 1.2, "connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", end, start, arrowprops={**look, "shrinkA": 0, "shrinkB": 0}, zorder=1)
