"""Train a transfer network in stages. It can be stopped at any time; the run folder stays usable."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.utils import gather_object

from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.progress import format_duration, track
from experiments.run import Run
from experiments.training.recorder import format_epoch, refuse_divergence, summarize, write_curves
from experiments.training.schedule import EpochPosition, lr_factor, next_epoch
from experiments.training.torch_checkpoint import save_tensors, save_torch_checkpoint
from experiments.training.torch_session import DEFAULT_OPTIONS, TrainOptions, TrainSession

__all__ = ["TrainOptions", "train_torch"]

STEPS_BETWEEN_SUMS = 20
"""Steps between two readings of an epoch's sums; reading them makes a GPU wait."""


def train_torch(
    recipe: Recipe,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    resume: bool = False,
    options: TrainOptions = DEFAULT_OPTIONS,
) -> Run:
    """Train a transfer network on a folder of identities, into a run's folder; with `resume`, continue it.

    Raises FacesError if `out` exists; with `resume`, if it is missing or was made with another recipe or other people.
    Also for a run that another process trains, weights of another network, an unreadable image, a loss that is not
    finite, too little memory, and files that cannot be written. KeyboardInterrupt passes through. In all cases the run
    is as of its last checkpoint.
    """
    with TrainSession(recipe, data, out, options) as session:
        with explain_out_of_memory(recipe, session.accelerator.num_processes):
            position = session.prepare(resume)
            recorder = RunRecorder(session, options.tensorboard) if session.main else None
            session.say(
                f"{recipe.model.name} on {session.accelerator.device}: {len(session.faces.names)} people, "
                f"{len(session.faces)} images to train and {len(session.validation)} to validate"
            )
            if position is not None:
                session.describe_stage(position.stage)
            elif recipe.epochs:
                session.say(f"{session.run.folder} has all its epochs already")
            try:
                run_epochs(session, recorder, position)
                if not recipe.epochs and not session.progress.history:
                    evaluate_without_training(session, recorder)
            except KeyboardInterrupt:
                done = f"stopped after epoch {session.progress.epoch} of {recipe.epochs}"
                session.say(f"{session.run.folder}: {done}; continue with the same command and --resume")
                raise
            finally:
                if session.main and session.progress.history:
                    write_curves(session.run, session.progress, recipe)
        _print_summary(session)
        return session.run


class RunRecorder:
    """Writes the files of a session's run after each epoch."""

    def __init__(self, session: TrainSession, tensorboard: bool = False):
        self.session = session
        self.board = _open_tensorboard(session.run) if tensorboard else None

    def write(self, stage: int | None) -> None:
        """Save the last epoch. The checkpoint comes last: until it is saved, a resumed run repeats the epoch.

        stage: the next epoch's stage, or None if that epoch starts a new optimizer. Raises FacesError if the disk is
        full.
        """
        session, run, progress = self.session, self.session.run, self.session.progress
        last, weights = progress.history[-1], session.learner.eval_network.state_dict()
        try:
            if progress.best is last:
                save_tensors(weights, run.best_weights)
            save_tensors(weights, run.last_weights)
            run.write_history(progress.history)
            run.write_metrics(summarize(progress, session.parameters))
            save_torch_checkpoint(run.checkpoint_file, session.learner, progress, stage)
            run.log(format_epoch(last, session.recipe.epochs))
        except OSError as error:
            raise FacesError(
                f"{run.folder}: epoch {last['epoch']} could not be written ({error.strerror or error}); what was there "
                "before is complete. Make room, then continue with the same command and --resume"
            ) from error
        if self.board:
            for name in ("train_loss", "loss", "top1", "top5", "eer", "lr", "images_per_second"):
                if last[name] is not None:
                    self.board.add_scalar(name, last[name], last["epoch"])
            self.board.flush()


def _open_tensorboard(run: Run) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise FacesError("--tensorboard needs the package tensorboard: pip install tensorboard") from error
    return SummaryWriter(str(run.folder / "tensorboard"))


def run_epochs(session: TrainSession, recorder: RunRecorder | None, position: EpochPosition | None) -> None:
    """Train every epoch that is left, and save each when it is done."""
    while position is not None:
        train_one_epoch(session, position)
        following = next_epoch(session.recipe, session.progress.history)
        same_stage = following is not None and following.stage == position.stage
        record_epoch(session, recorder, position.stage if same_stage else None)
        if following is not None and not same_stage:
            session.learner.begin_stage(following.stage)
            session.describe_stage(following.stage)
        position = following


def train_one_epoch(session: TrainSession, position: EpochPosition) -> None:
    """Train for one epoch, validate, and add a row to the history."""
    learner, progress, recipe = session.learner, session.progress, session.recipe
    number, steps, started, first = progress.epoch, len(session.batches), time.monotonic(), progress.step
    saved, label = started, f"epoch {number + 1}/{recipe.epochs}"
    every = 1 if session.accelerator.device.type == "cpu" else STEPS_BETWEEN_SUMS
    before = learner.training_metrics()[2]
    with track(label if session.main else "", len(session.faces) if session.main else 0, "images") as advance:
        for step, shard in enumerate(session.batches.epoch(number, first), first):
            learner.step(shard, number, step, lr_factor(recipe, position, step, steps))
            session.note_bad_images(shard.bad)
            if (step + 1) % every and step + 1 < steps:
                continue
            loss, right, seen = learner.training_metrics()
            refuse_divergence(loss, number, recipe, number)
            if session.main:
                advance(seen, len(session.faces))
                if time.monotonic() - saved >= session.options.save_seconds and step + 1 < steps:
                    sums = (loss * seen, right * seen, seen)
                    session.save_mid_epoch(step + 1, sums, time.monotonic() - saved, position)
                    saved = time.monotonic()
    trained = time.monotonic()
    validated, bad = learner.validate(session.validation_batches.epoch(0))
    refuse_divergence(validated["loss"] or 0.0, number, recipe, number)
    progress.bad = sorted({*gather_object(progress.bad), *gather_object(bad)})
    row = {
        "epoch": number + 1,
        "stage": position.stage + 1,
        "lr": learner.lr,
        "train_loss": loss,
        "train_top1": right if recipe.has_training_accuracy else None,
        **validated,
        "images_per_second": round((seen - before) / (trained - started), 1),
        "skipped": len(progress.bad),
    }
    progress.history.append(row)
    progress.seconds += time.monotonic() - saved
    progress.step, progress.totals = 0, [0.0, 0.0, 0.0]
    learner.reset_totals()


def record_epoch(session: TrainSession, recorder: RunRecorder | None, stage: int | None) -> None:
    """Save the last epoch and print its metrics. Raises FacesError where there is no room."""
    row = session.progress.history[-1]
    if recorder:
        recorder.write(stage)
    session.say(format_epoch(row, session.recipe.epochs))
    if session.options.after_epoch:
        session.options.after_epoch(row)


def evaluate_without_training(session: TrainSession, recorder: RunRecorder | None) -> None:
    """Validate a network that learns in no epochs, as epoch 0."""
    validated, bad = session.learner.validate(session.validation_batches.epoch(0))
    session.progress.bad = sorted({*gather_object(bad)})
    nothing = {"stage": None, "lr": None, "train_loss": None, "train_top1": None, "images_per_second": None}
    session.progress.history = [{"epoch": 0, **nothing, **validated, "skipped": len(session.progress.bad)}]
    record_epoch(session, recorder, None)


def _print_summary(session: TrainSession) -> None:
    progress = session.progress
    took = f"{session.run.folder}: {progress.epoch} epochs in {format_duration(progress.seconds)}"
    best, name = progress.best[progress.select], {"top1": "top-1", "eer": "EER"}[progress.select]
    session.say(took if best is None else f"{took}; best {name} {best:.1%}")
    if progress.bad:
        session.say(f"{len(progress.bad)} images could not be read and were skipped, the first: {progress.bad[0]}")


@contextmanager
def explain_out_of_memory(recipe: Recipe, processes: int) -> Iterator[None]:
    """Turn running out of memory, the GPU's or the machine's, into a FacesError that says what to set."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        says_memory = "can't allocate memory" in str(error) or "out of memory" in str(error)
        if not says_memory and not isinstance(error, torch.OutOfMemoryError | MemoryError):
            raise
        part = max(1, recipe.batch_size // processes // recipe.training.accumulate)
        half = max(2, recipe.batch_size // 2)
        raise FacesError(
            f"out of memory with {part} images of {recipe.data.size[0]} x {recipe.data.size[1]} at a time: try "
            f"--set training.accumulate={recipe.training.accumulate * 2}, which learns from the same batches in "
            f"smaller parts, or --batch-size {half}; in another --out, because that is another recipe"
        ) from error
