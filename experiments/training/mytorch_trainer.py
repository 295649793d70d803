"""Train a network of mytorch: epochs of steps, with a folder that is usable at any time."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces, SplitReader, read_split
from experiments.data.folders import identity_root
from experiments.data.loader import Batches, normalize_images
from experiments.errors import FacesError
from experiments.files import new_folder, refuse_existing, refuse_inside
from experiments.metrics.classification import classification_metrics, rank_of_truth
from experiments.progress import format_duration, say, track
from experiments.run import RESUME_OR_REPLACE, Run
from experiments.training.mytorch_learner import (
    MytorchLearner,
    load_mytorch_checkpoint,
    predict_logits,
    save_mytorch_checkpoint,
)
from experiments.training.recorder import format_epoch, refuse_divergence, summarize, write_curves
from experiments.training.schedule import TrainingProgress
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
    """Train a recipe on a folder of identities, into a run's folder; with `resume`, continue where it stopped.

    after_epoch: called with each epoch's row of the history once it is saved; an exception from it ends the training.
    read: reads the images, like read_split.

    Raises FacesError for a folder that exists (with `resume`: that does not, or is another recipe's or other people's),
    a run that another process trains, a loss that is not finite, and files that cannot be written. KeyboardInterrupt
    passes through. In all cases the run is as of its last complete epoch.
    """
    run = Run(out)
    with ExitStack() as held:
        if resume:
            run = Run.open(out)
            held.enter_context(run.training())
            run = Run.reopen(out, recipe)
        else:
            refuse_existing(run.folder, RESUME_OR_REPLACE)
            refuse_inside(run.folder, identity_root(data))
        faces, validation = read(data, recipe)
        batches = Batches(faces, recipe)
        learner = MytorchLearner(recipe, len(faces.names), len(batches))
        if resume:
            progress = _resume_run(run, learner, faces)
        else:
            held.enter_context(run.training())
            refuse_existing(run.folder, RESUME_OR_REPLACE)  # another process may have made it meanwhile
            progress = _begin_run(run, learner, recipe, faces, Path(data))
        _run_epochs(run, learner, progress, batches, validation, recipe, after_epoch)
    return run


def _begin_run(run: Run, learner: MytorchLearner, recipe: Recipe, faces: Faces, data: Path) -> TrainingProgress:
    """Make the folder of a new run, whole or not at all."""
    progress = TrainingProgress()
    with new_folder(run.folder) as folder:
        begun = Run.create(folder, recipe, faces.names, data, faces.fingerprint, faces.preparation)
        save(learner.network.state_dict(), begun.best_weights)
        save_mytorch_checkpoint(begun.checkpoint_file, learner, progress)
    return progress


def _resume_run(run: Run, learner: MytorchLearner, faces: Faces) -> TrainingProgress:
    """Put the learner where the run stopped. Raises FacesError where it learned from other people or images."""
    run.refuse_others(faces.names, faces.fingerprint)
    return load_mytorch_checkpoint(run.checkpoint_file, learner)


def _run_epochs(
    run: Run,
    learner: MytorchLearner,
    progress: TrainingProgress,
    batches: Batches,
    validation: Faces,
    recipe: Recipe,
    after_epoch: AfterEpoch | None,
) -> None:
    """Train every epoch that is left, and save each when it is done."""
    parameters = sum(p.data.size for p in learner.network.parameters())
    say(
        f"{recipe.model.name}: {parameters:,} parameters, {len(batches.faces.names)} people, "
        f"{len(batches.faces)} images to train and {len(validation)} to validate"
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
            line = format_epoch(row, recipe.epochs)
            run.log(line)
            say(line)
            if after_epoch:
                after_epoch(row)
    except KeyboardInterrupt:
        say(
            f"{run.folder}: stopped after epoch {progress.epoch} of {recipe.epochs}; continue with the same command "
            "and --resume"
        )
        raise
    except OSError as error:
        raise FacesError(
            f"{run.folder}: epoch {progress.epoch + 1} could not be written ({error.strerror or error}); what was "
            "there before is complete. Make room, then continue with the same command and --resume"
        ) from error
    finally:
        if progress.history:
            write_curves(run, progress, recipe)
    took = format_duration(progress.seconds)
    say(f"{run.folder}: {recipe.epochs} epochs in {took}; best top-1 {progress.best['top1']:.1%}")


@np.errstate(over="ignore", invalid="ignore")  # numbers that overflow show in the loss, and are refused there
def _train_one_epoch(
    number: int, learner: MytorchLearner, batches: Batches, validation: Faces, recipe: Recipe
) -> dict[str, Any]:
    """Train for one epoch, validate, and return the epoch's row of the history."""
    manual_seed((recipe.seed, number))  # an epoch's dropout depends on its number alone, as a resumed run needs
    learner.network.train()
    losses, right, seen, lr, started = 0.0, 0, 0, learner.lr, time.monotonic()
    label = f"epoch {number + 1}/{recipe.epochs}"
    with track(label, len(batches.faces), "images") as advance, closing(prefetch(batches.epoch(number))) as ahead:
        for batch in ahead:
            loss, logits = learner.step(batch.pixels, batch.labels)
            refuse_divergence(loss, number, recipe, number)
            seen += len(batch.labels)
            losses += loss * len(batch.labels)
            right += int((rank_of_truth(logits, batch.labels) == 0).sum())
            advance(seen, len(batches.faces))
    rate = seen / (time.monotonic() - started)
    pixels = normalize_images(validation.images, recipe.data)
    validated = classification_metrics(predict_logits(learner.network, pixels), validation.labels)
    refuse_divergence(validated["loss"], number, recipe, number)
    learner.rate.after_epoch(validated["loss"])
    return {
        "epoch": number + 1,
        "lr": lr,
        "train_loss": losses / seen,
        "train_top1": right / seen,
        **validated,
        "images_per_second": round(rate, 1),
    }


def _record_epoch(run: Run, learner: MytorchLearner, progress: TrainingProgress, parameters: int) -> None:
    """Save an epoch. The checkpoint comes last: until it is saved, a resumed run repeats the epoch."""
    if progress.best is progress.history[-1]:
        save(learner.network.state_dict(), run.best_weights)
    run.write_history(progress.history)
    run.write_metrics(summarize(progress, parameters))
    save_mytorch_checkpoint(run.checkpoint_file, learner, progress)
