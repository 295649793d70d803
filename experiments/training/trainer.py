"""The training loop: epochs of steps, a figure after each, and a folder that is usable at any time."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.batches import Batches, normalised
from experiments.data.faces import Faces, read_split
from experiments.errors import FacesError
from experiments.evaluation.classification import figures, rank_of_truth
from experiments.outputs.plots import learning_curves
from experiments.progress import duration, say, track
from experiments.recipe import Recipe
from experiments.run import Run, refuse_existing, write_json
from experiments.training.learner import Learner, predict
from experiments.training.state import Progress, load_state, save_state
from mytorch import manual_seed, save


def train(recipe: Recipe, data: str | os.PathLike[str], out: str | os.PathLike[str], resume: bool = False) -> Run:
    """Train a recipe on a folder of identities, into a run's folder; with `resume`, go on where it stopped.

    Raises FacesError for a folder that exists (or, with `resume`, does not, or is another recipe's or other people's).
    KeyboardInterrupt passes through; the run stands then as after its last whole epoch.
    """
    run = _reopened(out, recipe) if resume else Run(out)
    if not resume:
        refuse_existing(run.folder, "go on with it by --resume")
    faces, validation = read_split(data, recipe)
    batches = Batches(faces, recipe)
    learner = Learner(recipe, len(faces.names), len(batches))
    if resume:
        if run.classes() != list(faces.names):
            raise FacesError(
                f"{data}: other people than those the run {run.folder} was made with; give the same folder"
            )
        progress = load_state(run.checkpoint, learner)
    else:
        run = Run.create(out, recipe, faces.names, Path(data))
        progress = Progress()
        save(learner.network.state_dict(), run.best)
        save_state(run.checkpoint, learner, progress)
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
            row = _epoch(epoch, learner, batches, validation, recipe)
            progress.seconds += time.monotonic() - started
            progress.history.append(row)
            _record(run, learner, progress, parameters)
            line = _line(row, recipe.epochs)
            run.log(line)
            say(line)
    finally:
        if progress.history:
            title = f"{recipe.model.name}, {len(faces.names)} people"
            learning_curves(progress.history, run.curves, title, recipe.label_smoothing)
    say(f"{run.folder}: {recipe.epochs} epochs in {duration(progress.seconds)}; best top-1 {progress.best['top1']:.1%}")
    return run


def _epoch(number: int, learner: Learner, batches: Batches, validation: Faces, recipe: Recipe) -> dict[str, Any]:
    """One epoch of training, and the figures on the validation pictures after it."""
    manual_seed((recipe.seed, number))  # an epoch's dropout depends on its number alone, so that a resumed run agrees
    learner.network.train()
    losses, right, seen, lr, started = 0.0, 0, 0, learner.lr, time.monotonic()
    with track(f"epoch {number + 1}/{recipe.epochs}", len(batches.faces), "images") as advance:
        for batch in batches.epoch(number):
            loss, logits = learner.step(batch.pixels, batch.labels)
            if not np.isfinite(loss):
                raise FacesError(
                    f"the loss became {loss} in epoch {number + 1}: training diverged. The run stands as after the "
                    f"epoch before; try a lower learning rate, such as --set optimizer.lr={recipe.optimizer.lr / 3:.2g}"
                )
            seen += len(batch.labels)
            losses += loss * len(batch.labels)
            right += int((rank_of_truth(logits, batch.labels) == 0).sum())
            advance(seen, len(batches.faces))
    rate = seen / (time.monotonic() - started)
    after = figures(predict(learner.network, normalised(validation.images, recipe.data)), validation.labels)
    learner.rate.after_epoch(after["loss"])
    return {
        "epoch": number + 1,
        "lr": lr,
        "train_loss": losses / seen,
        "train_top1": right / seen,
        **after,
        "images_per_second": round(rate, 1),
    }


def _record(run: Run, learner: Learner, progress: Progress, parameters: int) -> None:
    """Put an epoch on disk. The checkpoint comes last: until it is there, a resumed run does the epoch again."""
    last = progress.history[-1]
    if progress.best is last:
        save(learner.network.state_dict(), run.best)
    run.write_history(progress.history)
    metrics = {name: last[name] for name in ("top1", "top5", "loss", "images_per_second", "epoch")}
    best = {"best_top1": progress.best["top1"], "best_epoch": progress.best["epoch"]}
    write_json(run.metrics, {**metrics, **best, "seconds": round(progress.seconds, 1), "parameters": parameters})
    save_state(run.checkpoint, learner, progress)


def _reopened(out: str | os.PathLike[str], recipe: Recipe) -> Run:
    """The run to go on with. Raises FacesError where it is another recipe's."""
    run = Run.open(out)
    then, now = run.recipe().model_dump(), recipe.model_dump()
    changed = [f"{key}: {then[key]} then, {now[key]} now" for key in now if then[key] != now[key]]
    if changed:
        raise FacesError(
            f"{run.folder} was made by another recipe; give the same, or start in another folder\n  "
            + "\n  ".join(changed)
        )
    return run


def _line(row: dict[str, Any], epochs: int) -> str:
    return (
        f"epoch {row['epoch']:>{len(str(epochs))}}/{epochs}  loss {row['train_loss']:.3f}  "
        f"validation loss {row['loss']:.3f}  top-1 {row['top1']:.1%}  top-5 {row['top5']:.1%}  "
        f"{row['images_per_second']:,.0f} images/s"
    )
