"""What a run's folder holds, read once: recipe, history, figures, evaluation and verification, as far as they exist.

What a run's network is made of: parameters, FLOPs, and its parts in order.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.model_settings import TransferModel
from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.files import read_json
from experiments.run import Run
from experiments.training.schedule import next_epoch


@dataclass(frozen=True)
class Piece:
    """A part of a network: its name, what it gives for one picture (nothing where that is not known), parameters."""

    name: str
    output: str
    parameters: int


@dataclass(frozen=True)
class Anatomy:
    """A network's parameters, its FLOPs for one picture, and its parts from the input to the head."""

    parameters: int
    flops: int
    pieces: list[Piece]


def anatomy(run: Run) -> Anatomy | None:
    """Of a run's network, built from its recipe and filled with its weights; None where the folder has no weights."""
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
        pieces = [
            Piece(row.kind, " × ".join(map(str, row.output_shape)), row.parameters) for row in rows if row.depth == 1
        ]
    else:
        pieces = [
            Piece(name, "", sum(p.numel() for p in part.parameters()))
            for name, part in named_parts(trained.network).items()
        ]
    return Anatomy(costs.parameters, costs.flops, pieces)


Figures = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """What `faces evaluate` left: its figures, each person's share right, who was taken for whom, two pictures."""

    figures: Figures
    people: list[Figures]
    confused: list[Figures]
    confusion: Path | None
    hardest: Path | None


@dataclass(frozen=True, eq=False)
class Verification:
    """What `faces verify` left: its figures and each pair's (similarity, whether it is one person)."""

    figures: Figures
    scores: list[tuple[float, bool]]


@dataclass(frozen=True, eq=False)
class RunFacts:
    """A run, read. name: the end of its path that tells it from the others; number: its place in the report, from 1.

    history: a row an epoch, blanks being None.
    """

    run: Run
    recipe: Recipe
    people: list[str]
    environment: Figures
    metrics: Figures
    history: list[Figures]
    anatomy: Anatomy | None
    evaluation: Evaluation | None
    verification: Verification | None
    name: str = ""
    number: int = 0

    @property
    def pytorch(self) -> bool:
        """Whether its network is PyTorch's, and so has embeddings."""
        return isinstance(self.recipe.model, TransferModel)

    @property
    def learned(self) -> bool:
        """Whether there were epochs: class means have none."""
        return any(row["epoch"] for row in self.history)

    @property
    def complete(self) -> bool:
        """Whether it has all epochs of its recipe, or stopped early as its recipe says."""
        if self.pytorch:
            return next_epoch(self.recipe, self.history) is None
        return len(self.history) >= self.recipe.epochs

    @property
    def pictures(self) -> str:
        """The fingerprint of the pictures that it learned from."""
        return str(self.environment.get("pictures", ""))

    @property
    def data(self) -> str:
        """The folder that it learned from, as it was typed."""
        return str(self.environment.get("data", ""))

    @property
    def folder(self) -> str:
        """The run's folder, as it was typed."""
        return str(self.run.folder)


def read_run(folder: str | os.PathLike[str]) -> RunFacts:
    """Read a run's folder. Raises FacesError where it is none, no epoch is done, or a file in it cannot be read."""
    run = Run.open(folder)
    if not run.metrics_file.is_file() or not run.history_file.is_file():
        raise FacesError(f"{run.folder}: no epoch is done; go on with the run by `faces train ... --resume`")
    recipe, people = run.recipe(), run.classes()
    environment = run.folder / "environment.json"
    return RunFacts(
        run=run,
        recipe=recipe,
        people=people,
        environment=read_json(environment) if environment.is_file() else {},
        metrics=read_json(run.metrics_file),
        history=[{name: _number(text) for name, text in row.items()} for row in _read_csv(run.history_file)],
        anatomy=anatomy(run),
        evaluation=_evaluation(run.folder / "evaluation"),
        verification=_verification(run.folder / "verification"),
    )


def _evaluation(folder: Path) -> Evaluation | None:
    if not (folder / "evaluation.json").is_file():
        return None
    tables = [
        _read_csv(path) if (path := folder / name).is_file() else [] for name in ("identities.csv", "confused.csv")
    ]
    pictures = [path if (path := folder / name).is_file() else None for name in ("confusion.png", "hardest.png")]
    return Evaluation(read_json(folder / "evaluation.json"), tables[0], tables[1], *pictures)


def _verification(folder: Path) -> Verification | None:
    if not (folder / "verification.json").is_file():
        return None
    scores = folder / "scores.csv"
    rows = _read_csv(scores) if scores.is_file() else []
    try:
        pairs = [(float(row["similarity"]), row["match"] == "1") for row in rows]
    except (KeyError, ValueError) as error:
        raise FacesError(f"{scores}: not scores as `faces verify` writes them ({error}): verify anew") from error
    return Verification(read_json(folder / "verification.json"), pairs)


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FacesError(f"{path}: cannot be read as CSV ({error}); was the file edited?") from error


def _number(text: str | None) -> float | None:
    """A field of the history. The epoch, the stage and what was left out are whole numbers, and read as such."""
    if text in (None, ""):
        return None
    try:
        return int(text) if str(text).isdigit() else float(str(text))
    except ValueError as error:
        raise FacesError(f"history.csv: {text!r} is no number; was the file edited?") from error
