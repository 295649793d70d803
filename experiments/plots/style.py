"""What all plots have in common: colors, empty plots, ticks at round values, legends and labels that cover no data."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox

from mytorch.files import atomic_write

BLUE, ORANGE, GRAY, GREEN, RED = "#2b6cb0", "#dd6b20", "#718096", "#2f855a", "#c53030"
COLORS = (BLUE, ORANGE, GREEN, "#6b46c1", RED, "#319795", "#b7791f", "#d53f8c", "#1a202c", GRAY)
"""Of several curves, in their order."""

ROUND_STEPS = (1, 2, 5, 10)
"""Ticks are multiples of these: 80 % and 90 %, not 82.5 %."""

MAX_RATIO_WITH_125 = 60
"""A logarithmic axis over a larger range has ticks at powers of ten only: others would run into each other."""

BELOW_AXIS_LABEL = 4.3
"""How far a legend is below its axes, in units of its font size: past the tick labels and the label of the x axis."""


def new_plot(columns: int, width: float = 5.0, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes side by side; sizes in inches. It bypasses pyplot, so any thread may call it."""
    drawing = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = [drawing.add_subplot(1, columns, number + 1) for number in range(columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return drawing, axes


def write_plot(drawing: Figure, path: Path, dpi: int = 150) -> None:
    """Save a figure as PNG, or in the format of another suffix, whole or not at all.

    Bytes of a file name that are not UTF-8, which no font can draw, are shown as escapes.
    """
    for text in drawing.findobj(Text):
        assert isinstance(text, Text)
        text.set_text(text.get_text().encode("utf-8", "backslashreplace").decode())
    with atomic_write(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in a script that the font lacks
        drawing.savefig(temporary, format=path.suffix.removeprefix(".") or "png", dpi=dpi)


def legend_below(axis: Axes, columns: int = 3) -> Legend:
    """Put the legend of an axis below it, where no data can be. The layout makes room for it."""
    return axis.legend(
        loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=BELOW_AXIS_LABEL, ncols=columns, frameon=False,
        fontsize=8,
    )  # fmt: skip


def format_percent(value: float) -> str:
    """Write a fraction as a percentage with no more digits than it has: 80%, 82.5%, 0.001%."""
    return f"{round(100 * value, 6):g}%"


def percent_axis(axis: Axis, bins: int = 6) -> None:
    """Show fractions as percentages, with ticks at round values."""
    axis.set_major_locator(MaxNLocator(nbins=bins, steps=ROUND_STEPS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_percent(value)))


def count_axis(axis: Axis, bins: int = 6) -> None:
    """Put ticks at round whole numbers."""
    axis.set_major_locator(MaxNLocator(nbins=bins, integer=True, steps=ROUND_STEPS))


def steps_axis(axis: Axes, steps: Iterable[float], label: str, bins: int = 6) -> None:
    """Make the x axis one of epochs or trials: whole numbers, and a single one in the middle of the axis."""
    found = sorted(set(steps))
    axis.set_xlabel(label)
    if len(found) == 1:
        axis.set_xlim(found[0] - 0.5, found[0] + 0.5)
        axis.xaxis.set_major_locator(FixedLocator(found))
    else:
        count_axis(axis.xaxis, bins)


def log_axis(axis: Axes, values: Sequence[float], label: str, separator: str = " ") -> None:
    """Make the x axis logarithmic, with ticks such as 200 k and 1 M, and with room around few or equal values."""
    axis.set_xscale("log")
    axis.set_xlabel(label)
    low, high = min(values, default=1), max(values, default=1)
    room = max((high / low) ** 0.2, 1.5)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high * room**2 / low < MAX_RATIO_WITH_125 else (1,)))
    axis.xaxis.set_major_formatter(EngFormatter(sep=separator))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlim(low / room, high * room)


def fraction_limits(axis: Axes, values: Sequence[float]) -> None:
    """Limit the y axis to where these fractions are, with room around them, but within 0 and 1."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(0.2 * (high - low), 0.02)
    axis.set_ylim(max(-0.02, low - room), min(1.02, high + room))


def label_points(axis: Axes, points: Sequence[tuple[float, float, str]], size: float = 8) -> None:
    """Write a label next to each point (x, y, text), where it covers neither points nor other labels."""
    drawing = axis.get_figure(root=True)
    assert drawing is not None
    drawing.draw_without_rendering()  # places on the paper are known only after the layout
    centers = [axis.transData.transform((x, y)) for x, y, _ in points]
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in centers]
    for x, y, text in points:
        label = axis.annotate(text, (x, y), (0, 0), textcoords="offset points", fontsize=size, parse_math=False)
        for place in _PLACES:
            label.set(**place)
            box = label.get_window_extent()
            if not any(box.overlaps(other) for other in taken) and _inside(box, axis.bbox):
                break
        taken.append(label.get_window_extent())


_PLACES: tuple[dict[str, Any], ...] = tuple(
    {"position": (across, up), "ha": side, "va": level}
    for distance in (6, 16, 26, 36, 46)
    for across, up, side, level in (
        (distance, 0, "left", "center"), (0, distance, "center", "bottom"), (-distance, 0, "right", "center"),
        (0, -distance, "center", "top"), (distance, distance, "left", "bottom"), (distance, -distance, "left", "top"),
        (-distance, distance, "right", "bottom"), (-distance, -distance, "right", "top"),
    )
)  # fmt: skip
"""Where a label may be, from the best place to the worst: near its point, then further away."""


def _inside(box: Bbox, outer: Bbox) -> bool:
    return bool(box.x0 >= outer.x0 and box.x1 <= outer.x1 and box.y0 >= outer.y0 and box.y1 <= outer.y1)
