"""Plots of training and its results: learning curves, confusion, calibration, two libraries, runs, searches."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from experiments.metrics.classification import CalibrationMetrics
from experiments.plots.style import (
    BLUE,
    GRAY,
    ORANGE,
    count_axis,
    fraction_limits,
    label_points,
    legend_below,
    log_axis,
    new_plot,
    percent_axis,
    steps_axis,
    write_plot,
)

MAX_EPOCHS_WITH_MARKERS = 9
MAX_PEOPLE_IN_CONFUSION = 20


def plot_learning_curves(history: Sequence[dict[str, Any]], path: Path, title: str, smoothing: float = 0.0) -> None:
    """Plot loss and accuracy by epoch, of training (augmented images, label smoothing) and of validation."""
    drawing, (losses, accuracy) = new_plot(2)
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) <= MAX_EPOCHS_WITH_MARKERS else None
    training = f"training, label smoothing {smoothing:g}" if smoothing else "training"
    losses.plot(epochs, [row["train_loss"] for row in history], color=GRAY, marker=marker, label=training)
    losses.plot(epochs, [row["loss"] for row in history], color=BLUE, marker=marker, label="validation")
    losses.set(ylabel="cross entropy (nats)", title="loss")
    losses.set_ylim(bottom=0)
    if any(row["train_top1"] not in (None, "") for row in history):  # blank under mixing or a margin
        accuracy.plot(epochs, [row["train_top1"] for row in history], color=GRAY, marker=marker, label="training")
    accuracy.plot(epochs, [row["top1"] for row in history], color=BLUE, marker=marker, label="validation top-1")
    accuracy.plot(epochs, [row["top5"] for row in history], color=ORANGE, marker=marker, label="validation top-5")
    accuracy.set(ylabel="images classified correctly", title="accuracy", ylim=(0, 1.02))
    percent_axis(accuracy.yaxis)
    for axis in (losses, accuracy):
        steps_axis(axis, epochs, "epoch")
        legend_below(axis)
    drawing.suptitle(title)
    write_plot(drawing, path)


def plot_lr_range(
    rates: np.ndarray, losses: np.ndarray, smoothed: np.ndarray, suggestion: float | None, path: Path, title: str
) -> None:
    """Plot the loss of each step of a range test over its learning rate, the smoothed curve, and the suggestion if any.

    The loss axis shows what happens up to the lowest point; where the loss diverges, it leaves the plot.
    """
    drawing, (axis,) = new_plot(1, 6.4, 4.0)
    axis.semilogx(rates, losses, ".", color=GRAY, markersize=4, label="a batch")
    axis.semilogx(rates, smoothed, color=BLUE, label="smoothed")
    if suggestion is not None:
        axis.axvline(suggestion, color=ORANGE, linestyle="--", label=f"suggestion: {suggestion:.2g}")
    learned = losses[: int(smoothed.argmin()) + 1]
    low, high = float(min(losses.min(), smoothed.min())), float(max(learned.max(), smoothed[0]))
    room = max(high - low, 1e-3 * abs(high), 1e-6)
    axis.set_ylim(low - 0.1 * room, high + 0.4 * room)
    axis.set(xlabel="learning rate", ylabel="training loss (nats)", title=title)
    legend_below(axis)
    write_plot(drawing, path)


def plot_confusion_matrix(
    counts: np.ndarray, names: Sequence[str], path: Path, most: int = MAX_PEOPLE_IN_CONFUSION
) -> None:
    """Plot who is taken for whom, (classes, classes) counts, of those who have mistakes, at most `most`.

    Without a mistake it shows the first people.
    """
    mistakes = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    wrong = int((mistakes > 0).sum())
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[: min(most, wrong or len(names))])
    shown = counts[np.ix_(chosen, chosen)]
    side = 2.2 + 0.32 * len(chosen)
    drawing, (axis,) = new_plot(1, max(side + 0.6, 4.4), side)
    axis.grid(False)
    image = axis.imshow(shown, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(shown):
        if count:
            ink = "white" if count > 0.6 * shown.max() else "black"
            axis.text(column, row, f"{count}", ha="center", va="center", fontsize=7, color=ink)
    labels = [names[i] for i in chosen]
    axis.set_xticks(range(len(chosen)), labels, rotation=90, fontsize=8, parse_math=False)
    axis.set_yticks(range(len(chosen)), labels, fontsize=8, parse_math=False)
    axis.set(xlabel="predicted", ylabel="true", title=_confusion_title(len(chosen), wrong, len(names)))
    bar = drawing.colorbar(image, ax=axis, shrink=0.7, label="images")
    bar.locator = MaxNLocator(integer=True)
    bar.update_ticks()
    write_plot(drawing, path)


def _confusion_title(shown: int, wrong: int, people: int) -> str:
    if not wrong:
        return f"no mistakes among {people} people" + (f"\n(the first {shown})" if shown < people else "")
    if shown < wrong:
        return f"the {shown} people most involved in mistakes\n({wrong} of {people} are)"
    return f"the {wrong} of {people} people involved in mistakes" if wrong < people else f"all {people} people"


def plot_twin_curves(
    ours: Sequence[float], theirs: Sequence[float], difference: np.ndarray, path: Path, dtype: str
) -> None:
    """Plot two loss curves over each other, and their relative difference at each step."""
    drawing, (losses, apart) = new_plot(2)
    steps = np.arange(1, len(ours) + 1)
    losses.plot(steps, theirs, color=ORANGE, linewidth=4, alpha=0.5, label="PyTorch")
    losses.plot(steps, ours, color=BLUE, linewidth=1, label="mytorch")
    losses.set(ylabel="training loss (nats)", title=f"the same network in both libraries ({dtype})")
    losses.set_ylim(bottom=0)
    epsilon, differs = float(np.finfo(dtype).eps), difference > 0
    differing = f"{differs.sum()} of {len(steps)} steps that differ"
    apart.semilogy(steps[differs], difference[differs], ".", color=GRAY, label=differing)
    apart.axhline(epsilon, color=BLUE, linestyle=":", label=f"rounding of {dtype}: {epsilon:.0e}")
    apart.set(ylabel="relative difference", title="difference of the losses")
    for axis in (losses, apart):
        steps_axis(axis, steps.tolist(), "step")
        legend_below(axis)
    apart.set_xlim(losses.get_xlim())
    write_plot(drawing, path)


def plot_reliability(found: CalibrationMetrics, path: Path) -> None:
    """Plot accuracy against confidence, and how many images have which confidence."""
    drawing, (accuracy, images) = new_plot(2, 4.4, 4.2)
    left = [b.low for b in found.bins]
    width = [b.high - b.low for b in found.bins]
    right = [b.right for b in found.bins]
    accuracy.bar(left, right, width, align="edge", color=BLUE, edgecolor="white", label="accuracy")
    confidences = [b.confidence for b in found.bins]
    accuracy.plot(confidences, right, "o", color=ORANGE, markersize=4, label="at the mean confidence")
    accuracy.plot([0, 1], [0, 1], "--", color=GRAY, label="perfectly calibrated")
    accuracy.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="confidence", ylabel="images classified correctly")
    accuracy.set_title(f"calibration error {found.ece:.3f}, temperature {found.temperature:.2f}")
    images.bar(left, [b.images for b in found.bins], width, align="edge", color=GRAY, edgecolor="white")
    images.set(xlim=(0, 1), xlabel="confidence", ylabel="images", title="distribution of the confidence")
    count_axis(images.yaxis)
    percent_axis(accuracy.yaxis)
    for axis in (accuracy, images):
        percent_axis(axis.xaxis)
    drawing.legend(loc="outside lower left", ncols=3, frameon=False, fontsize=8)
    write_plot(drawing, path)


def plot_trade_offs(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Plot the top-1 of runs against their FLOPs and against their parameters. rows: run, top1, flops, parameters."""
    drawing, axes = new_plot(2, 5.2, 4.0)
    for axis, key, label in zip(axes, ("flops", "parameters"), ("FLOPs per image", "parameters"), strict=True):
        axis.plot([row[key] for row in rows], [row["top1"] for row in rows], "o", color=BLUE)
        log_axis(axis, [row[key] for row in rows], label)
        fraction_limits(axis, [row["top1"] for row in rows])
        percent_axis(axis.yaxis)
        axis.set_ylabel("validation top-1")
        label_points(axis, [(row[key], row["top1"], row["run"]) for row in rows])
    write_plot(drawing, path)


def plot_search_history(values: Sequence[float | None], path: Path, title: str) -> None:
    """Plot the top-1 of a search's trials in their order, and the best so far. None: a trial that was pruned."""
    drawing, (axis,) = new_plot(1, 6.4, 3.8)
    numbers = np.arange(1, len(values) + 1)
    reached = np.array([np.nan if value is None else value for value in values])
    pruned = np.isnan(reached)
    axis.plot(numbers[~pruned], reached[~pruned], "o", color=BLUE, label="complete trial")
    axis.step(numbers, np.fmax.accumulate(reached), where="post", color=ORANGE, label="best so far")
    if pruned.any():
        bottom = np.full(pruned.sum(), 0.02)
        axis.plot(numbers[pruned], bottom, "|", color=GRAY, label="pruned trial", transform=axis.get_xaxis_transform())
    axis.set(ylabel="validation top-1", title=title)
    steps_axis(axis, numbers.tolist(), "trial")
    fraction_limits(axis, reached[~pruned].tolist())
    percent_axis(axis.yaxis)
    legend_below(axis)
    write_plot(drawing, path)


def plot_importances(fractions: Mapping[str, float], path: Path) -> None:
    """Plot which settings decided a search's results: the fraction of the variance that each explains."""
    names = sorted(fractions, key=lambda name: fractions[name])
    drawing, (axis,) = new_plot(1, 6.4, 1.2 + 0.4 * len(names))
    axis.barh(range(len(names)), [fractions[name] for name in names], color=BLUE)
    axis.set_yticks(range(len(names)), names, parse_math=False)
    axis.set(xlabel="explained fraction of the variance of top-1", xlim=(0, 1))
    percent_axis(axis.xaxis)
    write_plot(drawing, path)
