"""Plots of a run."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mytorch.files import replacing

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"


def figure(columns: int, width: float = 5.0, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """An empty figure with plots side by side; inches. Not pyplot's: nothing global, any thread."""
    drawing = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = [drawing.add_subplot(1, columns, number + 1) for number in range(columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    return drawing, axes


def write_figure(drawing: Figure, path: Path, dpi: int = 150) -> None:
    """Save as PNG, whole or not at all."""
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name in a script that the font lacks
        drawing.savefig(temporary, format="png", dpi=dpi)


def learning_curves(history: Sequence[dict[str, Any]], path: Path, title: str, smoothing: float = 0.0) -> None:
    """Loss and accuracy by epoch, of training (on augmented pictures, with label smoothing) and validation."""
    drawing, (losses, accuracy) = figure(2)
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
    write_figure(drawing, path)


def confusion_matrix(counts: np.ndarray, names: Sequence[str], path: Path, most: int = 20) -> None:
    """Who is taken for whom, (classes, classes) counts; of many people, those `most` with the most mistakes."""
    mistakes = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[:most])
    shown = counts[np.ix_(chosen, chosen)]
    side = 2.2 + 0.32 * len(chosen)
    drawing, (axis,) = figure(1, side + 0.6, side)
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
    write_figure(drawing, path)


def twin_curves(ours: Sequence[float], theirs: Sequence[float], difference: np.ndarray, path: Path, dtype: str) -> None:
    """Two loss curves in one plot, and how far they lie apart."""
    drawing, (losses, apart) = figure(2)
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
    write_figure(drawing, path)
