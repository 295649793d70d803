"""What is written and printed after an epoch, and the advice where the loss is not finite."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

from experiments.config.recipe import Recipe
from experiments.errors import DivergenceError, FacesError
from experiments.plots.training import plot_learning_curves
from experiments.progress import format_count, say
from experiments.run import Run, RunMetrics
from experiments.training.engine import Engine
from experiments.training.schedule import TrainingProgress

LAST_EPOCH_METRICS = ("epoch", "top1", "top5", "loss", "images_per_second", "skipped")
BEST_EPOCH_METRICS = ("epoch", "top1", "eer")
BOARD_METRICS = ("train_loss", "loss", "top1", "top5", "eer", "lr", "grad_norm", "images_per_second")


class RunRecorder:
    """Writes the files of a run after each epoch. What it raises where there is no room is a FacesError."""

    def __init__(self, run: Run, recipe: Recipe, engine: Engine, tensorboard: bool = False):
        self.run, self.recipe, self.engine = run, recipe, engine
        self.board = _open_tensorboard(run) if tensorboard else None

    def write(self, progress: TrainingProgress, stage: int | None) -> None:
        """Save the last epoch. The checkpoint comes last: until it is saved, a resumed run repeats the epoch.

        stage: the next epoch's stage, or None if that epoch starts a new optimizer.
        """
        run, last = self.run, progress.history[-1]
        with self._explain_full_disk(last["epoch"]):
            if progress.best is last:
                self.engine.save_weights(run.best_weights)
            self.engine.save_weights(run.last_weights)
            run.write_history(progress.history)
            run.write_metrics(summarize(progress, self.engine.count_parameters()[0]))
            save_checkpoint(run, self.engine, progress, stage)
            run.log(format_epoch(last, self.recipe.epochs))
        if self.board:
            for name in BOARD_METRICS:
                if last[name] is not None:
                    self.board.add_scalar(name, last[name], last["epoch"])
            self.board.flush()

    def write_mid_epoch(self, progress: TrainingProgress, stage: int) -> None:
        """Save a checkpoint within an epoch of a stage."""
        with self._explain_full_disk(progress.epoch + 1):
            save_checkpoint(self.run, self.engine, progress, stage)

    @contextmanager
    def _explain_full_disk(self, epoch: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FacesError(
                f"{self.run.folder}: epoch {epoch} could not be written ({error.strerror or error}); what was there "
                "before is complete. Make room, then continue with the same command and --resume"
            ) from error


def save_checkpoint(run: Run, engine: Engine, progress: TrainingProgress, stage: int | None) -> None:
    """Write everything that an uninterrupted run would know at this point, whole or not at all."""
    engine.save(run.checkpoint_file, {"progress": vars(progress), "stage": stage})


def _open_tensorboard(run: Run) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FacesError("--tensorboard needs the package tensorboard: pip install tensorboard") from error
    return SummaryWriter(str(run.folder / "tensorboard"))


def refuse_divergence(loss: float, epoch: int, recipe: Recipe, saved: int) -> None:
    """Raise DivergenceError for a loss that is not finite. epoch: its index. saved: number of epochs on disk."""
    if isfinite(loss):
        return
    lower = min(recipe.optimizer.lr / 10, 0.01)
    kept = f"The run is saved as of epoch {saved}" if saved else "Nothing was learned: the run may be removed"
    ways = [f"a lower learning rate, such as --lr {lower:.2g}"]
    if recipe.training.clip is None:
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
    values = {name: last[name] for name in LAST_EPOCH_METRICS}
    values |= {f"best_{name}": best[name] for name in BEST_EPOCH_METRICS}
    return RunMetrics(**values, seconds=round(progress.seconds, 1), parameters=parameters)


def format_epoch(row: Mapping[str, Any], epochs: int) -> str:
    """Return an epoch's row of the history as a line of text."""
    parts = [f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}"]
    if row["train_loss"] is not None:
        parts.append(f"loss {row['train_loss']:.3f}")
    if row["top1"] is not None:
        parts.append(f"validation loss {row['loss']:.3f}  top-1 {row['top1']:.1%}  top-5 {row['top5']:.1%}")
    if row["eer"] is not None:
        parts.append(f"EER {row['eer']:.1%}")
    if row["images_per_second"] is not None:
        parts.append(f"{row['images_per_second']:,.0f} images/s")
    if row["skipped"]:
        parts.append(f"{format_count(row['skipped'], 'image')} skipped")
    return "  ".join(parts)


def write_curves(run: Run, progress: TrainingProgress, recipe: Recipe) -> None:
    """Plot the learning curves. A disk without room for them is worth a note, and must not hide an earlier error."""
    try:
        title = f"{recipe.model.name}, {len(run.classes())} people"
        plot_learning_curves(progress.history, run.curves_file, title, recipe.label_smoothing)
    except OSError as error:
        say(f"note: {run.curves_file} could not be written ({error.strerror or error})")
