"""What a transfer network's training leaves on disk after each epoch."""

from typing import Any

from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.plots.training import learning_curves
from experiments.progress import say
from experiments.run import Run, write_json
from experiments.training.checkpoint import FaceProgress, save_state, save_tensors
from experiments.training.torch_learner import FaceLearner

FIGURES = ("top1", "top5", "loss", "images_per_second", "epoch", "skipped")


class Recorder:
    """Writes a run's files; of several processes only the first has one. parameters: how many the network has."""

    def __init__(self, run: Run, recipe: Recipe, parameters: int, tensorboard: bool = False):
        self.run, self.recipe, self.parameters = run, recipe, parameters
        self.board = _tensorboard(run) if tensorboard else None

    def epoch(self, learner: FaceLearner, progress: FaceProgress, stage: int | None) -> None:
        """Put an epoch on disk. The checkpoint comes last: until it is there, a resumed run does the epoch again.

        stage: that the next epoch belongs to, if its optimiser is to be kept; None where a new one begins.
        """
        last, run = progress.history[-1], self.run
        weights = learner.to_use.state_dict()
        if progress.best is last:
            save_tensors(weights, run.best)
        save_tensors(weights, run.last)
        run.write_history(progress.history)
        best = {f"best_{name}": progress.best[name] for name in ("top1", "eer", "epoch")}
        metrics = {name: last[name] for name in FIGURES} | best
        write_json(run.metrics, {**metrics, "seconds": round(progress.seconds, 1), "parameters": self.parameters})
        save_state(run.checkpoint, learner, progress, stage)
        run.log(line(last, self.recipe.epochs))
        if self.board:
            for name in ("train_loss", "loss", "top1", "top5", "eer", "lr", "images_per_second"):
                if last[name] is not None:
                    self.board.add_scalar(name, last[name], last["epoch"])
            self.board.flush()

    def draw(self, progress: FaceProgress) -> None:
        """The learning curves. No room for them is worth a note, and hides no error that came before."""
        recipe = self.recipe
        try:
            title = f"{recipe.model.name}, {len(self.run.classes())} people"
            learning_curves(progress.history, self.run.curves, title, recipe.label_smoothing)
        except OSError as error:
            say(f"note: {self.run.curves} could not be written ({error.strerror or error})")


def line(row: dict[str, Any], epochs: int) -> str:
    """An epoch in a line."""
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
        parts.append(f"{row['skipped']} pictures left out")
    return "  ".join(parts)


def _tensorboard(run: Run) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FacesError("--tensorboard needs the package tensorboard: pip install tensorboard") from error
    return SummaryWriter(str(run.folder / "tensorboard"))
