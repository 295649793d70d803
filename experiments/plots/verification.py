"""Plots of verification and identification."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from experiments.metrics.roc import RocCurve
from experiments.plots.style import (
    BLUE,
    COLORS,
    GRAY,
    ORANGE,
    count_axis,
    format_percent,
    legend_below,
    new_plot,
    percent_axis,
    write_plot,
)
from experiments.progress import say

DET_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
MAX_DET_RATE = 0.6
"""The largest error rate on a DET plot's axes."""

MIN_CURVE_POINTS = 2
"""A curve of fewer points is left out: it would be an empty plot."""


def plot_roc(curves: Mapping[str, RocCurve], path: Path, title: str) -> None:
    """Plot TAR over FAR on a logarithmic axis, down to one impostor pair."""
    drawing, (axis,) = new_plot(1, 5.4, 4.2)
    for color, (name, curve) in zip(_colors(curves), curves.items(), strict=True):
        far = np.maximum(curve.far, _smallest_far(curve))
        axis.step(far, curve.tar, where="post", color=color, label=_label(name, curve))
    lowest = min(0.1, *(_smallest_far(curve) for curve in curves.values()))
    axis.set(xscale="log", xlim=(lowest, 1), ylim=(min(0.9, _lowest_tar(curves)), 1.002))
    axis.set(xlabel="FAR: different people accepted", ylabel="TAR: same person accepted", title=title)
    percent_axis(axis.yaxis)
    legend_below(axis, 1)
    write_plot(drawing, path)


def plot_det(curves: Mapping[str, RocCurve], path: Path, title: str) -> bool:
    """Plot FRR over FAR, both on probit axes: normally distributed scores make a straight line (Martin et al. 1997).

    Returns whether there is a plot. Pairs that a threshold separates (almost) without error have no curve: then
    nothing is written, an older plot is removed, and a line says so.
    """
    inside = {name: det_points(curve) for name, curve in curves.items()}
    if all(points.sum() < MIN_CURVE_POINTS for points in inside.values()):
        path.unlink(missing_ok=True)
        say(f"{path.name}: left out, as a threshold separates the pairs (almost) without error")
        return False
    drawing, (axis,) = new_plot(1, 4.8, 4.6)
    for color, (name, curve) in zip(_colors(curves), curves.items(), strict=True):
        far, frr = curve.far[inside[name]], curve.frr[inside[name]]
        axis.plot(_probit(far), _probit(frr), color=color, label=_label(name, curve))
    low = min(min(max(_smallest_far(c), 1e-7), max(1 / c.genuine[-1], 1e-5)) for c in curves.values())
    _set_probit_axis(axis, "x", low)
    _set_probit_axis(axis, "y", low)
    ends = _probit(np.array([low, MAX_DET_RATE]))
    axis.plot(ends, ends, color=GRAY, linestyle=":", linewidth=1)
    axis.set(xlabel="FAR: different people accepted", ylabel="FRR: same person rejected", title=title)
    legend_below(axis, 1)
    write_plot(drawing, path)
    return True


def det_points(curve: RocCurve) -> np.ndarray:
    """Return which points of a curve a probit axis can show: those with some of both errors."""
    return (curve.far > 0) & (curve.far < 1) & (curve.frr > 0) & (curve.frr < 1)


def plot_scores(scores: np.ndarray, matches: np.ndarray, threshold: float, path: Path, title: str) -> None:
    """Plot histograms of the similarities of genuine and impostor pairs, and the threshold between them."""
    drawing, (axis,) = new_plot(1, 5.8, 3.6)
    bins = np.linspace(scores.min(), scores.max(), 70).tolist() if np.ptp(scores) else 10
    for kind, color, label in ((~matches, ORANGE, "different people"), (matches, BLUE, "same person")):
        axis.hist(scores[kind], bins, color=color, alpha=0.6, density=True, label=f"{label}: {kind.sum():,} pairs")
    axis.axvline(threshold, color=GRAY, linestyle="--", label=f"threshold {threshold:.3f} (EER)")
    axis.set(xlabel="similarity", ylabel="density", title=title)
    legend_below(axis)
    write_plot(drawing, path)


def plot_cmc(curve: np.ndarray, path: Path, title: str) -> bool:
    """Plot the fraction of probes whose person is among the k most similar, over k.

    Returns whether there is a plot: of one rank there is none, an older plot is removed, and a line says so.
    """
    if len(curve) < MIN_CURVE_POINTS:
        path.unlink(missing_ok=True)
        say(f"{path.name}: left out, as there is one rank only")
        return False
    drawing, (axis,) = new_plot(1, 5.0, 3.6)
    ranks = np.arange(1, len(curve) + 1)
    axis.plot(ranks, curve, color=BLUE, marker="o" if len(curve) <= 30 else None, markersize=4)
    axis.set(xlabel="rank", ylabel="person among the first", title=title)
    axis.set_ylim(min(0.9, float(curve[0]) - 0.02), 1.002)
    count_axis(axis.xaxis)
    percent_axis(axis.yaxis)
    write_plot(drawing, path)
    return True


def plot_open_set(far: np.ndarray, dir_rate: np.ndarray, path: Path, title: str) -> None:
    """Plot DIR over the fraction of strangers who get a name."""
    drawing, (axis,) = new_plot(1, 5.0, 3.6)
    axis.plot(far, dir_rate, color=BLUE)
    axis.set(xlabel="FAR: strangers who get a name", ylabel="DIR: known people identified", title=title)
    axis.set(xlim=(0, 1), ylim=(min(0.9, float(dir_rate.min()) - 0.02), 1.002))
    percent_axis(axis.yaxis)
    percent_axis(axis.xaxis)
    write_plot(drawing, path)


def plot_robustness(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str], path: Path) -> None:
    """Plot the EER over the severity of each damage. rows: damage, severity (None: none) and eer, in rising order."""
    names = list(dict.fromkeys(row["damage"] for row in rows))
    columns = min(4, len(names))
    height = -(-len(names) // columns)
    drawing, (empty,) = new_plot(1)
    empty.remove()
    drawing.set_size_inches(max(3.0 * columns, 4.0), 2.6 * height)
    top = 1.05 * max(row["eer"] for row in rows)
    for number, name in enumerate(names, 1):
        axis = drawing.add_subplot(height, columns, number)
        own = [row for row in rows if row["damage"] == name]
        axis.plot(range(len(own)), [row["eer"] for row in own], color=BLUE, marker="o", markersize=4)
        ticks = ["none" if row["severity"] is None else f"{row['severity']:g}" for row in own]
        axis.set_xticks(range(len(own)), ticks)
        axis.set(title=name, xlabel=labels[name], ylim=(0, top or 1))
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
        percent_axis(axis.yaxis)
        if (number - 1) % columns == 0:
            axis.set_ylabel("EER")
    write_plot(drawing, path)


def plot_groups(rows: Sequence[Mapping[str, Any]], overall: tuple[float, float], path: Path) -> None:
    """Plot FAR and FRR of each group with intervals, next to those of all pairs (dotted)."""
    drawing, axes = new_plot(2, 4.6, 1.2 + 0.32 * len(rows))
    names = [f"{row['attribute']}: {row['group']}" for row in rows]
    for axis, rate, of_all in zip(axes, ("far", "frr"), overall, strict=True):
        for place, row in enumerate(rows):
            value, low, high = (row[key] for key in (rate, f"{rate}_low", f"{rate}_high"))
            if value is not None:
                axis.plot(value, place, "o", color=BLUE)
            if low is not None:
                axis.plot([low, high], [place, place], color=BLUE)
        axis.axvline(of_all, color=GRAY, linestyle=":")
        axis.set_yticks(range(len(rows)), names if rate == "far" else [""] * len(rows), parse_math=False)
        axis.set(xlabel=rate.upper(), ylim=(len(rows) - 0.5, -0.5))
        axis.set_xlim(left=0)
        percent_axis(axis.xaxis)
    write_plot(drawing, path)


def _colors(curves: Mapping[str, RocCurve]) -> list[str]:
    return [COLORS[number % len(COLORS)] for number in range(len(curves))]


def _label(name: str, curve: RocCurve) -> str:
    text = f"AUC {curve.auc():.4f}, EER {curve.eer():.2%}"
    return f"{name}: {text}" if name else text


def _smallest_far(curve: RocCurve) -> float:
    """Return the smallest FAR above zero that the pairs can show."""
    return float(1 / curve.impostor[-1])


def _lowest_tar(curves: Mapping[str, RocCurve]) -> float:
    return min(float(curve.tar_at(_smallest_far(curve))) for curve in curves.values()) - 0.02


def _probit(rates: np.ndarray) -> np.ndarray:
    inverse = NormalDist().inv_cdf
    return np.array([inverse(float(rate)) for rate in rates])


def _set_probit_axis(axis: Axes, which: Literal["x", "y"], low: float) -> None:
    ticks = [tick for tick in DET_TICKS if low <= tick <= MAX_DET_RATE]
    side = axis.xaxis if which == "x" else axis.yaxis
    side.set_major_locator(FixedLocator(list(_probit(np.array(ticks)))))
    side.set_minor_locator(NullLocator())
    side.set_major_formatter(FixedFormatter([format_percent(tick) for tick in ticks]))
    axis.set(**{f"{which}lim": tuple(_probit(np.array([low, MAX_DET_RATE])))})
