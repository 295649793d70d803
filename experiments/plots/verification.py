"""Plots of verification and identification."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator, PercentFormatter

from experiments.metrics.roc import RocCurve
from experiments.plots.training import BLUE, GREY, ORANGE, new_plot, write_plot

RED = "#c53030"
DET_TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)


def plot_roc(curves: Mapping[str, RocCurve], path: Path, title: str) -> None:
    """TAR over FAR on a logarithmic axis, down to one impostor pair."""
    drawing, (axis,) = new_plot(1, 5.4, 4.2)
    for colour, (name, curve) in zip(_colours(), curves.items(), strict=False):
        axis.step(
            np.maximum(curve.far, _least(curve)), curve.tar, where="post", color=colour, label=_label(name, curve)
        )
    lowest = min(_least(curve) for curve in curves.values())
    axis.set(xscale="log", xlim=(lowest, 1), ylim=(min(0.9, _bottom(curves)), 1.002))
    axis.set(xlabel="FAR: different people accepted", ylabel="TAR: the same person accepted", title=title)
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.legend(loc="lower right", frameon=False)
    write_plot(drawing, path)


def plot_det(curves: Mapping[str, RocCurve], path: Path, title: str) -> None:
    """FRR over FAR, both on probit axes: normally distributed scores make a straight line (Martin et al. 1997)."""
    drawing, (axis,) = new_plot(1, 4.8, 4.6)
    shown = [(max(_least(c), 1e-7), max(1 / c.genuine[-1], 1e-5)) for c in curves.values()]
    for colour, (name, curve) in zip(_colours(), curves.items(), strict=False):
        inside = (curve.far > 0) & (curve.far < 1) & (curve.frr > 0) & (curve.frr < 1)
        axis.plot(_probit(curve.far[inside]), _probit(curve.frr[inside]), color=colour, label=_label(name, curve))
    low, high = min(min(pair) for pair in shown), 0.6
    _probit_axis(axis, "x", low, high)
    _probit_axis(axis, "y", low, high)
    ends = _probit(np.array([low, high]))
    axis.plot(ends, ends, color=GREY, linestyle=":", linewidth=1)
    axis.set(xlabel="FAR: different people accepted", ylabel="FRR: the same person refused", title=title)
    axis.legend(loc="upper right", framealpha=0.9)
    write_plot(drawing, path)


def plot_scores(scores: np.ndarray, matches: np.ndarray, threshold: float, path: Path, title: str) -> None:
    """Histograms of the similarities of genuine and impostor pairs, and the threshold between them."""
    drawing, (axis,) = new_plot(1, 5.8, 3.6)
    bins = np.linspace(scores.min(), scores.max(), 70).tolist() if np.ptp(scores) else 10
    for kind, colour, label in ((~matches, ORANGE, "different people"), (matches, BLUE, "the same person")):
        axis.hist(scores[kind], bins, color=colour, alpha=0.6, density=True, label=f"{label}: {kind.sum():,} pairs")
    axis.axvline(threshold, color=GREY, linestyle="--", label=f"threshold {threshold:.3f} (EER)")
    axis.set(xlabel="similarity", ylabel="density", title=title)
    axis.set_ylim(0, 1.3 * axis.get_ylim()[1])
    axis.legend(frameon=False, fontsize=8)
    write_plot(drawing, path)


def plot_cmc(curve: np.ndarray, path: Path, title: str) -> None:
    """The share of probes whose right person is among the first k, over k."""
    drawing, (axis,) = new_plot(1, 5.0, 3.6)
    places = np.arange(1, len(curve) + 1)
    axis.plot(places, curve, color=BLUE, marker="o" if len(curve) <= 30 else None, markersize=4)
    axis.set(xlabel="rank", ylabel="right person among them", title=title)
    axis.set_ylim(min(0.9, float(curve[0]) - 0.02), 1.002)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    write_plot(drawing, path)


def plot_open_set(far: np.ndarray, dir_rate: np.ndarray, path: Path, title: str) -> None:
    """DIR over the share of strangers who are given a name."""
    drawing, (axis,) = new_plot(1, 5.0, 3.6)
    axis.plot(far, dir_rate, color=BLUE)
    axis.set(xlabel="FAR: strangers given a name", ylabel="DIR: the known named rightly", title=title)
    axis.set(xlim=(0, 1), ylim=(min(0.9, float(dir_rate.min()) - 0.02), 1.002))
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    write_plot(drawing, path)


def plot_robustness(rows: Sequence[Mapping[str, Any]], labels: Mapping[str, str], path: Path) -> None:
    """The EER over the severity of each damage. rows: damage, severity (None: none) and eer, in rising order."""
    names = list(dict.fromkeys(row["damage"] for row in rows))
    columns = min(4, len(names))
    drawing, (empty,) = new_plot(1)
    empty.remove()
    drawing.set_size_inches(max(3.0 * columns, 4.0), 2.6 * -(-len(names) // columns))
    top = 1.05 * max(row["eer"] for row in rows)
    for number, name in enumerate(names, 1):
        axis = drawing.add_subplot(-(-len(names) // columns), columns, number)
        own = [row for row in rows if row["damage"] == name]
        axis.plot(range(len(own)), [row["eer"] for row in own], color=BLUE, marker="o", markersize=4)
        ticks = ["none" if row["severity"] is None else f"{row['severity']:g}" for row in own]
        axis.set_xticks(range(len(own)), ticks)
        axis.set(title=name, xlabel=labels[name], ylim=(0, top or 1))
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
        axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        if (number - 1) % columns == 0:
            axis.set_ylabel("EER")
    write_plot(drawing, path)


def plot_groups(rows: Sequence[Mapping[str, Any]], overall: tuple[float, float], path: Path) -> None:
    """FAR and FRR of each group with intervals, beside those of everybody (dotted)."""
    drawing, axes = new_plot(2, 4.6, 1.2 + 0.32 * len(rows))
    names = [f"{row['attribute']}: {row['group']}" for row in rows]
    for axis, rate, everybody in zip(axes, ("far", "frr"), overall, strict=True):
        for place, row in enumerate(rows):
            value, low, high = (row[key] for key in (rate, f"{rate}_low", f"{rate}_high"))
            if value is not None:
                axis.plot(value, place, "o", color=BLUE)
            if low is not None:
                axis.plot([low, high], [place, place], color=BLUE)
        axis.axvline(everybody, color=GREY, linestyle=":")
        axis.set_yticks(range(len(rows)), names if rate == "far" else [""] * len(rows), parse_math=False)
        axis.set(xlabel=rate.upper(), ylim=(len(rows) - 0.5, -0.5))
        axis.set_xlim(left=0)
        axis.xaxis.set_major_formatter(PercentFormatter(1))
    write_plot(drawing, path)


def _colours() -> tuple[str, ...]:
    return (BLUE, ORANGE, GREY, "#2f855a", RED, "#6b46c1", "#b7791f", "#319795", "#d53f8c", "#1a202c")


def _label(name: str, curve: RocCurve) -> str:
    text = f"AUC {curve.auc():.4f}, EER {curve.eer():.2%}"
    return f"{name}: {text}" if name else text


def _least(curve: RocCurve) -> float:
    """The smallest FAR above zero that the pairs can show."""
    return float(1 / curve.impostor[-1])


def _bottom(curves: Mapping[str, RocCurve]) -> float:
    return min(float(curve.tar_at(_least(curve))) for curve in curves.values()) - 0.02


def _probit(rates: np.ndarray) -> np.ndarray:
    inverse = NormalDist().inv_cdf
    return np.array([inverse(float(rate)) for rate in rates])


def _probit_axis(axis: Axes, which: str, low: float, high: float) -> None:
    ticks = [tick for tick in DET_TICKS if low <= tick <= high]
    side = axis.xaxis if which == "x" else axis.yaxis
    side.set_major_locator(FixedLocator(list(_probit(np.array(ticks)))))
    side.set_minor_locator(NullLocator())
    side.set_major_formatter(FixedFormatter([f"{100 * tick:g}%" for tick in ticks]))
    axis.set(**{f"{which}lim": tuple(_probit(np.array([low, high])))})
