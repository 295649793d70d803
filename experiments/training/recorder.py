"""What both trainers do after an epoch: refuse a loss that is not finite, and write the run's files."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from experiments.config.model_settings import TransferModel
from experiments.config.recipe import Recipe
from experiments.errors import DivergenceError
from experiments.plots.training import plot_learning_curves
from experiments.progress import say
from experiments.run import Run, RunMetrics
from experiments.training.schedule import TrainingProgress

LAST_EPOCH_METRICS = ("epoch", "top1", "top5", "loss", "images_per_second", "skipped")
BEST_EPOCH_METRICS = ("epoch", "top1", "eer")


def refuse_divergence(loss: float, epoch: int, recipe: Recipe, saved: int) -> None:
    """Raise DivergenceError for a loss that is not finite. epoch: its index. saved: number of epochs on disk."""
    if isfinite(loss):
        return
    lower = min(recipe.optimizer.lr / 10, 0.01)
    kept = f"The run is saved as of epoch {saved}" if saved else "Nothing was learned: the run may be removed"
    ways = [f"a lower learning rate, such as --lr {lower:.2g}"]
    if recipe.training.clip is None and isinstance(recipe.model, TransferModel):
        ways.append("--set training.clip=1")
    if recipe.training.precision == "fp16":
        ways.append("--set training.precision=bf16")
    raise DivergenceError(
        f"the loss is {loss} in epoch {epoch + 1}: training diverged. {kept}; start another, in another --out, "
        f"with {' or '.join(ways)}"
    )


def summarize(progress: TrainingProgress, parameters: int) -> RunMetrics:
    """Return the metrics of a run so far. parameters: how many the network has."""
    last, best = progress.history[-1], progress.best
    values = {name: last[name] for name in LAST_EPOCH_METRICS if name in last}
    values |= {f"best_{name}": best[name] for name in BEST_EPOCH_METRICS if name in best}
    return RunMetrics(**values, seconds=round(progress.seconds, 1), parameters=parameters)


def format_epoch(row: Mapping[str, Any], epochs: int) -> str:
    """Return an epoch's row of the history as a line of text."""
    parts = [f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}"]
    if row["train_loss"] is not None:
        parts.append(f"loss {row['train_loss']:.3f}")
    if row["top1"] is not None:
        parts.append(f"validation loss {row['loss']:.3f}  top-1 {row['top1']:.1%}  top-5 {row['top5']:.1%}")
    if row.get("eer") is not None:
        parts.append(f"EER {row['eer']:.1%}")
    if row["images_per_second"] is not None:
        parts.append(f"{row['images_per_second']:,.0f} images/s")
    if row.get("skipped"):
        parts.append(f"{row['skipped']} images skipped")
    return "  ".join(parts)


def write_curves(run: Run, progress: TrainingProgress, recipe: Recipe) -> None:
    """Plot the learning curves. A disk without room for them is worth a note, and must not hide an earlier error."""
    try:
        title = f"{recipe.model.name}, {len(run.classes())} people"
        plot_learning_curves(progress.history, run.curves_file, title, recipe.label_smoothing)
    except OSError as error:
        say(f"note: {run.curves_file} could not be written ({error.strerror or error})")
