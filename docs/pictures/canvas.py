"""What the pictures share: a figure without a screen, colours, and arrays drawn as squares with numbers in them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

Draw = Callable[[], Figure]

BLUE, ORANGE, GREEN, RED, GREY = "#1f5fa8", "#d9822b", "#2e8b57", "#b5382f", "#8a8f98"
COLOURS = (BLUE, ORANGE, GREEN, RED, "#6b4fa0", "#17828f", GREY)


@contextmanager
def style() -> Iterator[None]:
    """Plain lines and letters as outlines, so that a picture looks the same wherever it is opened."""
    settings: Any = {
        "svg.fonttype": "path", "svg.hashsalt": "mytorch", "font.size": 9, "font.family": "DejaVu Sans",
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9.5, "legend.frameon": False,
        "lines.linewidth": 1.8, "axes.grid": False,
    }  # fmt: skip
    with mpl.rc_context(settings):
        yield


def panels(count: int, width: float = 7.2, height: float = 2.6, shares: Sequence[float] | None = None) -> list[Axes]:
    """So many axes side by side on a white figure, `width` x `height` inches; their figure is `axes[0].figure`."""
    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    return list(np.atleast_1d(figure.subplots(1, count, width_ratios=shares)))


def figure_of(axes: Axes) -> Figure:
    """The figure that axes stand on."""
    figure = axes.get_figure(root=True)
    assert figure is not None  # axes from `panels` always have one
    return figure


def squares(
    axes: Axes,
    array: np.ndarray,
    title: str = "",
    marked: Iterable[tuple[int, int]] = (),
    colour: str = ORANGE,
    form: str = "{:g}",
) -> None:
    """A matrix as squares with its numbers in them, some of them marked; NaN is an empty square."""
    rows, columns = array.shape
    largest = float(np.nanmax(np.abs(array))) or 1.0
    chosen = set(marked)
    for row in range(rows):
        for column in range(columns):
            value = array[row, column]
            here = (row, column) in chosen
            shade = 0.0 if np.isnan(value) else 0.32 * abs(value) / largest
            face = mix(colour, 0.45) if here else mix(BLUE, shade)
            axes.add_patch(Rectangle((column, row), 1, 1, facecolor=face, edgecolor="white", linewidth=1.2))
            if not np.isnan(value):
                axes.text(column + 0.5, row + 0.52, form.format(value), ha="center", va="center", fontsize=8)
    axes.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.05, -0.05), aspect="equal", title=title)
    axes.axis("off")


def mix(colour: str, share: float) -> tuple[float, float, float]:
    """A share of the colour on white."""
    red, green, blue = mpl.colors.to_rgb(colour)
    return 1 - share * (1 - red), 1 - share * (1 - green), 1 - share * (1 - blue)


def box(axes: Axes, x: float, y: float, text: str, width: float, height: float = 0.5, colour: str = BLUE) -> None:
    """A labelled box about (x, y)."""
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(
        Rectangle(corner, width, height, facecolor=mix(colour, 0.16), edgecolor=colour, linewidth=1.2, zorder=3)
    )
    axes.text(x, y, text, ha="center", va="center", fontsize=8, zorder=4)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = GREY, bend: float = 0.0
) -> None:
    """An arrow from one point to another."""
    look = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.2, "connectionstyle": f"arc3,rad={bend}"}
    axes.annotate("", end, start, arrowprops={**look, "shrinkA": 0, "shrinkB": 0}, zorder=1)
