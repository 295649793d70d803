"""The training loop: epochs of steps, a figure after each, and a folder that is usable at any time."""

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces, SplitReader, read_split
from experiments.data.folders import identity_root
from experiments.data.loader import Batches, normalize_images
from experiments.errors import DivergenceError, FacesError
from experiments.files import new_folder, refuse_existing, refuse_inside, write_json
from experiments.metrics.classification import classification_metrics, rank_of_truth
from experiments.plots.training import plot_learning_curves
from experiments.progress import format_duration, say, track
from experiments.run import Run
from experiments.training.mytorch_checkpoint import TrainingProgress, load_mytorch_checkpoint, save_mytorch_checkpoint
from experiments.training.mytorch_learner import MytorchLearner, predict_logits
from mytorch import manual_seed, save
from mytorch.data import prefetch

AfterEpoch = Callable[[dict[str, Any]], object]


def train_mytorch(
    recipe: Recipe,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    resume: bool = False,
    after_epoch: AfterEpoch | None = None,
    read: SplitReader = read_split,
) -> Run:
    """Train a recipe on a folder of identities, into a run's folder; with `resume`, go on where it stopped.

    after_epoch: called with each epoch's row of the history once it is on disk; what it raises ends the training.
    read: what gives the pictures, as read_split does.

    Raises FacesError for a folder that exists (or, with `resume`, does not, or is another recipe's or other people's),
    a loss that is no longer finite, and files that cannot be written. KeyboardInterrupt passes through. The run stands
    then as after its last whole epoch.
    """
    run = Run.reopen(out, recipe) if resume else Run(out)
    if not resume:
        refuse_existing(run.folder, "go on with it by --resume")
        refuse_inside(run.folder, identity_root(data))
    faces, validation = read(data, recipe)
    batches = Batches(faces, recipe)
    learner = MytorchLearner(recipe, len(faces.names), len(batches))
    progress = _resume_run(run, learner, faces) if resume else _begin_run(run, learner, recipe, faces, Path(data))
    parameters = sum(p.data.size for p in learner.network.parameters())
    say(
        f"{recipe.model.name}: {parameters:,} parameters, {len(faces.names)} people, "
        f"{len(faces)} pictures to train and {len(validation)} to validate"
    )
    if progress.epoch >= recipe.epochs:
        say(f"{run.folder} has all its {recipe.epochs} epochs already")
    try:
        for epoch in range(progress.epoch, recipe.epochs):
            started = time.monotonic()
            row = _train_one_epoch(epoch, learner, batches, validation, recipe)
            done = TrainingProgress([*progress.history, row], progress.seconds + time.monotonic() - started)
            _record_epoch(run, learner, done, parameters)
            progress = done
            run.log(_format_epoch(row, recipe.epochs))
            say(_format_epoch(row, recipe.epochs))
            if after_epoch:
                after_epoch(row)
    except KeyboardInterrupt:
        done_so_far = f"stopped after epoch {progress.epoch} of {recipe.epochs}"
        say(f"{run.folder}: {done_so_far}; the same command with --resume goes on from there")
        raise
    except OSError as error:
        raise FacesError(
            f"{run.folder}: epoch {progress.epoch + 1} could not be written ({error.strerror or error}), and what was "
            "there before is whole; make room, then go on by the same command with --resume"
        ) from error
    finally:
        if progress.history:
            _plot_curves(run, progress, recipe)
    took = format_duration(progress.seconds)
    say(f"{run.folder}: {recipe.epochs} epochs in {took}; best top-1 {progress.best['top1']:.1%}")
    return run


def _begin_run(run: Run, learner: MytorchLearner, recipe: Recipe, faces: Faces, data: Path) -> TrainingProgress:
    """Make the folder of a new run: whole, or not at all."""
    progress = TrainingProgress()
    with new_folder(run.folder) as folder:
        begun = Run.create(folder, recipe, faces.names, data, faces.fingerprint, faces.preparation)
        save(learner.network.state_dict(), begun.best_weights)
        save_mytorch_checkpoint(begun.checkpoint_file, learner, progress)
    return progress


def _resume_run(run: Run, learner: MytorchLearner, faces: Faces) -> TrainingProgress:
    """Put the learner where the run stopped. Raises FacesError where it learned from other people or pictures."""
    run.refuse_others(faces.names, faces.fingerprint)
    return load_mytorch_checkpoint(run.checkpoint_file, learner)


@np.errstate(over="ignore", invalid="ignore")  # numbers that overflow show in the loss, and are refused there
def _train_one_epoch(
    number: int, learner: MytorchLearner, batches: Batches, validation: Faces, recipe: Recipe
) -> dict[str, Any]:
    """One epoch of training, and the figures on the validation pictures after it."""
    manual_seed((recipe.seed, number))  # an epoch's dropout depends on its number alone, so that a resumed run agrees
    learner.network.train()
    losses, right, seen, lr, started = 0.0, 0, 0, learner.lr, time.monotonic()
    label = f"epoch {number + 1}/{recipe.epochs}"
    with track(label, len(batches.faces), "images") as advance, closing(prefetch(batches.epoch(number))) as ahead:
        for batch in ahead:
            loss, logits = learner.step(batch.pixels, batch.labels)
            _refuse_divergence(loss, number, recipe)
            seen += len(batch.labels)
            losses += loss * len(batch.labels)
            right += int((rank_of_truth(logits, batch.labels) == 0).sum())
            advance(seen, len(batches.faces))
    rate = seen / (time.monotonic() - started)
    after = classification_metrics(
        predict_logits(learner.network, normalize_images(validation.images, recipe.data)), validation.labels
    )
    _refuse_divergence(after["loss"], number, recipe)
    learner.rate.after_epoch(after["loss"])
    return {
        "epoch": number + 1,
        "lr": lr,
        "train_loss": losses / seen,
        "train_top1": right / seen,
        **after,
        "images_per_second": round(rate, 1),
    }


def _refuse_divergence(loss: float, number: int, recipe: Recipe) -> None:
    if not np.isfinite(loss):
        lower = min(recipe.optimizer.lr / 10, 0.01)
        stands = "The run stands as after the epoch before" if number else "Nothing was learned: the run may be removed"
        raise DivergenceError(
            f"the loss became {loss} in epoch {number + 1}: training diverged. {stands}; "
            f"start another, in another --out, with a lower learning rate, such as --set optimizer.lr={lower:.2g}"
        )


def _plot_curves(run: Run, progress: TrainingProgress, recipe: Recipe) -> None:
    """The learning curves. No room for them is worth a note, and hides no error that came before."""
    try:
        title = f"{recipe.model.name}, {len(run.classes())} people"
        plot_learning_curves(progress.history, run.curves_file, title, recipe.label_smoothing)
    except OSError as error:
        say(f"note: {run.curves_file} could not be written ({error.strerror or error})")


def _record_epoch(run: Run, learner: MytorchLearner, progress: TrainingProgress, parameters: int) -> None:
    """Put an epoch on disk. The checkpoint comes last: until it is there, a resumed run does the epoch again."""
    last = progress.history[-1]
    if progress.best is last:
        save(learner.network.state_dict(), run.best_weights)
    run.write_history(progress.history)
    metrics = {name: last[name] for name in ("top1", "top5", "loss", "images_per_second", "epoch")}
    best = {"best_top1": progress.best["top1"], "best_epoch": progress.best["epoch"]}
    write_json(run.metrics_file, {**metrics, **best, "seconds": round(progress.seconds, 1), "parameters": parameters})
    save_mytorch_checkpoint(run.checkpoint_file, learner, progress)


def _format_epoch(row: dict[str, Any], epochs: int) -> str:
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  loss {row['train_loss']:.3f}  "
        f"validation loss {row['loss']:.3f}  top-1 {row['top1']:.1%}  top-5 {row['top5']:.1%}  "
        f"{row['images_per_second']:,.0f} images/s"
    )
