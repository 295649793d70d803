"""Drawings of verification: ROC, DET, and how the similarities of pairs spread."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator, PercentFormatter
from scipy.stats import norm

from experiments.metrics.roc import Roc, roc
from experiments.plots.training import BLUE, GREY, ORANGE
from experiments.plots.verification import DET_TICKS
from experiments.report.facts import RunFacts
from experiments.report.figures import canvas, colour

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


def _det(axis: Axes, curves: Sequence[tuple[int, Roc]], least: float) -> None:
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


def _inside(curve: Roc) -> np.ndarray:
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
        axis.axvline(threshold, color=GREY, linestyle="--", linewidth=1, label=f"threshold {threshold:.3f}")
        axis.set(xlabel="similarity", ylabel="density")
        axis.set_ylim(0, 1.25 * axis.get_ylim()[1])
        axis.legend(ncols=3, loc="upper center")
    return made.svg


def _curve(run: RunFacts) -> Roc:
    return roc(*_pairs(run))


def _pairs(run: RunFacts) -> tuple[np.ndarray, np.ndarray]:
    assert run.verification is not None
    scores, matches = zip(*run.verification.scores, strict=True)
    return np.array(scores), np.array(matches)


def _thinned(curve: Roc) -> np.ndarray:
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
    axis.plot([low, high], [low, high], color=GREY, linestyle=":", linewidth=1)
    axis.set(xlim=(norm.ppf(least[0]), high), ylim=(norm.ppf(least[1]), high), title="DET")
    axis.set(xlabel="FAR: different people accepted", ylabel="FRR: the same person refused")
