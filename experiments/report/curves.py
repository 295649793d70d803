"""Drawings of learning: loss and accuracy by epoch, of one run, of each, and of all together."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from experiments.plots.training import BLUE, GREY, ORANGE
from experiments.report.facts import RunFacts
from experiments.report.figures import canvas, colour, dashes, known, over_epochs
from experiments.report.study import Family

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
            (losses, "train_loss", GREY, "training"),
            (losses, "loss", BLUE, "validation"),
            (accuracy, "train_top1", GREY, "training top-1"),
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
