"""A run of a transfer network, made ready: its pictures, its network, its folder, new or where it stopped."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces, Read, read_split
from experiments.data.identities import identity_root
from experiments.data.images import available_processors
from experiments.data.loader import Loader, Shares
from experiments.progress import say
from experiments.run import Run, new_folder, refuse_existing, refuse_inside
from experiments.training.build_model import build_face_net
from experiments.training.checkpoint import FaceProgress, load_state, read_progress, save_state, save_tensors
from experiments.training.continuation import warning
from experiments.training.face_record import Recorder
from experiments.training.groups import count
from experiments.training.prototypes import start_head, wants_prototypes
from experiments.training.schedule import Place, next_place
from experiments.training.torch_learner import FaceLearner, accelerator_for
from experiments.training.validation import refuse_unpaired

SAVE_SECONDS = 600.0
"""A checkpoint within an epoch, so often."""


@dataclass(frozen=True)
class Options:
    """What no figure depends on. workers: processes that read and augment; none: as many as suit the machine.

    after_epoch: called with each epoch's row of the history once it is on disk; what it raises ends the training.
    read: what gives the pictures, as read_split does.
    """

    workers: int | None = None
    tensorboard: bool = False
    save_seconds: float = SAVE_SECONDS
    after_epoch: Callable[[dict[str, Any]], object] | None = None
    read: Read = read_split


USUAL = Options()
"""Options where nobody asks for any."""


class Session:
    """What a training works with: its learner, its pictures, and its folder, which the first process alone writes."""

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
        self.faces, self.validation = self.options.read(self.data, recipe)
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

    def note(self, bad: list[str]) -> None:
        """Name the pictures that could not be read, each once."""
        for problem in set(bad) - set(self.progress.bad):
            self.progress.bad.append(problem)
            say(f"note: left out: {problem}")

    def save_within(self, step: int, sums: tuple[float, float, int], seconds: float, place: Place) -> None:
        """A checkpoint in the middle of an epoch."""
        self.progress.step, self.progress.totals = step, [float(value) for value in sums]
        self.progress.seconds += seconds
        save_state(self.run.checkpoint, self.learner, self.progress, place.stage)

    def describe(self, stage: int) -> None:
        """A line about a stage: what trains in it."""
        settings, plan = self.recipe.plan[stage], self.recipe.plan
        everything, trains = count(self.learner.network)
        self.say(f"stage {stage + 1} of {len(plan)}, {settings.epochs} epochs: {trains:,} of {everything:,} parameters")
