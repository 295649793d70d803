"""Train a network in stages, whichever library computes it. It can be stopped at any time; the run stays usable.

The loop is here once. An engine per library knows how to build, step, validate, save and load, and nothing else.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces, SplitReader, read_split
from experiments.data.folders import identity_root
from experiments.data.images import available_processors
from experiments.data.loader import BatchShard, EpochLoader, ShardedBatches
from experiments.errors import FacesError
from experiments.files import new_folder, refuse_existing, refuse_inside
from experiments.progress import format_count, format_duration, say, track
from experiments.run import RESUME_OR_REPLACE, Run
from experiments.training.engine import Engine
from experiments.training.recorder import RunRecorder, format_epoch, refuse_divergence, save_checkpoint, write_curves
from experiments.training.schedule import TOTALS, EpochPosition, TrainingProgress, average_decay, lr_factor, next_epoch
from mytorch.data import prefetch

SAVE_SECONDS = 600.0
"""Seconds between checkpoints within an epoch."""

MAX_WORKERS_PER_PROCESSOR = 8


@dataclass(frozen=True)
class TrainOptions:
    """Settings that change no result.

    workers: processes that load and augment images; None for as many as suit the machine. device: "cpu", "cuda" or
    "cuda:1"; None for the GPU where there is one. after_epoch: called with each epoch's row of the history once it is
    saved; an exception from it ends the training. read: reads the images, like read_split.
    """

    workers: int | None = None
    tensorboard: bool = False
    save_seconds: float = SAVE_SECONDS
    after_epoch: Callable[[dict[str, Any]], object] | None = None
    read: SplitReader = read_split
    device: str | None = None


DEFAULT_OPTIONS = TrainOptions()


def build_engine(recipe: Recipe, device: str | None = None) -> Engine:
    """Return the engine that a recipe names. Raises FacesError for what that library does not have."""
    if recipe.engine == "mytorch":
        from experiments.training.mytorch_engine import MytorchEngine

        return MytorchEngine(recipe, device)
    from experiments.training.torch_engine import TorchEngine  # Accelerate takes seconds to import

    return TorchEngine(recipe, device)


def train(
    recipe: Recipe,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    resume: bool = False,
    options: TrainOptions = DEFAULT_OPTIONS,
) -> Run:
    """Train a recipe on a folder of identities, into a run's folder; with `resume`, continue where it stopped.

    Raises FacesError if `out` exists; with `resume`, if it is missing or was made with another recipe or other people.
    Also for a run that another process trains, weights of another network, an unreadable image, a loss that is not
    finite, too little memory, and files that cannot be written. KeyboardInterrupt passes through. In all cases the run
    is as of its last checkpoint.
    """
    trainer = Trainer(recipe, data, out, options)
    with explain_out_of_memory(recipe, trainer.engine.processes), ExitStack() as held:
        return trainer.train(resume, held)


class Trainer:
    """A run in training: its images, an engine, its progress and its folder, which only the first process writes."""

    def __init__(
        self, recipe: Recipe, data: str | os.PathLike[str], out: str | os.PathLike[str], options: TrainOptions
    ):
        self.recipe, self.options, self.data, self.run = recipe, options, Path(data), Run(out)
        self.engine = build_engine(recipe, options.device)
        self.main = self.engine.rank == 0
        self.say: Callable[[str], None] = say if self.main else lambda text: None
        self.progress = TrainingProgress(select=recipe.training.select)

    def train(self, resume: bool, held: ExitStack) -> Run:
        """Train from the beginning or from where the run stopped. held: closes the run's lock."""
        position = self.prepare(resume, held)
        recipe, progress = self.recipe, self.progress
        self.say(
            f"{recipe.model.name} on {self.engine.device}: {len(self.faces.names)} people, {len(self.faces)} images to "
            f"train and {len(self.validation)} to validate"
        )
        if position is not None:
            self.describe_stage(position.stage)
        elif recipe.epochs:
            self.say(f"{self.run.folder} has all its {format_count(recipe.epochs, 'epoch')} already")
        try:
            self.fit(position)
        except KeyboardInterrupt:
            done = f"stopped after epoch {progress.epoch} of {recipe.epochs}"
            self.say(f"{self.run.folder}: {done}; continue with the same command and --resume")
            raise
        finally:
            if self.main and progress.history:
                write_curves(self.run, progress, recipe)
        self.print_summary()
        return self.run

    def fit(self, position: EpochPosition | None) -> None:
        """Train every epoch that is left, and save each when it is done."""
        while position is not None:
            self.train_one_epoch(position)
            following = next_epoch(self.recipe, self.progress.history)
            same_stage = following is not None and following.stage == position.stage
            self.record(position.stage if same_stage else None)
            if following is not None and not same_stage:
                self.engine.begin_stage(following.stage)
                self.describe_stage(following.stage)
            position = following
        if not self.recipe.epochs and not self.progress.history:
            self.evaluate_without_training()

    def train_one_epoch(self, position: EpochPosition) -> None:
        """Train for one epoch, validate, and add a row to the history."""
        engine, progress, recipe = self.engine, self.progress, self.recipe
        number, steps, first = progress.epoch, len(self.batches), progress.step
        started = saved = time.monotonic()
        before = engine.totals()[2]
        label, images = (f"epoch {number + 1}/{recipe.epochs}", len(self.faces)) if self.main else ("", 0)
        with self.shards(number, first) as shards, track(label, images, "images") as advance:
            for step, shard in enumerate(shards, first):
                changed = engine.step(shard, number, step, lr_factor(recipe, position, step, steps))
                if changed and recipe.training.ema:
                    progress.updates += 1
                    engine.average(average_decay(recipe.training.ema, progress.updates))
                self.note_bad_images(shard.bad)
                if (step + 1) % engine.steps_per_reading and step + 1 < steps:
                    continue
                totals = loss, right, seen, norms, finite = engine.totals()
                refuse_divergence(loss, number, recipe, number)
                if self.main:
                    advance(round(seen), len(self.faces))
                if self.recorder and step + 1 < steps and time.monotonic() - saved >= self.options.save_seconds:
                    progress.seconds += time.monotonic() - saved
                    progress.step, progress.totals, saved = step + 1, totals, time.monotonic()
                    self.recorder.write_mid_epoch(progress, position.stage)
        trained = time.monotonic()
        validated = self.validate()
        row = {
            "epoch": number + 1,
            "stage": position.stage + 1,
            "lr": engine.lr,
            "train_loss": loss / max(seen, 1),
            "train_top1": right / max(seen, 1) if recipe.has_training_accuracy else None,
            **validated,
            "grad_norm": norms / finite if finite else None,
            "images_per_second": round((seen - before) / (trained - started), 1),
            "skipped": len(progress.bad),
        }
        progress.history.append(row)
        progress.seconds += time.monotonic() - saved
        progress.step, progress.totals = 0, [0.0] * len(TOTALS)
        engine.set_totals(progress.totals)

    @contextmanager
    def shards(self, epoch: int, first: int) -> Iterator[Iterable[BatchShard]]:
        """Give an epoch's batches from number `first` on, prepared in a thread where nothing else prepares them."""
        shards = self.batches.epoch(epoch, first)
        if self.engine.threaded and not self.workers:
            with closing(prefetch(shards)) as ahead:
                yield ahead
        else:
            yield shards

    def validate(self) -> dict[str, float | None]:
        """Return the metrics of the validation images."""
        validated, bad = self.engine.validate(self.validation_batches.epoch(0))
        refuse_divergence(validated["loss"] or 0.0, self.progress.epoch, self.recipe, self.progress.epoch)
        self.progress.bad = sorted({*self.engine.gather(self.progress.bad), *self.engine.gather(bad)})
        return validated

    def evaluate_without_training(self) -> None:
        """Validate a network that learns in no epochs, as epoch 0."""
        row = TrainingProgress([{"epoch": 0, "stage": None, **self.validate()}]).history[0]
        self.progress.history = [{**row, "skipped": len(self.progress.bad)}]
        self.record(None)

    def record(self, stage: int | None) -> None:
        """Save the last epoch and print its metrics. Raises FacesError where there is no room."""
        row = self.progress.history[-1]
        if self.recorder:
            self.recorder.write(self.progress, stage)
        self.say(format_epoch(row, self.recipe.epochs))
        if self.options.after_epoch:
            self.options.after_epoch(row)

    def prepare(self, resume: bool, held: ExitStack) -> EpochPosition | None:
        """Read the images, build the network, and start the run or find where it stopped; return the epoch to do next.

        None where there is none left.
        """
        recipe, engine, out = self.recipe, self.engine, self.run.folder
        if resume:
            self.run = Run.open(out)
            if self.main:
                held.enter_context(self.run.training())
                self.run = Run.reopen(out, recipe)
        elif self.main:
            refuse_existing(out, RESUME_OR_REPLACE)
            refuse_inside(out, identity_root(self.data))
        self.workers = self.choose_workers()
        self.faces, self.validation = self.options.read(self.data, recipe)
        refuse_unpaired(recipe, self.validation)
        engine.build(self.faces, self.workers, resume)
        self.batches = self.make_loader(self.faces, True)
        self.validation_batches = self.make_loader(self.validation, False)
        position = self.continue_run() if resume else self.begin_run(held)
        self.recorder = RunRecorder(self.run, recipe, engine, self.options.tensorboard) if self.main else None
        return position

    def begin_run(self, held: ExitStack) -> EpochPosition | None:
        """Make the folder of a new run, whole or not at all."""
        engine, faces, position = self.engine, self.faces, next_epoch(self.recipe, [])
        stage = None if position is None else position.stage
        if stage is not None:
            engine.begin_stage(stage)
        if self.main:
            held.enter_context(self.run.training())
            refuse_existing(self.run.folder, RESUME_OR_REPLACE)  # another process may have made it meanwhile
            with new_folder(self.run.folder) as folder:
                begun = Run.create(folder, self.recipe, faces.names, self.data, faces.fingerprint, faces.preparation)
                engine.save_weights(begun.best_weights)
                save_checkpoint(begun, engine, self.progress, stage)
        engine.wait()
        return position

    def continue_run(self) -> EpochPosition | None:
        """Put the engine where the run stopped. Raises FacesError for a checkpoint that is not this run's."""
        self.run.refuse_others(self.faces.names, self.faces.fingerprint)
        path = self.run.checkpoint_file
        notes = read_notes(path)
        try:
            self.progress = TrainingProgress(**{"updates": notes.get("updates", 0), **notes["progress"]})
            position = next_epoch(self.recipe, self.progress.history)
            self.engine.load(path, notes, position)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise FacesError(
                f"{path}: not a checkpoint of this run ({error}); start the run again in another folder"
            ) from error
        self.engine.set_totals(self.progress.totals)
        return position

    def choose_workers(self) -> int:
        """Return the number of loading processes: as many as suit the engine, unless the user chose.

        Raises FacesError for more than the machine can run.
        """
        processors, workers = available_processors(), self.options.workers
        if workers is None:
            return self.engine.default_workers(processors // self.engine.processes)
        if workers > (most := MAX_WORKERS_PER_PROCESSOR * processors):
            raise FacesError(
                f"--workers {workers}: expected at most {most}, {MAX_WORKERS_PER_PROCESSOR} for each of the "
                f"{processors} processors here"
            )
        return workers

    def make_loader(self, faces: Faces, training: bool) -> EpochLoader:
        """Return a loader of this process's shards."""
        batches = ShardedBatches(faces, self.recipe, training, self.engine.rank, self.engine.processes)
        return EpochLoader(batches, min(self.workers, len(batches)), pin=self.engine.pinned)

    def note_bad_images(self, bad: list[str]) -> None:
        """Name images that could not be read, each once."""
        for problem in set(bad) - set(self.progress.bad):
            self.progress.bad.append(problem)
            say(f"note: skipped: {problem}")

    def describe_stage(self, stage: int) -> None:
        """Print what is trained in a stage."""
        stages = self.recipe.planned_stages
        everything, trained = self.engine.count_parameters()
        self.say(
            f"stage {stage + 1} of {len(stages)}, {format_count(stages[stage].epochs, 'epoch')}: {trained:,} of "
            f"{everything:,} parameters"
        )

    def print_summary(self) -> None:
        """Print how long the run took, its best epoch, and how many images were skipped."""
        progress = self.progress
        took = f"{self.run.folder}: {format_count(progress.epoch, 'epoch')} in {format_duration(progress.seconds)}"
        if not self.recipe.epochs:
            took = f"{self.run.folder}: class means of {format_count(len(self.faces), 'image')}, no training"
        best, name = progress.best[progress.select], {"top1": "top-1", "eer": "EER"}[progress.select]
        self.say(took if best is None else f"{took}; best {name} {best:.1%}")
        if progress.bad:
            skipped = format_count(len(progress.bad), "image")
            self.say(f"{skipped} could not be read, skipped; the first: {progress.bad[0]}")


def refuse_unpaired(recipe: Recipe, validation: Faces) -> None:
    """Raise FacesError where epochs are to be compared by an EER that the validation images cannot have."""
    if recipe.training.select == "eer" and len(validation):
        counts = np.bincount(validation.labels)
        if counts.max() < 2 or (counts > 0).sum() < 2:
            raise FacesError(
                f"training.select=eer: the {len(validation)} validation images show no person twice, or only one "
                "person; expected pairs of both kinds: set split.train lower, or training.select=top1"
            )


def read_notes(path: Path) -> dict[str, Any]:
    """Return the notes of a checkpoint. Raises FacesError for a file that is not one."""
    try:
        with safe_open(path, framework="numpy") as file:
            notes: dict[str, Any] = json.loads(file.metadata()["training"])
            return notes
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise FacesError(f"{path}: not a checkpoint that can be read ({error}); start the run again") from error


@contextmanager
def explain_out_of_memory(recipe: Recipe, processes: int) -> Iterator[None]:
    """Turn running out of memory, the GPU's or the machine's, into a FacesError that says what to set."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # PyTorch's is a RuntimeError
        says_memory = "can't allocate memory" in str(error) or "out of memory" in str(error)
        if not says_memory and not isinstance(error, MemoryError):
            raise
        part = max(1, recipe.batch_size // processes // recipe.training.accumulate)
        half = max(2, recipe.batch_size // 2)
        raise FacesError(
            f"out of memory with {part} images of {recipe.data.size[0]} x {recipe.data.size[1]} at a time: try "
            f"--set training.accumulate={recipe.training.accumulate * 2}, which learns from the same batches in "
            f"smaller parts, or --batch-size {half}; in another --out, because that is another recipe"
        ) from error
