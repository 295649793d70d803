"""Charts that compare: confidence with accuracy, runs with one another, the trials of a search."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from experiments.metrics.calibration import Calibration
from experiments.plots.training import BLUE, GREY, ORANGE, figure, write_figure


def reliability_diagram(found: Calibration, path: Path) -> None:
    """How often the network is right when it is so sure, and how many pictures it is so sure of."""
    drawing, (shares, images) = figure(2, 4.4, 4.2)
    left = [b.low for b in found.bins]
    width = [b.high - b.low for b in found.bins]
    shares.bar(left, [b.right for b in found.bins], width, align="edge", color=BLUE, edgecolor="white", label="right")
    sure = [b.confidence for b in found.bins]
    shares.plot(sure, [b.right for b in found.bins], "o", color=ORANGE, markersize=4, label="at the mean confidence")
    shares.plot([0, 1], [0, 1], "--", color=GREY, label="perfectly calibrated")
    shares.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="pictures right")
    shares.set_title(f"calibration error {found.ece:.3f}, temperature {found.temperature:.2f}")
    images.bar(left, [b.images for b in found.bins], width, align="edge", color=GREY, edgecolor="white")
    images.set(xlim=(0, 1), xlabel="confidence", ylabel="pictures", title="how sure the network is")
    images.yaxis.set_major_locator(MaxNLocator(integer=True))
    shares.yaxis.set_major_formatter(PercentFormatter(1))
    for axis in (shares, images):
        axis.xaxis.set_major_formatter(PercentFormatter(1))
    drawing.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8)  # bars may stand anywhere in the plot
    write_figure(drawing, path)


def trade_offs(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Top-1 of runs against their FLOPs and against their parameters. rows: run, top1, flops, parameters."""
    drawing, axes = figure(2, 5.2, 4.0)
    for axis, key, label in zip(axes, ("flops", "parameters"), ("FLOPs a picture", "parameters"), strict=True):
        for number, row in enumerate(sorted(rows, key=lambda row: row[key])):
            axis.plot(row[key], row["top1"], "o", color=BLUE)
            up = 1 if number % 2 else -1  # neighbours above and below, so that their names stay apart
            axis.annotate(
                row["run"], (row[key], row["top1"]), (0, 7 * up), textcoords="offset points", fontsize=8,
                ha="center", va="bottom" if up > 0 else "top", parse_math=False,
            )  # fmt: skip
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(EngFormatter())
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.margins(0.25)
        axis.set(xlabel=label, ylabel="validation top-1")
        axis.yaxis.set_major_formatter(PercentFormatter(1))
    write_figure(drawing, path)


def search_history(values: Sequence[float | None], path: Path, title: str) -> None:
    """Top-1 of a search's trials in their order, and the best so far; None for trials cut short."""
    drawing, (axis,) = figure(1, 6.4, 3.8)
    numbers = np.arange(1, len(values) + 1)
    reached = np.array([np.nan if value is None else value for value in values])
    cut = np.isnan(reached)
    axis.plot(numbers[~cut], reached[~cut], "o", color=BLUE, label="trial")
    axis.step(numbers, np.fmax.accumulate(reached), where="post", color=ORANGE, label="best so far")
    if cut.any():
        axis.plot(
            numbers[cut],
            np.full(cut.sum(), 0.02),
            "|",
            color=GREY,
            label="cut short",
            transform=axis.get_xaxis_transform(),
        )
    axis.set(xlabel="trial", ylabel="validation top-1", title=title)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.legend(frameon=False, loc="lower right")
    write_figure(drawing, path)


def importances(shares: Mapping[str, float], path: Path) -> None:
    """Which settings decided a search's results: share of the variance that each explains."""
    names = sorted(shares, key=lambda name: shares[name])
    drawing, (axis,) = figure(1, 6.4, 1.2 + 0.4 * len(names))
    axis.barh(range(len(names)), [shares[name] for name in names], color=BLUE)
    axis.set_yticks(range(len(names)), names, parse_math=False)
    axis.set(xlabel="share of the variance of top-1 that it explains", xlim=(0, 1))
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    write_figure(drawing, path)
