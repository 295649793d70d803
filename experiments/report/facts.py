"""What a run's folder holds, read once: recipe, history, metrics, network, and what was evaluated and verified."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.files import file_inside, read_stored
from experiments.run import (
    EvaluationMetrics,
    Run,
    RunEnvironment,
    RunMetrics,
    VerificationMetrics,
    read_history,
    read_table,
)
from experiments.training.schedule import TrainingProgress, next_epoch


@dataclass(frozen=True)
class NetworkPart:
    """A part of a network: its name, its output's shape for one image (empty: not known), and its parameters."""

    name: str
    output: str
    parameters: int


@dataclass(frozen=True)
class Anatomy:
    """A network's parameters, its FLOPs for one image, and its parts from the input to the head."""

    parameters: int
    flops: int
    parts: list[NetworkPart]


@dataclass(frozen=True)
class PersonFacts:
    """A person of the evaluation: how many images, and how many of them were classified correctly."""

    name: str
    images: int
    right: int

    @property
    def top1(self) -> float:
        """Return the fraction classified correctly."""
        return self.right / self.images


@dataclass(frozen=True)
class Confusion:
    """How many times a person was taken for another, out of how many of their images."""

    true: str
    predicted: str
    times: int
    images: int


@dataclass(frozen=True)
class EvaluationFacts:
    """What `faces evaluate` left: metrics, people, confusions from the most common on, and two sheets."""

    metrics: EvaluationMetrics
    people: list[PersonFacts]
    confusions: list[Confusion]
    confusion_sheet: Path | None
    hardest_sheet: Path | None

    @property
    def wrong(self) -> int:
        """Return how many images were classified incorrectly."""
        if self.people:
            return sum(person.images - person.right for person in self.people)
        return round(self.metrics.images * (1 - self.metrics.top1))


@dataclass(frozen=True, eq=False)
class VerificationFacts:
    """What `faces verify` left: metrics, and each pair's similarity and whether it shows one person."""

    metrics: VerificationMetrics
    scores: list[tuple[float, bool]]


@dataclass(frozen=True, eq=False)
class RunFacts:
    """A run, read. name: the end of its path that tells it from the others.

    history: a dictionary for each epoch, None for what was not measured.
    """

    run: Run
    recipe: Recipe
    people: list[str]
    environment: RunEnvironment
    metrics: RunMetrics
    history: list[dict[str, Any]]
    anatomy: Anatomy | None
    evaluation: EvaluationFacts | None
    verification: VerificationFacts | None
    name: str = ""

    @property
    def pytorch(self) -> bool:
        """Whether its network is built in PyTorch."""
        return self.recipe.model.library == "torch"

    @property
    def learned(self) -> bool:
        """Whether there were epochs: class means have none."""
        return any(row["epoch"] for row in self.history)

    @property
    def has_curve(self) -> bool:
        """Whether its history has at least two epochs: a curve of one point would be empty."""
        return self.learned and len(self.history) > 1

    @property
    def complete(self) -> bool:
        """Whether it has all epochs of its recipe, or stopped early as its recipe says."""
        return next_epoch(self.recipe, TrainingProgress(self.history).history) is None

    @property
    def verified(self) -> VerificationMetrics:
        """The metrics of its verification, which it must have."""
        assert self.verification is not None
        return self.verification.metrics

    @property
    def started(self) -> str:
        """When it was started, as 2026-01-31 09:30:00 (UTC); empty where that is not known."""
        return self.environment.started.replace("T", " ").rstrip("Z")

    @property
    def folder(self) -> str:
        """The run's folder, as it was typed."""
        return str(self.run.folder)


def read_run(folder: str | os.PathLike[str]) -> RunFacts:
    """Read a run's folder. Raises FacesError where it is none, no epoch is done, or a file in it cannot be read."""
    run = Run.open(folder)
    metrics, history = run.metrics(), read_history(run)
    for name in ("recipe.yaml", "classes.json", run.best_weights.name):
        file_inside(run.folder, name)
    return RunFacts(
        run=run,
        recipe=run.recipe(),
        people=run.classes(),
        environment=run.environment(),
        metrics=metrics,
        history=history,
        anatomy=_read_anatomy(run),
        evaluation=_read_evaluation(run),
        verification=_read_verification(run),
    )


def _read_anatomy(run: Run) -> Anatomy | None:
    """Build the network from its recipe and weights; None where the folder has no weights."""
    if not run.best_weights.is_file():
        return None
    from experiments.inference.model import TrainedModel
    from experiments.tools.compare import cost
    from models.stages import named_parts
    from mytorch import nn as ours
    from mytorch import summary

    trained = TrainedModel.open(run.folder, "cpu")
    costs = cost(trained)
    if isinstance(trained.network, ours.Module):
        rows = summary(trained.network, (3, *trained.recipe.data.size)).rows
        layers = [row for row in rows if row.depth == 1]
        parts = [NetworkPart(row.kind, " × ".join(map(str, row.output_shape)), row.parameters) for row in layers]
    else:
        modules = named_parts(trained.network).items()
        parts = [NetworkPart(name, "", sum(p.numel() for p in module.parameters())) for name, module in modules]
    return Anatomy(costs.parameters, costs.flops, parts)


def _read_evaluation(run: Run) -> EvaluationFacts | None:
    remedy = f"evaluate again: faces evaluate {run.folder} --data DATA"
    metrics = read_stored(EvaluationMetrics, run.folder, "evaluation/evaluation.json", remedy)
    if metrics is None:
        return None
    columns: dict[str, type] = {"identity": str, "images": int, "right": int}
    people = read_table(run.folder, "evaluation/identities.csv", columns, remedy, metrics.files)
    columns = {"true": str, "taken_for": str, "times": int, "of": int}
    confused = read_table(run.folder, "evaluation/confused.csv", columns, remedy, metrics.files)
    if people is not None and not ((people["images"] > 0) & people["right"].between(0, people["images"])).all():
        raise FacesError(
            f"{run.folder}/evaluation/identities.csv: a person has more right images than images; {remedy}"
        )
    return EvaluationFacts(
        metrics,
        [] if people is None else [PersonFacts(*row) for row in people[["identity", "images", "right"]].to_numpy()],
        [] if confused is None else [Confusion(*row) for row in confused[list(columns)].to_numpy()],
        _image_inside(run, "evaluation/confusion.png", remedy),
        _image_inside(run, "evaluation/hardest.png", remedy),
    )


def _image_inside(run: Run, name: str, remedy: str) -> Path | None:
    """An image of the run's folder, which is one: nothing else may get into a report."""
    path = file_inside(run.folder, name)
    if path is not None:
        try:
            with Image.open(path, formats=("PNG",)) as image:
                image.verify()
        except (OSError, SyntaxError, ValueError) as error:
            raise FacesError(f"{path}: not a PNG image ({error}); {remedy}") from error
    return path


def _read_verification(run: Run) -> VerificationFacts | None:
    remedy = f"verify again: faces verify {run.folder} --pairs PAIRS --images DIR"
    metrics = read_stored(VerificationMetrics, run.folder, "verification/verification.json", remedy)
    if metrics is None:
        return None
    columns: dict[str, type] = {"match": int, "similarity": float}
    scores = read_table(run.folder, "verification/scores.csv", columns, remedy, metrics.files)
    if scores is None:
        return VerificationFacts(metrics, [])
    matches = scores["match"] == 1
    if matches.all() or not matches.any() or not scores["similarity"].between(-1.1, 1.1).all():
        raise FacesError(
            f"{run.folder}/verification/scores.csv: expected similarities from -1 to 1 of pairs of both kinds; {remedy}"
        )
    return VerificationFacts(metrics, list(zip(scores["similarity"].tolist(), matches.tolist(), strict=True)))
