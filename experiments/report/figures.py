"""Drawings of the paper's size and lettering, as SVG that comes out the same each time.

Drawings of learning: loss and accuracy by epoch, of one run, of each, and of all together.

Drawings that compare: top-1 of runs, with intervals and costs; the shares right of single people.

Drawings of verification: ROC, DET, and how the similarities of pairs spread.
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import (
    EngFormatter,
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    PercentFormatter,
)
from scipy.stats import norm

from experiments.metrics.roc import RocCurve, roc_curve
from experiments.plots.style import BLUE, GRAY, ORANGE
from experiments.plots.verification import DET_TICKS
from experiments.report.facts import RunFacts
from experiments.report.study import Family

TEXT_WIDTH = 6.3
"""Inches of the paper's lines: a drawing of this width is shown at its own size."""

COLOURS = (BLUE, ORANGE, "#2f855a", "#6b46c1", "#c53030", "#319795", "#b7791f", "#d53f8c", "#1a202c", GRAY)
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


PANELS = 4
"""Across a drawing of several recipes: loss and accuracy of two."""


def one_run(family: Family) -> str:
    """Loss, and accuracy, in training and validation; a line for each seed."""
    with canvas("curves", 2.5, columns=2) as made:
        losses, accuracy = made.axes
        _draw(family, losses, accuracy, labels=True)
        over_epochs(losses, "cross entropy (nats)", shares=False)
        over_epochs(accuracy, "pictures right", shares=True)
        losses.legend()
        accuracy.legend(loc="lower right")
    return made.svg


def each(found: Sequence[Family]) -> str:
    """The same of several recipes, in small: two panels each, two recipes a row."""
    rows = -(-len(found) // 2)
    with canvas("each", 1.5 * rows + 0.25, rows, PANELS) as made:
        for number, family in enumerate(found):
            losses, accuracy = made.axes[2 * number : 2 * number + 2]
            _draw(family, losses, accuracy, labels=number == 0)
            for axis, what, shares in ((losses, "loss", False), (accuracy, "accuracy", True)):
                over_epochs(axis, "", shares)
                axis.set_xlabel("epoch" if number >= len(found) - 2 else "")
                axis.set_title(f"{family.numbers}: {what}", fontsize=8.5)
                axis.tick_params(labelsize=7)
        for axis in made.axes[2 * len(found) :]:
            axis.axis("off")
        handles, labels = _legend(made.axes)
        made.drawing.legend(handles, labels, loc="outside upper center", ncols=3)
    return made.svg


def together(found: Sequence[Family]) -> str:
    """Validation loss and top-1 of all runs by epoch; runs of one recipe share a colour."""
    with canvas("together", 2.9, columns=2) as made:
        losses, accuracy = made.axes
        for place, family in enumerate(found):
            for number, run in enumerate(family.runs):
                label = family.numbers if number == 0 else None
                alpha = 1.0 if len(family.runs) == 1 else 0.7
                mark = "o" if len(run.history) < 2 else None
                for axis, key in ((losses, "loss"), (accuracy, "top1")):
                    values = known(_column(run, key))
                    (line,) = axis.plot(
                        _epochs(run), values, color=colour(place), marker=mark, label=label, alpha=alpha
                    )
                    line.set_dashes(dashes(place))
        over_epochs(losses, "validation loss (nats)", shares=False)
        losses.set_ylim(bottom=0)
        over_epochs(accuracy, "validation top-1", shares=True)
        handles, labels = accuracy.get_legend_handles_labels()
        made.drawing.legend(handles, labels, loc="outside lower center", ncols=min(10, len(labels)), title="runs")
    return made.svg


def _draw(family: Family, losses: Axes, accuracy: Axes, labels: bool) -> None:
    for number, run in enumerate(family.runs):
        dot = "o" if len(run.history) < 8 else None
        for axis, key, shade, name in (
            (losses, "train_loss", GRAY, "training"),
            (losses, "loss", BLUE, "validation"),
            (accuracy, "train_top1", GRAY, "training top-1"),
            (accuracy, "top1", BLUE, "validation top-1"),
            (accuracy, "top5", ORANGE, "validation top-5"),
        ):
            values = _column(run, key)
            if any(value is not None for value in values):
                label = name if labels and number == 0 else None
                alpha = 1.0 if len(family.runs) == 1 else 0.65
                axis.plot(_epochs(run), known(values), color=shade, marker=dot, label=label, alpha=alpha)
    losses.set_ylim(bottom=0)


def _legend(axes: Sequence[Axes]) -> tuple[list[Artist], list[str]]:
    """Grey, blue and orange, which mean the same in all panels."""
    found: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label.removesuffix(" top-1"), handle)
    return list(found.values()), list(found)


def _epochs(run: RunFacts) -> list[float]:
    return [row["epoch"] for row in run.history]


def _column(run: RunFacts, key: str) -> list[float | None]:
    return [row.get(key) for row in run.history]


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
        axis.axvline(float(shares.mean()), color=GRAY, linestyle="--", linewidth=1)
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


POINTS = 600
"""Of a curve, at most: more could not be told apart."""

HIGHEST, POOR = 0.6, 0.3
"""The largest error rate of the DET plot, unless an EER is above the second."""

WIDE_TICKS = (1e-6, 1e-4, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
"""Those of a DET plot that goes on to 99 %."""


def separated(found: Sequence[RunFacts]) -> bool:
    """Whether a threshold parts the pairs of every run without a mistake: a DET curve would have no point to show."""
    return all(_inside(_curve(run)).sum() == 0 for run in found)


def roc_and_det(found: Sequence[tuple[int, RunFacts]]) -> str:
    """TAR over FAR, and FRR over FAR on probit axes (Martin et al. 1997). found: runs with their recipes' places."""
    curves = [(place, run, _curve(run)) for place, run in found]
    columns = 1 if separated([run for _, run in found]) else 2
    with canvas("pairs", 3.0, columns=columns, width=columns / 2) as made:
        left = made.axes[0]
        least = min(1 / float(curve.impostor[-1]) for _, _, curve in curves)
        for place, run, curve in curves:
            rows = _thinned(curve)
            far = np.maximum(curve.far[rows], least)
            left.step(far, curve.tar[rows], where="post", color=colour(place), label=f"{run.number}")
        left.set(xscale="log", xlim=(least, 1), ylim=(0, 1.02), title="ROC")
        left.set(xlabel="FAR: different people accepted", ylabel="TAR: the same person accepted")
        left.xaxis.set_major_formatter(FuncFormatter(lambda far, _: f"{100 * far:g}%"))
        left.yaxis.set_major_formatter(PercentFormatter(1))
        if len(found) > 1:
            left.legend(title="runs", loc="lower right", ncols=1 + len(found) // 6)
        if columns == 2:
            _det(made.axes[1], [(place, curve) for place, _, curve in curves], least)
    return made.svg


def _det(axis: Axes, curves: Sequence[tuple[int, RocCurve]], least: float) -> None:
    for place, curve in curves:
        rows = _thinned(curve)
        rows = rows[_inside(curve)[rows]]
        axis.plot(
            norm.ppf(curve.far[rows]),
            norm.ppf(curve.frr[rows]),
            color=colour(place),
            marker="." if len(rows) < 4 else None,
        )
    least_refused = min(1 / float(curve.genuine[-1]) for _, curve in curves)
    highest = HIGHEST if max(curve.eer() for _, curve in curves) < POOR else 0.99
    _det_axes(axis, (max(least, 1e-6), max(least_refused, 1e-6)), highest)


def _inside(curve: RocCurve) -> np.ndarray:
    """Which points a probit axis can show: where some are accepted wrongly, and some refused."""
    return (curve.far > 0) & (curve.far < 1) & (curve.frr > 0) & (curve.frr < 1)


def similarities(run: RunFacts) -> str:
    """Histograms of the similarities of pairs of one person and of two, and the threshold between them."""
    assert run.verification is not None
    scores, matches = _pairs(run)
    threshold = run.verification.figures["threshold"]
    bins = np.linspace(scores.min(), scores.max(), 50).tolist() if np.ptp(scores) else 10
    with canvas("similarities", 2.2, width=0.7) as made:
        (axis,) = made.axes
        for kind, shade, label in ((~matches, ORANGE, "different people"), (matches, BLUE, "the same person")):
            axis.hist(scores[kind], bins, color=shade, alpha=0.6, density=True, label=label)
        axis.axvline(threshold, color=GRAY, linestyle="--", linewidth=1, label=f"threshold {threshold:.3f}")
        axis.set(xlabel="similarity", ylabel="density")
        axis.set_ylim(0, 1.25 * axis.get_ylim()[1])
        axis.legend(ncols=3, loc="upper center")
    return made.svg


def _curve(run: RunFacts) -> RocCurve:
    return roc_curve(*_pairs(run))


def _pairs(run: RunFacts) -> tuple[np.ndarray, np.ndarray]:
    assert run.verification is not None
    scores, matches = zip(*run.verification.scores, strict=True)
    return np.array(scores), np.array(matches)


def _thinned(curve: RocCurve) -> np.ndarray:
    """Places of a curve's points to draw: all of few; of many, those next to evenly spread FARs on a log scale."""
    count = len(curve.far)
    if count <= POINTS:
        return np.arange(count)
    wanted = np.geomspace(1 / curve.impostor[-1], 1, POINTS // 2)
    by_far = np.searchsorted(curve.far, wanted).clip(0, count - 1)
    by_frr = (
        count
        - 1
        - np.searchsorted(curve.frr[::-1], np.geomspace(1 / curve.genuine[-1], 1, POINTS // 2)).clip(0, count - 1)
    )
    return np.unique(np.concatenate([[0], by_far, by_frr, [count - 1]]))


def _det_axes(axis: Axes, least: tuple[float, float], highest: float) -> None:
    for side, low in zip((axis.xaxis, axis.yaxis), least, strict=True):
        ticks = [tick for tick in (DET_TICKS if highest == HIGHEST else WIDE_TICKS) if low <= tick <= highest]
        side.set_major_locator(FixedLocator(list(norm.ppf(ticks))))
        side.set_minor_locator(NullLocator())
        side.set_major_formatter(FixedFormatter([f"{100 * tick:g}%" for tick in ticks]))
    low, high = norm.ppf(min(least)), norm.ppf(highest)
    axis.plot([low, high], [low, high], color=GRAY, linestyle=":", linewidth=1)
    axis.set(xlim=(norm.ppf(least[0]), high), ylim=(norm.ppf(least[1]), high), title="DET")
    axis.set(xlabel="FAR: different people accepted", ylabel="FRR: the same person refused")
