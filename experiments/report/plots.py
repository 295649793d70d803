"""The plots of a report, as SVG in its size and lettering, the same for the same runs: learning, comparison, pairs."""

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
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator
from scipy.stats import norm

from experiments.metrics.roc import RocCurve, roc_curve
from experiments.plots.style import (
    BLUE,
    COLORS,
    GRAY,
    ORANGE,
    count_axis,
    format_percent,
    fraction_limits,
    label_points,
    legend_below,
    log_axis,
    percent_axis,
    steps_axis,
)
from experiments.plots.verification import DET_TICKS, MAX_DET_RATE, MIN_CURVE_POINTS, det_points
from experiments.report.facts import PersonFacts, RunFacts
from experiments.report.study import Family

TEXT_WIDTH = 6.3
"""Inches of the report's lines: a drawing of this width is shown at its own size."""

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

DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1.5), (6, 1.5, 1, 1.5))
"""Of more recipes than there are colors: those that share a color differ in their dashes."""

MAX_EPOCHS_WITH_MARKERS = 7
MAX_NAME, MAX_TITLE = 40, 26
"""Characters of a run's name in a legend or next to an axis, and above a small plot; longer ones are shortened."""

MAX_CURVE_POINTS = 600
"""Of a ROC curve: more cannot be told apart."""

POOR_EER = 0.3
"""A DET plot with an EER above this one reaches to 99 % on both axes."""

WIDE_DET_TICKS = (1e-6, 1e-4, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95)
"""Ticks of a DET plot that reaches to 99 %."""


class Canvas:
    """A drawing in the making: rows × columns of axes, and, after the block of `canvas`, its SVG."""

    def __init__(self, height: float, rows: int, columns: int, width: float):
        self.drawing = Figure(figsize=(width * TEXT_WIDTH, height), layout="constrained")
        FigureCanvasSVG(self.drawing)
        self.axes = [self.drawing.add_subplot(rows, columns, number + 1) for number in range(rows * columns)]
        self.svg = ""


@contextmanager
def canvas(label: str, height: float, rows: int = 1, columns: int = 1, width: float = 1.0) -> Iterator[Canvas]:
    """Yield a Canvas to draw on. height: inches; width: a fraction of the text's; label: a name unlike any other's."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": label}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in a script that the font lacks
        made = Canvas(height, rows, columns, width)
        yield made
        buffer = io.StringIO()
        made.drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        made.svg = re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)


# Learning: loss and accuracy by epoch.


def draw_one_recipe(family: Family) -> str:
    """Draw loss and accuracy in training and validation; a line for each seed."""
    with canvas("curves", 2.6, columns=2) as made:
        losses, accuracy = made.axes
        _draw_recipe(family, losses, accuracy)
        losses.set_ylabel("cross entropy (nats)")
        accuracy.set_ylabel("images classified correctly")
        for axis in (losses, accuracy):
            legend_below(axis)
    return made.svg


def draw_each_recipe(found: Sequence[Family]) -> str:
    """Draw the same of several recipes in small, two panels each, two recipes a row. The legend fills a free place."""
    rows = -(-len(found) // 2)
    with canvas("each", 1.5 * rows + 0.25, rows, 4) as made:
        for number, family in enumerate(found):
            losses, accuracy = made.axes[2 * number : 2 * number + 2]
            _draw_recipe(family, losses, accuracy)
            losses.set_title(_shorten(family.name, MAX_TITLE), fontsize=8.5, loc="left")
            for axis, what in ((losses, "loss"), (accuracy, "accuracy")):
                axis.set_xlabel("epoch" if number >= len(found) - 2 else "")
                axis.set_ylabel(what, fontsize=7.5)
                axis.tick_params(labelsize=7)
        handles, labels = _common_legend(made.axes)
        free = made.axes[2 * len(found) :]
        for axis in free:
            axis.axis("off")
        if free:
            free[0].legend(handles, labels, loc="center left")
        else:
            made.drawing.legend(handles, labels, loc="outside upper center", ncols=3)
    return made.svg


def draw_all_runs(found: Sequence[Family]) -> str:
    """Draw validation loss and top-1 of all runs with a curve by epoch; runs of one recipe share a color."""
    with canvas("together", 3.0, columns=2) as made:
        losses, accuracy = made.axes
        for place, family in enumerate(found):
            runs = [run for run in family.runs if run.has_curve]
            for number, run in enumerate(runs):
                label = _shorten(family.name, MAX_NAME) if number == 0 else None
                alpha = 1.0 if len(runs) == 1 else 0.7
                for axis, key in ((losses, "loss"), (accuracy, "top1")):
                    values = _column(run, key)
                    (line,) = axis.plot(_epochs(run), values, color=color_of(place), label=label, alpha=alpha)
                    line.set_dashes(DASHES[place // len(COLORS) % len(DASHES)])
        epochs = [epoch for family in found for run in family.runs if run.has_curve for epoch in _epochs(run)]
        for axis in (losses, accuracy):
            steps_axis(axis, epochs, "epoch")
        losses.set(ylabel="validation loss (nats)")
        losses.set_ylim(bottom=0)
        accuracy.set(ylabel="validation top-1", ylim=(0, 1.03))
        percent_axis(accuracy.yaxis)
        handles, labels = accuracy.get_legend_handles_labels()
        made.drawing.legend(handles, labels, loc="outside lower center", ncols=_legend_columns(labels))
    return made.svg


def _draw_recipe(family: Family, losses: Axes, accuracy: Axes) -> None:
    runs = [run for run in family.runs if run.has_curve]
    for number, run in enumerate(runs):
        marker = "o" if len(run.history) <= MAX_EPOCHS_WITH_MARKERS else None
        for axis, key, color, name in (
            (losses, "train_loss", GRAY, "training"),
            (losses, "loss", BLUE, "validation"),
            (accuracy, "train_top1", GRAY, "training top-1"),
            (accuracy, "top1", BLUE, "validation top-1"),
            (accuracy, "top5", ORANGE, "validation top-5"),
        ):
            values = _column(run, key)
            if not np.isnan(values).all():
                alpha = 1.0 if len(runs) == 1 else 0.65
                label = name if number == 0 else None
                axis.plot(_epochs(run), values, color=color, marker=marker, label=label, alpha=alpha)
    for axis in (losses, accuracy):
        steps_axis(axis, [epoch for run in runs for epoch in _epochs(run)], "epoch", bins=5)
    losses.set_ylim(bottom=0)
    accuracy.set_ylim(0, 1.03)
    percent_axis(accuracy.yaxis)


def _common_legend(axes: Sequence[Axes]) -> tuple[list[Artist], list[str]]:
    """Gray, blue and orange, which mean the same in all panels."""
    found: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label.removesuffix(" top-1"), handle)
    return list(found.values()), list(found)


def _epochs(run: RunFacts) -> list[float]:
    return [row["epoch"] for row in run.history]


def _column(run: RunFacts, key: str) -> list[float]:
    """A column of the history, with gaps where nothing was measured."""
    return [float("nan") if row.get(key) is None else row[key] for row in run.history]


# Comparison: accuracy of runs and of people.


def draw_ranking(found: Sequence[Family]) -> str:
    """Draw the top-1 of each run: last epoch (disc), best epoch (ring), and as evaluated with its interval."""
    runs = [(place, run) for place, family in enumerate(found) for run in family.runs]
    with canvas("ranking", 0.75 + 0.24 * len(runs)) as made:
        (axis,) = made.axes
        for row, (place, run) in enumerate(runs):
            color = color_of(place)
            if run.evaluation:
                top1, interval = run.evaluation.metrics.top1, run.evaluation.metrics.top1_interval
                if interval:
                    axis.plot(interval, [row + 0.22] * 2, color=color, linewidth=1, solid_capstyle="butt")
                axis.plot(top1, row + 0.22, "|", color=color, markersize=7, markeredgewidth=1.6)
            if run.metrics.best_top1 is not None:
                axis.plot(run.metrics.best_top1, row, "o", color=color, markerfacecolor="none", markersize=6.5)
            if run.metrics.top1 is not None:
                axis.plot(run.metrics.top1, row, "o", color=color, markersize=3.8)
        axis.set_yticks(range(len(runs)), [_shorten(run.name, MAX_NAME) for _, run in runs])
        axis.set(ylim=(len(runs) - 0.4, -0.6), xlabel="top-1 on validation images")
        axis.set_xlim(max(-0.02, axis.get_xlim()[0]), min(1.02, axis.get_xlim()[1]))
        percent_axis(axis.xaxis)
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="y", visible=False)
    return made.svg


def draw_costs(found: Sequence[Family]) -> str:
    """Draw the mean top-1 of each recipe against parameters and FLOPs, with the runs' names."""
    shown = [(place, family, family.top1() or 0.0) for place, family in enumerate(found) if family.first.anatomy]
    with canvas("costs", 2.6, columns=2) as made:
        for axis, key, label in zip(made.axes, ("parameters", "flops"), ("parameters", "FLOPs per image"), strict=True):
            costs = [getattr(family.first.anatomy, key) for _, family, _ in shown]
            for (place, _, top1), cost in zip(shown, costs, strict=True):
                axis.plot(cost, top1, "o", color=color_of(place))
            log_axis(axis, costs, label, separator="")
            fraction_limits(axis, [top1 for _, _, top1 in shown])
            percent_axis(axis.yaxis)
            names = [_shorten(family.name, MAX_TITLE) for _, family, _ in shown]
            label_points(axis, [(c, top1, n) for c, (_, _, top1), n in zip(costs, shown, names, strict=True)], 7)
        made.axes[0].set_ylabel("validation top-1")
    return made.svg


def draw_people(found: Sequence[PersonFacts]) -> str:
    """Draw how many people have which fraction of their images classified correctly."""
    fractions = np.array([person.top1 for person in found])
    with canvas("people", 2.0, width=0.6) as made:
        (axis,) = made.axes
        axis.hist(fractions, np.linspace(0, 1, 11).tolist(), color=BLUE, edgecolor="white")
        axis.axvline(float(fractions.mean()), color=GRAY, linestyle="--", linewidth=1)
        axis.set(xlim=(0, 1), xlabel="images of a person classified correctly", ylabel="people")
        percent_axis(axis.xaxis)
        count_axis(axis.yaxis, 5)
    return made.svg


# Verification: ROC, DET, and the similarities of pairs.


def are_separated(found: Sequence[RunFacts]) -> bool:
    """Return whether a threshold separates the pairs of every run (almost) without error: the DET plot is empty."""
    return all(det_points(_curve(run)).sum() < MIN_CURVE_POINTS for run in found)


def draw_roc_and_det(found: Sequence[tuple[int, RunFacts]]) -> str:
    """Draw TAR over FAR, and FRR over FAR on probit axes (Martin et al. 1997). found: recipes' places, and runs."""
    curves = [(place, run, _curve(run)) for place, run in found]
    columns = 1 if are_separated([run for _, run in found]) else 2
    with canvas("pairs", 3.0, columns=columns, width=columns / 2) as made:
        roc = made.axes[0]
        smallest = min(1 / float(curve.impostor[-1]) for _, _, curve in curves)
        for place, run, curve in curves:
            rows = _thin(curve)
            far = np.maximum(curve.far[rows], smallest)
            roc.step(far, curve.tar[rows], where="post", color=color_of(place), label=_shorten(run.name, MAX_NAME))
        roc.set(xscale="log", xlim=(smallest, 1), ylim=(0, 1.02), title="ROC")
        roc.set(xlabel="FAR: different people accepted", ylabel="TAR: same person accepted")
        roc.xaxis.set_major_formatter(FuncFormatter(lambda far, _: format_percent(far)))
        percent_axis(roc.yaxis)
        if columns == 2:
            _draw_det(made.axes[1], [(place, curve) for place, _, curve in curves], smallest)
        if len(found) > 1:
            handles, labels = roc.get_legend_handles_labels()
            made.drawing.legend(handles, labels, loc="outside lower center", ncols=_legend_columns(labels, columns))
    return made.svg


def draw_similarities(run: RunFacts) -> str:
    """Draw histograms of the similarities of pairs of one person and of two, and the threshold between them."""
    assert run.verification is not None
    scores, matches = _pairs(run)
    threshold = run.verification.metrics.threshold
    bins = np.linspace(scores.min(), scores.max(), 50).tolist() if np.ptp(scores) else 10
    with canvas("similarities", 2.3, width=0.7) as made:
        (axis,) = made.axes
        for kind, color, label in ((~matches, ORANGE, "different people"), (matches, BLUE, "same person")):
            axis.hist(scores[kind], bins, color=color, alpha=0.6, density=True, label=label)
        axis.axvline(threshold, color=GRAY, linestyle="--", linewidth=1, label=f"threshold {threshold:.3f}")
        axis.set(xlabel="similarity", ylabel="density")
        legend_below(axis)
    return made.svg


def _draw_det(axis: Axes, curves: Sequence[tuple[int, RocCurve]], smallest_far: float) -> None:
    for place, curve in curves:
        rows = _thin(curve)
        rows = rows[det_points(curve)[rows]]
        if len(rows) >= MIN_CURVE_POINTS:
            axis.plot(norm.ppf(curve.far[rows]), norm.ppf(curve.frr[rows]), color=color_of(place))
    smallest_frr = min(1 / float(curve.genuine[-1]) for _, curve in curves)
    smallest = max(smallest_far, 1e-6), max(smallest_frr, 1e-6)
    highest = MAX_DET_RATE if max(curve.eer() for _, curve in curves) < POOR_EER else 0.99
    for side, low in zip((axis.xaxis, axis.yaxis), smallest, strict=True):
        ticks = [t for t in (DET_TICKS if highest == MAX_DET_RATE else WIDE_DET_TICKS) if low <= t <= highest]
        side.set_major_locator(FixedLocator(list(norm.ppf(ticks))))
        side.set_minor_locator(NullLocator())
        side.set_major_formatter(FixedFormatter([format_percent(tick) for tick in ticks]))
    low, high = norm.ppf(min(smallest)), norm.ppf(highest)
    axis.plot([low, high], [low, high], color=GRAY, linestyle=":", linewidth=1)
    axis.set(xlim=(norm.ppf(smallest[0]), high), ylim=(norm.ppf(smallest[1]), high), title="DET")
    axis.set(xlabel="FAR: different people accepted", ylabel="FRR: same person rejected")


def _curve(run: RunFacts) -> RocCurve:
    return roc_curve(*_pairs(run))


def _pairs(run: RunFacts) -> tuple[np.ndarray, np.ndarray]:
    assert run.verification is not None
    scores, matches = zip(*run.verification.scores, strict=True)
    return np.array(scores), np.array(matches)


def _thin(curve: RocCurve) -> np.ndarray:
    """The indices of a curve's points to draw: all of few; of many, those near evenly spread rates on a log scale."""
    count, half = len(curve.far), MAX_CURVE_POINTS // 2
    if count <= MAX_CURVE_POINTS:
        return np.arange(count)
    by_far = np.searchsorted(curve.far, np.geomspace(1 / curve.impostor[-1], 1, half)).clip(0, count - 1)
    rates = np.geomspace(1 / curve.genuine[-1], 1, half)
    by_frr = count - 1 - np.searchsorted(curve.frr[::-1], rates).clip(0, count - 1)
    return np.unique(np.concatenate([[0], by_far, by_frr, [count - 1]]))


# What they share.


def color_of(place: int) -> str:
    """Return the color of the recipe at that place, from 0."""
    return COLORS[place % len(COLORS)]


def _legend_columns(labels: Sequence[str], columns: int = 2) -> int:
    """How many names fit next to each other below `columns` plots."""
    longest = max(map(len, labels), default=1)
    return max(1, min(len(labels), int(50 * columns / (longest + 8))))


def _shorten(name: str, most: int) -> str:
    if len(name) <= most:
        return name
    end = most // 3
    return f"{name[: most - end - 1]}…{name[-end:]}"
