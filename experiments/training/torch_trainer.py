"""The training loop of transfer networks: stages of epochs of steps, and a folder that is usable at any time.

A run of a transfer network, made ready: its pictures, its network, its folder, new or where it stopped.

What a transfer network's training leaves on disk after each epoch.

What to try when a training diverges or its memory runs out.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces, SplitReader, read_split
from experiments.data.folders import identity_root
from experiments.data.images import available_processors
from experiments.data.loader import EpochLoader, ShardedBatches
from experiments.errors import DivergenceError, FacesError
from experiments.files import new_folder, refuse_existing, refuse_inside, write_json
from experiments.plots.training import plot_learning_curves
from experiments.progress import format_duration, say, track
from experiments.run import Run
from experiments.training.build_model import build_face_net, warn_of_other_split
from experiments.training.prototypes import init_head_from_prototypes, starts_from_prototypes
from experiments.training.schedule import EpochPosition, lr_factor, next_epoch
from experiments.training.torch_checkpoint import (
    TorchProgress,
    load_torch_checkpoint,
    read_progress,
    save_tensors,
    save_torch_checkpoint,
)
from experiments.training.torch_learner import TorchLearner, count_parameters, make_accelerator, refuse_unpaired

LAST_EPOCH_METRICS = ("top1", "top5", "loss", "images_per_second", "epoch", "skipped")


class RunRecorder:
    """Writes a run's files; of several processes only the first has one. parameters: how many the network has."""

    def __init__(self, run: Run, recipe: Recipe, parameters: int, tensorboard: bool = False):
        self.run, self.recipe, self.parameters = run, recipe, parameters
        self.board = _tensorboard(run) if tensorboard else None

    def epoch(self, learner: TorchLearner, progress: TorchProgress, stage: int | None) -> None:
        """Put an epoch on disk. The checkpoint comes last: until it is there, a resumed run does the epoch again.

        stage: that the next epoch belongs to, if its optimiser is to be kept; None where a new one begins.
        """
        last, run = progress.history[-1], self.run
        weights = learner.eval_network.state_dict()
        if progress.best is last:
            save_tensors(weights, run.best_weights)
        save_tensors(weights, run.last_weights)
        run.write_history(progress.history)
        best = {f"best_{name}": progress.best[name] for name in ("top1", "eer", "epoch")}
        metrics = {name: last[name] for name in LAST_EPOCH_METRICS} | best
        write_json(run.metrics_file, {**metrics, "seconds": round(progress.seconds, 1), "parameters": self.parameters})
        save_torch_checkpoint(run.checkpoint_file, learner, progress, stage)
        run.log(format_epoch(last, self.recipe.epochs))
        if self.board:
            for name in ("train_loss", "loss", "top1", "top5", "eer", "lr", "images_per_second"):
                if last[name] is not None:
                    self.board.add_scalar(name, last[name], last["epoch"])
            self.board.flush()

    def draw(self, progress: TorchProgress) -> None:
        """The learning curves. No room for them is worth a note, and hides no error that came before."""
        recipe = self.recipe
        try:
            title = f"{recipe.model.name}, {len(self.run.classes())} people"
            plot_learning_curves(progress.history, self.run.curves_file, title, recipe.label_smoothing)
        except OSError as error:
            say(f"note: {self.run.curves_file} could not be written ({error.strerror or error})")


def format_epoch(row: dict[str, Any], epochs: int) -> str:
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


SAVE_SECONDS = 600.0
"""A checkpoint within an epoch, so often."""


@dataclass(frozen=True)
class TrainOptions:
    """What no figure depends on. workers: processes that read and augment; none: as many as suit the machine.

    after_epoch: called with each epoch's row of the history once it is on disk; what it raises ends the training.
    read: what gives the pictures, as read_split does.
    """

    workers: int | None = None
    tensorboard: bool = False
    save_seconds: float = SAVE_SECONDS
    after_epoch: Callable[[dict[str, Any]], object] | None = None
    read: SplitReader = read_split


DEFAULT_OPTIONS = TrainOptions()
"""Options where nobody asks for any."""


class TrainSession:
    """What a training works with: its learner, its pictures, and its folder, which the first process alone writes."""

    def __init__(
        self, recipe: Recipe, data: str | os.PathLike[str], out: str | os.PathLike[str], options: TrainOptions
    ):
        self.recipe, self.options, self.data = recipe, options, Path(data)
        self.accelerator = make_accelerator(recipe)
        self.main = self.accelerator.is_main_process
        self.run = Run(out)
        self.say: Callable[[str], None] = say if self.main else lambda text: None
        self.progress = TorchProgress(select=recipe.training.select)

    def prepare(self, resume: bool) -> EpochPosition | None:
        """Read the pictures, build the network, and begin the run or find where it stopped: the epoch to do next."""
        recipe, out = self.recipe, self.run.folder
        if resume:
            self.run = Run.reopen(out, recipe)
        elif self.main:
            refuse_existing(out, "go on with it by --resume")
            refuse_inside(out, identity_root(self.data))
        self.faces, self.validation = self.options.read(self.data, recipe)
        refuse_unpaired(recipe, self.validation)
        if not resume and (remark := warn_of_other_split(recipe)):
            self.say(remark)
        torch.manual_seed(recipe.seed)
        network = build_face_net(recipe.torch_model, len(self.faces.names), pretrained=not resume)
        self.learner = TorchLearner(recipe, network, self.accelerator)
        workers = self.workers
        self.batches = self._loader(self.faces, True, workers)
        self.checks = self._loader(self.validation, False, workers)
        place = self._go_on() if resume else self._begin()
        self.recorder = (
            RunRecorder(self.run, recipe, count_parameters(network)[0], self.options.tensorboard) if self.main else None
        )
        return place

    @property
    def workers(self) -> int:
        """As many processes as a GPU's hunger or a processor's leisure wants, unless told."""
        if self.options.workers is not None:
            return self.options.workers
        processors = available_processors() // self.accelerator.num_processes
        return max(1, min(16, processors)) if self.accelerator.device.type == "cuda" else min(1, processors - 1)

    def _loader(self, faces: Faces, training: bool, workers: int) -> EpochLoader:
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        shares = ShardedBatches(faces, self.recipe, training, rank, processes)
        return EpochLoader(shares, workers, pin=self.accelerator.device.type == "cuda")

    def _begin(self) -> EpochPosition | None:
        """Make the folder of a new run: whole, or not at all."""
        learner, faces, place = self.learner, self.faces, next_epoch(self.recipe, [])
        if starts_from_prototypes(self.recipe):
            init_head_from_prototypes(learner.eval_network, faces, self.recipe, self.workers)
            learner.network.load_state_dict(learner.eval_network.state_dict())
        if place is not None:
            learner.begin_stage(place.stage)
        if self.main:
            with new_folder(self.run.folder) as folder:
                begun = Run.create(folder, self.recipe, faces.names, self.data, faces.fingerprint, faces.preparation)
                save_tensors(learner.eval_network.state_dict(), begun.best_weights)
                save_torch_checkpoint(
                    begun.checkpoint_file, learner, self.progress, None if place is None else place.stage
                )
        self.accelerator.wait_for_everyone()
        return place

    def _go_on(self) -> EpochPosition | None:
        """Put the learner where the run stopped."""
        self.run.refuse_others(self.faces.names, self.faces.fingerprint)
        place = next_epoch(self.recipe, read_progress(self.run.checkpoint_file).history)
        self.progress = load_torch_checkpoint(self.run.checkpoint_file, self.learner, place)
        return place

    def note(self, bad: list[str]) -> None:
        """Name the pictures that could not be read, each once."""
        for problem in set(bad) - set(self.progress.bad):
            self.progress.bad.append(problem)
            say(f"note: left out: {problem}")

    def save_within(self, step: int, sums: tuple[float, float, int], seconds: float, place: EpochPosition) -> None:
        """A checkpoint in the middle of an epoch."""
        self.progress.step, self.progress.totals = step, [float(value) for value in sums]
        self.progress.seconds += seconds
        save_torch_checkpoint(self.run.checkpoint_file, self.learner, self.progress, place.stage)

    def describe(self, stage: int) -> None:
        """A line about a stage: what trains in it."""
        settings, plan = self.recipe.planned_stages[stage], self.recipe.planned_stages
        everything, trains = count_parameters(self.learner.network)
        self.say(f"stage {stage + 1} of {len(plan)}, {settings.epochs} epochs: {trains:,} of {everything:,} parameters")


def refuse_divergence(loss: float, epoch: int, recipe: Recipe, kept: int) -> None:
    """Raise FacesError for a loss that is no number. kept: the epochs that the run's files hold."""
    if isfinite(loss):
        return
    lower = min(recipe.optimizer.lr / 10, 0.01)
    stands = f"The run stands as after epoch {kept}" if kept else "Nothing was learned: the run may be removed"
    ways = [f"a lower learning rate, such as --set optimizer.lr={lower:.2g} (and in stages, by stages.0.lr)"]
    if recipe.training.clip is None:
        ways.append("--set training.clip=1")
    if recipe.training.precision == "fp16":
        ways.append("--set training.precision=bf16")
    raise DivergenceError(
        f"the loss became {loss} in epoch {epoch + 1}: training diverged. {stands}; start another, in another --out, "
        f"with {' or '.join(ways)}"
    )


@contextmanager
def explain_out_of_memory(recipe: Recipe, processes: int) -> Iterator[None]:
    """Turn memory that runs out, the GPU's or the machine's, into a FacesError that says what to set."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        said = "can't allocate memory" in str(error) or "out of memory" in str(error)
        if not said and not isinstance(error, torch.OutOfMemoryError | MemoryError):
            raise
        share = max(1, recipe.batch_size // processes // recipe.training.accumulate)
        half = max(2, recipe.batch_size // 2)
        raise FacesError(
            f"out of memory with {share} pictures of {recipe.data.size[0]} x {recipe.data.size[1]} at a time: try "
            f"--set training.accumulate={recipe.training.accumulate * 2}, which learns from the same batches in "
            f"smaller parts, or --set batch_size={half}; in another --out, as that is another recipe"
        ) from error


def train_torch(
    recipe: Recipe,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    resume: bool = False,
    options: TrainOptions = DEFAULT_OPTIONS,
) -> Run:
    """Train a transfer network on a folder of identities, into a run's folder; with `resume`, go on where it stopped.

    Raises FacesError for a folder that exists (or, with `resume`, does not, or is another recipe's or other people's),
    weights that are another network's, a picture that cannot be read, a loss that is no number, memory that runs out
    and files that cannot be written. KeyboardInterrupt passes through. The run stands then as at its last checkpoint.
    """
    session = TrainSession(recipe, data, out, options)
    with explain_out_of_memory(recipe, session.accelerator.num_processes):
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
            run_epochs(session, place)
            if not recipe.epochs and not session.progress.history:
                evaluate_without_training(session)
        except KeyboardInterrupt:
            done = f"stopped after epoch {session.progress.epoch} of {recipe.epochs}"
            session.say(f"{session.run.folder}: {done}; the same command with --resume goes on from there")
            raise
        finally:
            if session.recorder and session.progress.history:
                session.recorder.draw(session.progress)
    _print_summary(session)
    return session.run


def run_epochs(session: TrainSession, place: EpochPosition | None) -> None:
    """Every epoch that is left, each put on disk when it is done."""
    while place is not None:
        train_one_epoch(session, place)
        following = next_epoch(session.recipe, session.progress.history)
        goes_on = following is not None and following.stage == place.stage
        record_epoch(session, place.stage if goes_on else None)
        if following is not None and not goes_on:
            session.learner.begin_stage(following.stage)
            session.describe(following.stage)
        place = following


def train_one_epoch(session: TrainSession, place: EpochPosition) -> None:
    """One epoch of training, and the figures on the validation pictures after it."""
    learner, progress, recipe = session.learner, session.progress, session.recipe
    number, steps, started, first = progress.epoch, len(session.batches), time.monotonic(), progress.step
    saved, label = started, f"epoch {number + 1}/{recipe.epochs}"
    every = 1 if session.accelerator.device.type == "cpu" else 20  # to look at a GPU's sums is to wait for it
    before = learner.training_metrics()[2]
    with track(label if session.main else "", len(session.faces) if session.main else 0, "images") as advance:
        for step, share in enumerate(session.batches.epoch(number, first), first):
            learner.step(share, number, step, lr_factor(recipe, place, step, steps))
            session.note(share.bad)
            if (step + 1) % every and step + 1 < steps:
                continue
            loss, right, seen = learner.training_metrics()
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
        "train_top1": right if recipe.has_training_accuracy else None,
        **after,
        "images_per_second": round((seen - before) / (learned - started), 1),
        "skipped": len(progress.bad),
    }
    progress.history.append(row)
    progress.seconds += time.monotonic() - saved
    progress.step, progress.totals = 0, [0.0, 0.0, 0.0]
    learner.reset_totals()


def record_epoch(session: TrainSession, stage: int | None) -> None:
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
    session.say(format_epoch(row, session.recipe.epochs))
    if session.options.after_epoch:
        session.options.after_epoch(row)


def evaluate_without_training(session: TrainSession) -> None:
    """The figures of a network that learns in no epochs."""
    after, bad = session.learner.validate(session.checks.epoch(0))
    session.progress.bad = sorted({*gather_object(bad)})
    nothing = {"stage": None, "lr": None, "train_loss": None, "train_top1": None, "images_per_second": None}
    session.progress.history = [{"epoch": 0, **nothing, **after, "skipped": len(session.progress.bad)}]
    record_epoch(session, None)


def _print_summary(session: TrainSession) -> None:
    progress = session.progress
    took = f"{session.run.folder}: {progress.epoch} epochs in {format_duration(progress.seconds)}"
    best, kind = progress.best[progress.select], {"top1": "top-1", "eer": "EER"}[progress.select]
    session.say(took if best is None else f"{took}; best {kind} {best:.1%}")
    if progress.bad:
        session.say(f"{len(progress.bad)} pictures could not be read and were left out, the first: {progress.bad[0]}")
