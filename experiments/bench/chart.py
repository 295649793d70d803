"""A benchmark as a picture: for each piece of work, how long mytorch takes where PyTorch takes 1."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from experiments.bench.convolutions import TOGETHER
from experiments.plots.training import BLUE, GREY, ORANGE, figure, write_figure

HEIGHT_OF_A_ROW = 0.27
BARS = {"ratio": (BLUE, "over torch, default layout"), "ratio_channels_last": (ORANGE, "over torch, channels_last")}


def draw_ratios(sections: Mapping[str, Any], title: str, path: Path) -> None:
    """Two lists of bars side by side: convolutions and steps of training, and the other layers. Logarithmic."""
    together = [row for row in sections["convolutions"] if row["part"] == TOGETHER]
    steps = [{**row, "name": f"step: {row['name']}"} for row in sections["steps"]]
    layers = sorted(sections["layers"], key=lambda row: row["ratio"])
    longest = max(len(together) + len(steps), len(layers))
    drawing, axes = figure(2, 7.0, 1.6 + HEIGHT_OF_A_ROW * longest)
    _bars(axes[0], [*sorted(together, key=lambda row: row["ratio"]), *steps], "convolutions, and steps of training")
    _bars(axes[1], layers, "other layers, optimisers")
    axes[0].legend(frameon=False, loc="upper right")
    drawing.suptitle(title)
    write_figure(drawing, path)


def _bars(axis: Axes, rows: Sequence[Mapping[str, Any]], title: str) -> None:
    for n, (key, (colour, label)) in enumerate(BARS.items()):
        places = [place + 0.38 * (n - 0.5) for place in range(len(rows))]
        widths = [row[key] - 1 for row in rows]
        axis.barh(places, widths, 0.36, left=1, color=colour, label=label)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8)
    axis.set_xscale("log")
    axis.axvline(1, color=GREY, linewidth=1)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set(xlabel="mytorch's time / PyTorch's (left of 1: mytorch is faster)", title=title, ylim=(len(rows), -1))
