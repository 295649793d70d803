"""The training loop of transfer networks: stages of epochs of steps, and a folder that is usable at any time."""

import os
import time

from accelerate.utils import gather_object

from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.progress import duration, track
from experiments.run import Run
from experiments.training.face_record import line
from experiments.training.face_session import USUAL, Options, Session
from experiments.training.guards import advice_on_memory, refuse_divergence
from experiments.training.schedule import Place, factor, next_place


def train(
    recipe: Recipe,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    resume: bool = False,
    options: Options = USUAL,
) -> Run:
    """Train a transfer network on a folder of identities, into a run's folder; with `resume`, go on where it stopped.

    Raises FacesError for a folder that exists (or, with `resume`, does not, or is another recipe's or other people's),
    weights that are another network's, a picture that cannot be read, a loss that is no number, memory that runs out
    and files that cannot be written. KeyboardInterrupt passes through. The run stands then as at its last checkpoint.
    """
    session = Session(recipe, data, out, options)
    with advice_on_memory(recipe, session.accelerator.num_processes):
        place = session.prepare(resume)
        session.say(
            f"{recipe.model.name} on {session.accelerator.device}: {len(session.faces.names)} people, "
            f"{len(session.faces)} pictures to train and {len(session.validation)} to validate"
        )
        if place is not None:
            session.describe(place.stage)
        elif recipe.epochs:
            session.say(f"{session.run.folder} has all its epochs already")
        try:
            learn(session, place)
            if not recipe.epochs and not session.progress.history:
                judge(session)
        except KeyboardInterrupt:
            done = f"stopped after epoch {session.progress.epoch} of {recipe.epochs}"
            session.say(f"{session.run.folder}: {done}; the same command with --resume goes on from there")
            raise
        finally:
            if session.recorder and session.progress.history:
                session.recorder.draw(session.progress)
    _report(session)
    return session.run


def learn(session: Session, place: Place | None) -> None:
    """Every epoch that is left, each put on disk when it is done."""
    while place is not None:
        epoch(session, place)
        following = next_place(session.recipe, session.progress.history)
        goes_on = following is not None and following.stage == place.stage
        write(session, place.stage if goes_on else None)
        if following is not None and not goes_on:
            session.learner.begin(following.stage)
            session.describe(following.stage)
        place = following


def epoch(session: Session, place: Place) -> None:
    """One epoch of training, and the figures on the validation pictures after it."""
    learner, progress, recipe = session.learner, session.progress, session.recipe
    number, steps, started, first = progress.epoch, len(session.batches), time.monotonic(), progress.step
    saved, label = started, f"epoch {number + 1}/{recipe.epochs}"
    every = 1 if session.accelerator.device.type == "cpu" else 20  # to look at a GPU's sums is to wait for it
    before = learner.training_figures()[2]
    with track(label if session.main else "", len(session.faces) if session.main else 0, "images") as advance:
        for step, share in enumerate(session.batches.epoch(number, first), first):
            learner.step(share, number, step, factor(recipe, place, step, steps))
            session.note(share.bad)
            if (step + 1) % every and step + 1 < steps:
                continue
            loss, right, seen = learner.training_figures()
            refuse_divergence(loss, number, recipe, number)
            if session.main:
                advance(seen, len(session.faces))
                if time.monotonic() - saved >= session.options.save_seconds and step + 1 < steps:
                    session.save_within(step + 1, (loss * seen, right * seen, seen), time.monotonic() - saved, place)
                    saved = time.monotonic()
    learned = time.monotonic()
    after, bad = learner.validate(session.checks.epoch(0))
    refuse_divergence(after["loss"] or 0.0, number, recipe, number)
    progress.bad = sorted({*gather_object(progress.bad), *gather_object(bad)})
    row = {
        "epoch": number + 1,
        "stage": place.stage + 1,
        "lr": learner.lr,
        "train_loss": loss,
        "train_top1": right if recipe.scores_training else None,
        **after,
        "images_per_second": round((seen - before) / (learned - started), 1),
        "skipped": len(progress.bad),
    }
    progress.history.append(row)
    progress.seconds += time.monotonic() - saved
    progress.step, progress.totals = 0, [0.0, 0.0, 0.0]
    learner.forget()


def write(session: Session, stage: int | None) -> None:
    """Put the last epoch on disk, and say what came of it. Raises FacesError where there is no room."""
    row = session.progress.history[-1]
    if session.recorder:
        try:
            session.recorder.epoch(session.learner, session.progress, stage)
        except OSError as error:
            raise FacesError(
                f"{session.run.folder}: epoch {row['epoch']} could not be written ({error.strerror or error}), and "
                "what was there before is whole; make room, then go on by the same command with --resume"
            ) from error
    session.say(line(row, session.recipe.epochs))
    if session.options.after_epoch:
        session.options.after_epoch(row)


def judge(session: Session) -> None:
    """The figures of a network that learns in no epochs."""
    after, bad = session.learner.validate(session.checks.epoch(0))
    session.progress.bad = sorted({*gather_object(bad)})
    nothing = {"stage": None, "lr": None, "train_loss": None, "train_top1": None, "images_per_second": None}
    session.progress.history = [{"epoch": 0, **nothing, **after, "skipped": len(session.progress.bad)}]
    write(session, None)


def _report(session: Session) -> None:
    progress = session.progress
    took = f"{session.run.folder}: {progress.epoch} epochs in {duration(progress.seconds)}"
    best, kind = progress.best[progress.select], {"top1": "top-1", "eer": "EER"}[progress.select]
    session.say(took if best is None else f"{took}; best {kind} {best:.1%}")
    if progress.bad:
        session.say(f"{len(progress.bad)} pictures could not be read and were left out, the first: {progress.bad[0]}")
