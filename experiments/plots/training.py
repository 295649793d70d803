"""Plots of a run.

Charts that compare: confidence with accuracy, runs with one another, the trials of a search.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from experiments.metrics.calibration import CalibrationMetrics
from mytorch.files import replacing

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"


def new_plot(columns: int, width: float = 5.0, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """An empty figure with plots side by side; inches. Not pyplot's: nothing global, any thread."""
    drawing = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = [drawing.add_subplot(1, columns, number + 1) for number in range(columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return drawing, axes


def write_plot(drawing: Figure, path: Path, dpi: int = 150) -> None:
    """Save as PNG, whole or not at all."""
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in a script that the font lacks
        drawing.savefig(temporary, format="png", dpi=dpi)


def plot_learning_curves(history: Sequence[dict[str, Any]], path: Path, title: str, smoothing: float = 0.0) -> None:
    """Loss and accuracy by epoch, of training (on augmented pictures, with label smoothing) and validation."""
    drawing, (losses, accuracy) = new_plot(2)
    epochs = [row["epoch"] for row in history]
    dot = "o" if len(epochs) < 10 else None
    training = f"training, label smoothing {smoothing:g}" if smoothing else "training"
    losses.plot(epochs, [row["train_loss"] for row in history], color=GREY, marker=dot, label=training)
    losses.plot(epochs, [row["loss"] for row in history], color=BLUE, marker=dot, label="validation")
    losses.set(xlabel="epoch", ylabel="cross entropy (nats)", title="loss")
    losses.set_ylim(bottom=0)
    if any(row["train_top1"] not in (None, "") for row in history):  # blank under mixing or a margin
        accuracy.plot(epochs, [row["train_top1"] for row in history], color=GREY, marker=dot, label="training")
    accuracy.plot(epochs, [row["top1"] for row in history], color=BLUE, marker=dot, label="validation top-1")
    accuracy.plot(epochs, [row["top5"] for row in history], color=ORANGE, marker=dot, label="validation top-5")
    accuracy.set(xlabel="epoch", ylabel="images right", title="accuracy", ylim=(0, 1.02))
    accuracy.yaxis.set_major_formatter(PercentFormatter(1))
    for axis in (losses, accuracy):
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(frameon=False)
    drawing.suptitle(title)
    write_plot(drawing, path)


def plot_confusion_matrix(counts: np.ndarray, names: Sequence[str], path: Path, most: int = 20) -> None:
    """Who is taken for whom, (classes, classes) counts; of many people, those `most` with the most mistakes."""
    mistakes = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[:most])
    shown = counts[np.ix_(chosen, chosen)]
    side = 2.2 + 0.32 * len(chosen)
    drawing, (axis,) = new_plot(1, side + 0.6, side)
    axis.grid(False)
    picture = axis.imshow(shown, cmap="Blues", vmin=0)
    labels = [names[i] for i in chosen]
    axis.set_xticks(range(len(chosen)), labels, rotation=90, fontsize=8, parse_math=False)
    axis.set_yticks(range(len(chosen)), labels, fontsize=8, parse_math=False)
    title = (
        "all people" if len(chosen) == len(names) else f"the {len(chosen)} people with most mistakes, of {len(names)}"
    )
    axis.set(xlabel="taken for", ylabel="is", title=title)
    bar = drawing.colorbar(picture, ax=axis, shrink=0.7, label="pictures")
    bar.locator = MaxNLocator(integer=True)
    bar.update_ticks()
    write_plot(drawing, path)


def plot_twin_curves(
    ours: Sequence[float], theirs: Sequence[float], difference: np.ndarray, path: Path, dtype: str
) -> None:
    """Two loss curves in one plot, and how far they lie apart."""
    drawing, (losses, apart) = new_plot(2)
    steps = np.arange(1, len(ours) + 1)
    losses.plot(steps, theirs, color=ORANGE, linewidth=4, alpha=0.5, label="PyTorch")
    losses.plot(steps, ours, color=BLUE, linewidth=1, label="mytorch")
    losses.set(xlabel="step", ylabel="training loss (nats)", title=f"the same network, twice ({dtype})")
    losses.set_ylim(bottom=0)
    losses.legend(frameon=False)
    exact, parted = float(np.finfo(dtype).eps), difference > 0
    apart.semilogy(steps[parted], difference[parted], ".", color=GREY, label=f"{parted.sum()} of {len(steps)} steps")
    apart.axhline(exact, color=BLUE, linestyle=":", label=f"rounding of {dtype}: {exact:.0e}")
    apart.set(xlabel="step", ylabel="relative difference", title="difference of the losses, where there is one")
    apart.legend(loc="lower right", framealpha=0.9)
    write_plot(drawing, path)


def plot_reliability(found: CalibrationMetrics, path: Path) -> None:
    """How often the network is right when it is so sure, and how many pictures it is so sure of."""
    drawing, (shares, images) = new_plot(2, 4.4, 4.2)
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
    write_plot(drawing, path)


def plot_trade_offs(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Top-1 of runs against their FLOPs and against their parameters. rows: run, top1, flops, parameters."""
    drawing, axes = new_plot(2, 5.2, 4.0)
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
    write_plot(drawing, path)


def plot_search_history(values: Sequence[float | None], path: Path, title: str) -> None:
    """Top-1 of a search's trials in their order, and the best so far; None for trials cut short."""
    drawing, (axis,) = new_plot(1, 6.4, 3.8)
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
    write_plot(drawing, path)


def plot_importances(shares: Mapping[str, float], path: Path) -> None:
    """Which settings decided a search's results: share of the variance that each explains."""
    names = sorted(shares, key=lambda name: shares[name])
    drawing, (axis,) = new_plot(1, 6.4, 1.2 + 0.4 * len(names))
    axis.barh(range(len(names)), [shares[name] for name in names], color=BLUE)
    axis.set_yticks(range(len(names)), names, parse_math=False)
    axis.set(xlabel="share of the variance of top-1 that it explains", xlim=(0, 1))
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    write_plot(drawing, path)
