"""The training loop of transfer networks: stages of epochs of steps, and a folder that is usable at any time."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object

from experiments.data.faces import Faces, read_split
from experiments.data.identities import identity_root
from experiments.data.images import available_processors
from experiments.data.loader import Loader, Shares
from experiments.errors import FacesError
from experiments.progress import duration, say, track
from experiments.recipe import Recipe
from experiments.run import Run, new_folder, refuse_existing, refuse_inside
from experiments.training.continuation import warning
from experiments.training.face_learner import FaceLearner, accelerator_for
from experiments.training.face_record import Recorder, line
from experiments.training.face_state import FaceProgress, load_state, read_progress, save_state, save_tensors
from experiments.training.groups import count
from experiments.training.guards import advice_on_memory, refuse_divergence
from experiments.training.networks import build_face_net
from experiments.training.prototypes import start_head, wants_prototypes
from experiments.training.rates import Place, factor, next_place
from experiments.training.validation import refuse_unpaired

SAVE_SECONDS = 600.0
"""A checkpoint within an epoch, so often."""


@dataclass(frozen=True)
class Options:
    """What no figure depends on. workers: processes that read and augment; none: as many as suit the machine.

    after_epoch: called with each epoch's row of the history once it is on disk; what it raises ends the training.
    """

    workers: int | None = None
    tensorboard: bool = False
    save_seconds: float = SAVE_SECONDS
    after_epoch: Callable[[dict[str, Any]], object] | None = None


class Session:
    """A run in training: its learner, its pictures, and what is written of it, by the first process alone."""

    def __init__(self, recipe: Recipe, data: str | os.PathLike[str], out: str | os.PathLike[str], options: Options):
        self.recipe, self.options, self.data = recipe, options, Path(data)
        self.accelerator = accelerator_for(recipe)
        self.main = self.accelerator.is_main_process
        self.run = Run(out)
        self.say: Callable[[str], None] = say if self.main else lambda text: None
        self.progress = FaceProgress(select=recipe.training.select)

    def prepare(self, resume: bool) -> Place | None:
        """Read the pictures, build the network, and begin the run or find where it stopped: the epoch to do next."""
        recipe, out = self.recipe, self.run.folder
        if resume:
            self.run = Run.reopen(out, recipe)
        elif self.main:
            refuse_existing(out, "go on with it by --resume")
            refuse_inside(out, identity_root(self.data))
        self.faces, self.validation = read_split(self.data, recipe)
        refuse_unpaired(recipe, self.validation)
        if not resume and (remark := warning(recipe)):
            self.say(remark)
        torch.manual_seed(recipe.seed)
        network = build_face_net(recipe.transfer, len(self.faces.names), pretrained=not resume)
        self.learner = FaceLearner(recipe, network, self.accelerator)
        workers = self.workers
        self.batches = self._loader(self.faces, True, workers)
        self.checks = self._loader(self.validation, False, workers)
        place = self._go_on() if resume else self._begin()
        self.recorder = Recorder(self.run, recipe, count(network)[0], self.options.tensorboard) if self.main else None
        return place

    @property
    def workers(self) -> int:
        """As many processes as a GPU's hunger or a processor's leisure wants, unless told."""
        if self.options.workers is not None:
            return self.options.workers
        processors = available_processors() // self.accelerator.num_processes
        return max(1, min(16, processors)) if self.accelerator.device.type == "cuda" else min(1, processors - 1)

    def _loader(self, faces: Faces, training: bool, workers: int) -> Loader:
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        shares = Shares(faces, self.recipe, training, rank, processes)
        return Loader(shares, workers, pin=self.accelerator.device.type == "cuda")

    def _begin(self) -> Place | None:
        """Make the folder of a new run: whole, or not at all."""
        learner, faces, place = self.learner, self.faces, next_place(self.recipe, [])
        if wants_prototypes(self.recipe):
            start_head(learner.to_use, faces, self.recipe, self.workers)
            learner.network.load_state_dict(learner.to_use.state_dict())
        if place is not None:
            learner.begin(place.stage)
        if self.main:
            with new_folder(self.run.folder) as folder:
                begun = Run.create(folder, self.recipe, faces.names, self.data, faces.fingerprint)
                save_tensors(learner.to_use.state_dict(), begun.best)
                save_state(begun.checkpoint, learner, self.progress, None if place is None else place.stage)
        self.accelerator.wait_for_everyone()
        return place

    def _go_on(self) -> Place | None:
        """Put the learner where the run stopped."""
        self.run.refuse_others(self.faces.names, self.faces.fingerprint)
        place = next_place(self.recipe, read_progress(self.run.checkpoint).history)
        self.progress = load_state(self.run.checkpoint, self.learner, place)
        return place

    def epoch(self, place: Place) -> None:
        """One epoch of training, and the figures on the validation pictures after it."""
        learner, progress, recipe = self.learner, self.progress, self.recipe
        number, steps, started, first = progress.epoch, len(self.batches), time.monotonic(), progress.step
        saved, label = started, f"epoch {number + 1}/{recipe.epochs}"
        every = 1 if self.accelerator.device.type == "cpu" else 20  # to look at a GPU's sums is to wait for it
        before = learner.training_figures()[2]
        with track(label if self.main else "", len(self.faces) if self.main else 0, "images") as advance:
            for step, share in enumerate(self.batches.epoch(number, first), first):
                learner.step(share, number, step, factor(recipe, place, step, steps))
                self._note(share.bad)
                if (step + 1) % every and step + 1 < steps:
                    continue
                loss, right, seen = learner.training_figures()
                refuse_divergence(loss, number, recipe, number)
                if self.main:
                    advance(seen, len(self.faces))
                    if time.monotonic() - saved >= self.options.save_seconds and step + 1 < steps:
                        self._save_within(step + 1, (loss * seen, right * seen, seen), time.monotonic() - saved, place)
                        saved = time.monotonic()
        learned = time.monotonic()
        after, bad = learner.validate(self.checks.epoch(0))
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

    def _note(self, bad: list[str]) -> None:
        """Name the pictures that could not be read, each once."""
        for problem in set(bad) - set(self.progress.bad):
            self.progress.bad.append(problem)
            say(f"note: left out: {problem}")

    def _save_within(self, step: int, sums: tuple[float, float, int], seconds: float, place: Place) -> None:
        """A checkpoint in the middle of an epoch."""
        self.progress.step, self.progress.totals = step, [float(value) for value in sums]
        self.progress.seconds += seconds
        save_state(self.run.checkpoint, self.learner, self.progress, place.stage)

    def learn(self, place: Place | None) -> None:
        """Every epoch that is left, each put on disk when it is done."""
        while place is not None:
            self.epoch(place)
            following = next_place(self.recipe, self.progress.history)
            goes_on = following is not None and following.stage == place.stage
            self.write(place.stage if goes_on else None)
            if following is not None and not goes_on:
                self.learner.begin(following.stage)
                self.describe(following.stage)
            place = following

    def write(self, stage: int | None) -> None:
        """Put the last epoch on disk, and say what came of it. Raises FacesError where there is no room."""
        row = self.progress.history[-1]
        if self.recorder:
            try:
                self.recorder.epoch(self.learner, self.progress, stage)
            except OSError as error:
                raise FacesError(
                    f"{self.run.folder}: epoch {row['epoch']} could not be written ({error.strerror or error}), and "
                    "what was there before is whole; make room, then go on by the same command with --resume"
                ) from error
        self.say(line(row, self.recipe.epochs))
        if self.options.after_epoch:
            self.options.after_epoch(row)

    def judge(self) -> None:
        """The figures of a network that learns in no epochs."""
        after, bad = self.learner.validate(self.checks.epoch(0))
        self.progress.bad = sorted({*gather_object(bad)})
        nothing = {"stage": None, "lr": None, "train_loss": None, "train_top1": None, "images_per_second": None}
        self.progress.history = [{"epoch": 0, **nothing, **after, "skipped": len(self.progress.bad)}]
        self.write(None)

    def describe(self, stage: int) -> None:
        """A line about a stage: what trains in it."""
        settings, plan = self.recipe.plan[stage], self.recipe.plan
        everything, trains = count(self.learner.network)
        self.say(f"stage {stage + 1} of {len(plan)}, {settings.epochs} epochs: {trains:,} of {everything:,} parameters")


def train(
    recipe: Recipe,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    resume: bool = False,
    options: Options = Options(),
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
            session.learn(place)
            if not recipe.epochs and not session.progress.history:
                session.judge()
        except KeyboardInterrupt:
            done = f"stopped after epoch {session.progress.epoch} of {recipe.epochs}"
            session.say(f"{session.run.folder}: {done}; the same command with --resume goes on from there")
            raise
        finally:
            if session.recorder and session.progress.history:
                session.recorder.draw(session.progress)
    _report(session)
    return session.run


def _report(session: Session) -> None:
    progress = session.progress
    took = f"{session.run.folder}: {progress.epoch} epochs in {duration(progress.seconds)}"
    best, kind = progress.best[progress.select], {"top1": "top-1", "eer": "EER"}[progress.select]
    session.say(took if best is None else f"{took}; best {kind} {best:.1%}")
    if progress.bad:
        session.say(f"{len(progress.bad)} pictures could not be read and were left out, the first: {progress.bad[0]}")
