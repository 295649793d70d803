"""Drawings of the paper's size and lettering, as SVG that comes out the same each time."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from experiments.plots.training import BLUE, GREY, ORANGE

TEXT_WIDTH = 6.3
"""Inches of the paper's lines: a drawing of this width is shown at its own size."""

COLOURS = (BLUE, ORANGE, "#2f855a", "#6b46c1", "#c53030", "#319795", "#b7791f", "#d53f8c", "#1a202c", GREY)
"""Of the recipes, in their order; more begin again, with broken lines."""

STYLE: dict[Any, Any] = {
    "font.family": ["STIXGeneral", "DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "svg.fonttype": "path",
    "text.parse_math": False,
}


class Canvas:
    """A drawing in the making: rows × columns of axes, and, once the block of `canvas` has ended, its SVG."""

    def __init__(self, height: float, rows: int, columns: int, width: float):
        self.drawing = Figure(figsize=(width * TEXT_WIDTH, height), layout="constrained")
        FigureCanvasSVG(self.drawing)
        self.axes = [self.drawing.add_subplot(rows, columns, number + 1) for number in range(rows * columns)]
        self.svg = ""


@contextmanager
def canvas(label: str, height: float, rows: int = 1, columns: int = 1, width: float = 1.0) -> Iterator[Canvas]:
    """Yield a Canvas to draw on. height: inches; width: share of the text's; label: its name, unlike any other's."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": label}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in a script that the font lacks
        made = Canvas(height, rows, columns, width)
        yield made
        buffer = io.StringIO()
        made.drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        made.svg = re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)


def colour(place: int) -> str:
    """Of the recipe at that place, from 0."""
    return COLOURS[place % len(COLOURS)]


def dashes(place: int) -> tuple[float, ...]:
    """The line of the recipe at that place: those that share a colour differ in it. Empty: unbroken."""
    return ((), (4, 1.5), (1, 1.5), (6, 1.5, 1, 1.5))[place // len(COLOURS) % 4]


def over_epochs(axis: Axes, ylabel: str, shares: bool) -> None:
    """Label an axis whose x are epochs."""
    axis.set(xlabel="epoch", ylabel=ylabel)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if shares:
        axis.set_ylim(0, 1.03)
        axis.yaxis.set_major_formatter(PercentFormatter(1))


def known(values: Sequence[float | None]) -> list[float]:
    """With gaps where there is nothing to draw."""
    return [float("nan") if value is None else value for value in values]
