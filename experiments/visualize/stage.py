"""A canvas for one step: pictures, small tables of numbers, signs between them. Places in inches from the top left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle

from experiments.plots.training import BLUE, GREY, ORANGE

INK, NOTHING = "#1a202c", "#edf2f7"
"""Of text; and of pixels that are not computed yet."""

READABLE = 5
"""Pictures of at most so many pixels a side show their numbers."""

Area = tuple[float, float, float, float]
"""Left, top, width and height, in inches."""

Window = tuple[int, int, int, int]
"""First row, first column, rows and columns of pixels."""


@dataclass(frozen=True)
class Shades:
    """How numbers become colours: from `low` to `high`, grey where all are of one sign, blue to red about zero."""

    low: float
    high: float

    @classmethod
    def of(cls, *values: np.ndarray) -> "Shades":
        """Shades for these arrays; what is not a number does not count."""
        seen = np.concatenate([np.ravel(v)[np.isfinite(np.ravel(v))] for v in values])
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 1.0)
        if low < 0:
            return cls(-max(-low, high), max(-low, high))
        return cls(low, high) if high > low else cls(min(low, 0.0), max(high, low + 1e-6))

    @property
    def colours(self) -> Colormap:
        """matplotlib's table of colours, with pale blue for what is not there."""
        return colormaps["RdBu_r" if self.low < 0 else "gray"].with_extremes(bad=NOTHING)

    def ink(self, value: float) -> str:
        """What can be read on a value's colour."""
        share = (value - self.low) / (self.high - self.low)
        red, green, blue, _ = self.colours(float(np.clip(share, 0, 1)))
        return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


@dataclass(frozen=True)
class Panel:
    """A picture (H, W) with a title. window: framed pixels; padding: how many rows at its edges are padding.

    marks: pixels (row, column) that are ringed.
    """

    title: str
    values: np.ndarray
    shades: Shades
    window: Window | None = None
    padding: int = 0
    marks: Sequence[tuple[int, int]] = ()
    frame: str = ORANGE


class Stage:
    """A figure, or a part of one, of `width` by `height` inches."""

    def __init__(self, canvas: FigureBase, width: float, height: float):
        self.canvas, self.width, self.height = canvas, width, height

    def axes(self, area: Area) -> Axes:
        """An empty plot there."""
        left, top, width, height = area
        share = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.canvas.add_axes(share)

    def words(self, left: float, top: float, text: str, size: float = 10, align: str = "left", **style: Any) -> None:
        """Text whose first line begins there; align: left, center or right of `left`."""
        self.canvas.text(
            left / self.width, 1 - top / self.height, text, fontsize=size, ha=align, va="top",
            parse_math=False, **{"color": INK, **style},
        )  # fmt: skip

    def heading(self, headline: str, caption: str) -> None:
        """What this step is, and what happens in it."""
        self.words(0.3, 0.14, headline, 13, weight="bold")
        self.words(0.3, 0.44, caption, 10, color="#4a5568")

    def sign(self, left: float, middle: float, sign: str) -> None:
        """A large ×, = or arrow, about a point."""
        self.canvas.text(
            left / self.width, 1 - middle / self.height, sign, fontsize=17, ha="center", va="center", color=GREY
        )

    def picture(self, area: Area, panel: Panel) -> Axes:
        """A panel, as large as the area allows; with its numbers where they are few."""
        values = panel.values
        rows, columns = values.shape
        cell = min(area[2] / columns, area[3] / rows)
        left, top = area[0] + (area[2] - cell * columns) / 2, area[1] + (area[3] - cell * rows) / 2
        axis = self.axes((left, top, cell * columns, cell * rows))
        self._pixels(axis, panel)
        if max(rows, columns) <= READABLE or cell >= 0.28:
            self._numbers(axis, panel, cell)
        self.words(area[0] + area[2] / 2, top - 0.22, panel.title, 9.5, "center")
        return axis

    def column(self, area: Area, panel: Panel) -> Axes:
        """A panel stretched over the area, whatever its proportions: for long matrices."""
        axis = self.axes(area)
        self._pixels(axis, panel)
        self.words(area[0] + area[2] / 2, area[1] - 0.22, panel.title, 9.5, "center")
        return axis

    @staticmethod
    def _pixels(axis: Axes, panel: Panel) -> None:
        shades, (rows, columns) = panel.shades, panel.values.shape
        axis.imshow(
            np.ma.masked_invalid(panel.values), cmap=shades.colours, vmin=shades.low, vmax=shades.high,
            aspect="auto", interpolation="nearest",
        )  # fmt: skip
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set(edgecolor=GREY, linewidth=0.8)
        if p := panel.padding:
            inner = Rectangle((p - 0.5, p - 0.5), columns - 2 * p, rows - 2 * p, fill=False)
            inner.set(edgecolor=BLUE, linestyle=":", linewidth=1.5)
            axis.add_patch(inner)
        if panel.window:
            frame_pixels(axis, panel.window, panel.frame)
        for row, column in panel.marks:
            frame_pixels(axis, (row, column, 1, 1), panel.frame)

    @staticmethod
    def _numbers(axis: Axes, panel: Panel, cell: float) -> None:
        texts = {place: short(value) for place, value in np.ndenumerate(panel.values) if np.isfinite(value)}
        longest = max(map(len, texts.values()), default=1)
        size = min(11.0, 0.88 * cell * 72 / (0.62 * longest))
        for (row, column), text in texts.items():
            ink = panel.shades.ink(float(panel.values[row, column]))
            axis.text(column, row, text, fontsize=size, ha="center", va="center", color=ink)


def frame_pixels(axis: Axes, window: Window, colour: str = ORANGE) -> None:
    """A frame around some pixels of a picture, drawn to be seen at its edges, too."""
    row, column, rows, columns = window
    frame = Rectangle((column - 0.5, row - 0.5), columns, rows, fill=False, clip_on=False, zorder=5)
    frame.set(edgecolor=colour, linewidth=2.2)
    axis.add_patch(frame)


def short(value: float) -> str:
    """A number in two decimals and few signs: 0.50, −1.25, 12.3; whole ones without decimals."""
    digits = 0 if abs(value) >= 99.95 or float(value).is_integer() else 1 if abs(value) >= 9.995 else 2
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
