"""Plots of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def write_figure(drawing: Figure, path: Path) -> None:
    """Save as PNG, whole or not at all."""
    with replacing(path) as temporary:
        drawing.savefig(temporary, format="png", dpi=150)


def learning_curves(history: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Loss and accuracy by epoch, of training and validation."""
    drawing, (losses, accuracy) = figure(2)
    epochs = [row["epoch"] for row in history]
    dot = "o" if len(epochs) < 10 else None
    losses.plot(epochs, [row["train_loss"] for row in history], color=GREY, marker=dot, label="training")
    losses.plot(epochs, [row["loss"] for row in history], color=BLUE, marker=dot, label="validation")
    losses.set(xlabel="epoch", ylabel="cross entropy (nats)", title="loss")
    losses.set_ylim(bottom=0)
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
