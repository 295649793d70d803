"""A training run of a transfer network, prepared: its images, its network and its folder, new or to be resumed."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces, SplitReader, read_split
from experiments.data.folders import identity_root
from experiments.data.images import available_processors
from experiments.data.loader import EpochLoader, ShardedBatches
from experiments.errors import FacesError
from experiments.files import new_folder, refuse_existing, refuse_inside
from experiments.progress import say
from experiments.run import RESUME_OR_REPLACE, Run
from experiments.training.build_model import build_face_net, warn_of_other_split
from experiments.training.prototypes import init_head_from_prototypes, starts_from_prototypes
from experiments.training.schedule import EpochPosition, next_epoch
from experiments.training.torch_checkpoint import (
    TorchProgress,
    load_torch_checkpoint,
    read_progress,
    save_tensors,
    save_torch_checkpoint,
)
from experiments.training.torch_learner import TorchLearner, count_parameters, make_accelerator

SAVE_SECONDS = 600.0
"""Seconds between checkpoints within an epoch."""

MAX_DEFAULT_WORKERS = 16
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


class TrainSession:
    """What training works with: a learner, the images, and the run's folder, which only the first process writes.

    A context: it holds the run's lock until its block ends.
    """

    def __init__(
        self, recipe: Recipe, data: str | os.PathLike[str], out: str | os.PathLike[str], options: TrainOptions
    ):
        self.recipe, self.options, self.data = recipe, options, Path(data)
        self.accelerator = make_accelerator(recipe, options.device)
        self.main = self.accelerator.is_main_process
        self.run = Run(out)
        self.say: Callable[[str], None] = say if self.main else lambda text: None
        self.progress = TorchProgress(select=recipe.training.select)
        self.parameters = 0
        self._held = ExitStack()

    def __enter__(self) -> "TrainSession":
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def prepare(self, resume: bool) -> EpochPosition | None:
        """Read the images, build the network, and start the run or find where it stopped; return the epoch to do next.

        None where there is none left.
        """
        recipe, out = self.recipe, self.run.folder
        if resume:
            self.run = Run.open(out)
            if self.main:
                self._held.enter_context(self.run.training())
                self.run = Run.reopen(out, recipe)
        elif self.main:
            refuse_existing(out, RESUME_OR_REPLACE)
            refuse_inside(out, identity_root(self.data))
        workers = self._choose_workers()
        self.faces, self.validation = self.options.read(self.data, recipe)
        refuse_unpaired(recipe, self.validation)
        if not resume and (warning := warn_of_other_split(recipe)):
            self.say(warning)
        torch.manual_seed(recipe.seed)
        network = build_face_net(recipe.torch_model, len(self.faces.names), pretrained=not resume)
        self.learner = TorchLearner(recipe, network, self.accelerator)
        self.parameters = count_parameters(network)[0]
        self.batches = self._make_loader(self.faces, True, workers)
        self.validation_batches = self._make_loader(self.validation, False, workers)
        return self._resume() if resume else self._begin(workers)

    def _choose_workers(self) -> int:
        """Return the number of loading processes: many for a GPU, one for a CPU, unless the user chose.

        Raises FacesError for more than the machine can run.
        """
        processors = available_processors()
        if self.options.workers is not None:
            most = MAX_WORKERS_PER_PROCESSOR * processors
            if self.options.workers > most:
                raise FacesError(
                    f"--workers {self.options.workers}: expected at most {most}, {MAX_WORKERS_PER_PROCESSOR} for each "
                    f"of the {processors} processors here"
                )
            return self.options.workers
        processors //= self.accelerator.num_processes
        if self.accelerator.device.type == "cuda":
            return max(1, min(MAX_DEFAULT_WORKERS, processors))
        return max(0, min(1, processors - 1))

    def _make_loader(self, faces: Faces, training: bool, workers: int) -> EpochLoader:
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        batches = ShardedBatches(faces, self.recipe, training, rank, processes)
        return EpochLoader(batches, min(workers, len(batches)), pin=self.accelerator.device.type == "cuda")

    def _begin(self, workers: int) -> EpochPosition | None:
        """Make the folder of a new run, whole or not at all."""
        learner, faces, position = self.learner, self.faces, next_epoch(self.recipe, [])
        if starts_from_prototypes(self.recipe):
            init_head_from_prototypes(learner.eval_network, faces, self.recipe, workers)
            learner.network.load_state_dict(learner.eval_network.state_dict())
        if position is not None:
            learner.begin_stage(position.stage)
        if self.main:
            self._held.enter_context(self.run.training())
            refuse_existing(self.run.folder, RESUME_OR_REPLACE)  # another process may have made it meanwhile
            with new_folder(self.run.folder) as folder:
                begun = Run.create(folder, self.recipe, faces.names, self.data, faces.fingerprint, faces.preparation)
                save_tensors(learner.eval_network.state_dict(), begun.best_weights)
                stage = None if position is None else position.stage
                save_torch_checkpoint(begun.checkpoint_file, learner, self.progress, stage)
        self.accelerator.wait_for_everyone()
        return position

    def _resume(self) -> EpochPosition | None:
        """Put the learner where the run stopped."""
        self.run.refuse_others(self.faces.names, self.faces.fingerprint)
        position = next_epoch(self.recipe, read_progress(self.run.checkpoint_file).history)
        self.progress = load_torch_checkpoint(self.run.checkpoint_file, self.learner, position)
        return position

    def note_bad_images(self, bad: list[str]) -> None:
        """Name images that could not be read, each once."""
        for problem in set(bad) - set(self.progress.bad):
            self.progress.bad.append(problem)
            say(f"note: skipped: {problem}")

    def save_mid_epoch(
        self, step: int, sums: tuple[float, float, int], seconds: float, position: EpochPosition
    ) -> None:
        """Save a checkpoint in the middle of an epoch. sums: of loss, right answers and images so far."""
        self.progress.step, self.progress.totals = step, [float(value) for value in sums]
        self.progress.seconds += seconds
        save_torch_checkpoint(self.run.checkpoint_file, self.learner, self.progress, position.stage)

    def describe_stage(self, stage: int) -> None:
        """Print what is trained in a stage."""
        stages = self.recipe.planned_stages
        everything, trained = count_parameters(self.learner.network)
        self.say(
            f"stage {stage + 1} of {len(stages)}, {stages[stage].epochs} epochs: {trained:,} of {everything:,} "
            "parameters"
        )


def refuse_unpaired(recipe: Recipe, validation: Faces) -> None:
    """Raise FacesError where epochs are to be compared by an EER that the validation images cannot have."""
    if recipe.training.select == "eer" and len(validation):
        counts = np.bincount(validation.labels)
        if counts.max() < 2 or (counts > 0).sum() < 2:
            raise FacesError(
                f"training.select=eer: the {len(validation)} validation images show no person twice, or only one "
                "person; expected pairs of both kinds: set split.train lower, or training.select=top1"
            )
