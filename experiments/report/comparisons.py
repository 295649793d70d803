"""Drawings that compare: top-1 of runs, with intervals and costs; the shares right of single people."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from experiments.plots.training import BLUE, GREY
from experiments.report.facts import RunFacts
from experiments.report.figures import canvas, colour
from experiments.report.study import Family


def ranking(found: Sequence[Family]) -> str:
    """Top-1 of each run: the last epoch's (disc), the best epoch's (ring), `faces evaluate`'s with its interval."""
    runs = [(place, run) for place, family in enumerate(found) for run in family.runs]
    with canvas("ranking", 0.75 + 0.24 * len(runs)) as made:
        (axis,) = made.axes
        for row, (place, run) in enumerate(runs):
            shade = colour(place)
            best, last = run.metrics.get("best_top1"), run.metrics.get("top1")
            if run.evaluation:
                share, interval = run.evaluation.figures["top1"], run.evaluation.figures.get("top1_interval")
                if interval:
                    axis.plot(interval, [row + 0.22] * 2, color=shade, linewidth=1, solid_capstyle="butt")
                axis.plot(share, row + 0.22, "|", color=shade, markersize=7, markeredgewidth=1.6)
            if best is not None:
                axis.plot(best, row, "o", color=shade, markerfacecolor="none", markersize=6.5)
            if last is not None:
                axis.plot(last, row, "o", color=shade, markersize=3.8)
        axis.set_yticks(range(len(runs)), [f"{run.number}  {_short(run.name)}" for _, run in runs])
        axis.set(ylim=(len(runs) - 0.4, -0.6), xlabel="top-1 on validation pictures")
        axis.set_xlim(right=min(1.02, axis.get_xlim()[1]))
        axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="y", visible=False)
    return made.svg


def costs(found: Sequence[Family]) -> str:
    """Mean top-1 of each recipe against parameters and FLOPs; points bear the runs' numbers."""
    with canvas("costs", 2.6, columns=2) as made:
        for axis, key, label in zip(made.axes, ("parameters", "flops"), ("parameters", "FLOPs a picture"), strict=True):
            for place, family in enumerate(found):
                anatomy, top1 = family.first.anatomy, family.top1()
                if anatomy is None or top1 is None:
                    continue
                cost = getattr(anatomy, key)
                axis.plot(cost, top1, "o", color=colour(place))
                _beside(axis, cost, top1, family.numbers, place)
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(EngFormatter(sep=""))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.margins(x=0.15, y=0.12)
            axis.set(xlabel=label)
            axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        made.axes[0].set_ylabel("validation top-1")
    return made.svg


def people(run: RunFacts) -> str:
    """How many people have which share of their pictures named rightly."""
    assert run.evaluation is not None
    shares = np.array([float(row["top1"]) for row in run.evaluation.people])
    with canvas("people", 2.0, width=0.6) as made:
        (axis,) = made.axes
        axis.hist(shares, np.linspace(0, 1, 11).tolist(), color=BLUE, edgecolor="white")
        axis.axvline(float(shares.mean()), color=GREY, linestyle="--", linewidth=1)
        axis.set(xlim=(0, 1), xlabel="share of a person’s pictures named rightly", ylabel="people")
        axis.xaxis.set_major_formatter(PercentFormatter(1))
        axis.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    return made.svg


def _beside(axis: Axes, x: float, y: float, text: str, place: int) -> None:
    """Numbers right of their points, or left of every second, so that neighbours' stay apart."""
    left = bool(place % 2)
    axis.annotate(
        text,
        (x, y),
        (-5 if left else 5, 0),
        textcoords="offset points",
        fontsize=8,
        va="center",
        ha="right" if left else "left",
    )


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:24]}…{name[-15:]}"
