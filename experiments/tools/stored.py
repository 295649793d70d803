"""What commands left in a run's folder, read back: only regular files inside the folder, parsed and checked."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiments.errors import FacesError
from experiments.run import Run

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]

FRACTIONS = ("train_top1", "top1", "top5", "eer")
"""Columns of history.csv that are fractions of images or pairs."""


class Stored(BaseModel):
    """Fields of a JSON file that are read back; others are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class RunMetrics(Stored):
    """metrics.json: the metrics of the last epoch, and of the best one. None: not measured."""

    epoch: Count
    seconds: Positive = 0.0
    top1: Fraction | None = None
    top5: Fraction | None = None
    loss: Positive | None = None
    best_epoch: Count | None = None
    best_top1: Fraction | None = None
    images_per_second: Positive | None = None
    skipped: Count = 0


class EvaluationMetrics(Stored):
    """evaluation.json, as `faces evaluate` writes it."""

    top1: Fraction
    top5: Fraction
    loss: Positive
    images: Count
    identities: Annotated[int, Field(ge=1)]
    top1_interval: tuple[Fraction, Fraction] | None = None
    ece: Fraction | None = None
    ece_tempered: Fraction | None = None
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    views: str = "none"


class VerificationMetrics(Stored):
    """verification.json, as `faces verify` writes it."""

    eer: Fraction
    auc: Fraction
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    tar_at_far: dict[str, Fraction]
    genuine: Annotated[int, Field(ge=1)]
    impostor: Annotated[int, Field(ge=1)]
    pairs_file: str
    people: Count | None = None
    lfw_accuracy: Fraction | None = None
    intervals: dict[str, tuple[Fraction, Fraction]] = Field(default_factory=dict)
    not_supported: list[str] = Field(default_factory=list)


class Environment(Stored):
    """environment.json: how a run was made."""

    command: str = ""
    data: str = ""
    started: str = ""
    python: str = ""
    packages: dict[str, str] = Field(default_factory=dict)
    machine: str = ""
    processors: Count | None = None
    pictures: str = ""


StoredT = TypeVar("StoredT", bound=Stored)


def file_inside(folder: Path, name: str) -> Path | None:
    """Return a regular file of a folder, or None where there is none.

    Raises FacesError for a link that leaves the folder, which could bring any file into a report, and for what is no
    file, such as a pipe.
    """
    path = folder / name
    if not path.exists() and not path.is_symlink():
        return None
    if not path.resolve().is_relative_to(folder.resolve()):
        raise FacesError(f"{path} is a link to {path.resolve()}, outside of {folder}: put the file itself there")
    if not path.is_file():
        raise FacesError(f"{path} is not a regular file: remove it, and run the command that writes it again")
    return path


def read_stored(model: type[StoredT], folder: Path, name: str, remedy: str) -> StoredT | None:
    """Read a JSON file of a folder, or return None where there is none.

    Raises FacesError, with the remedy, where it cannot be read, or a field is missing or has an impossible value.
    """
    path = file_inside(folder, name)
    if path is None:
        return None
    try:
        return model.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        where = f"{field} is {first['input']!r}: {first['msg']}" if field else first["msg"]
        raise FacesError(f"{path}: {where}; was the file cut off, or edited? {remedy}") from error
    except (OSError, ValueError) as error:
        raise FacesError(f"{path}: cannot be read as JSON ({error}); {remedy}") from error


def read_metrics(run: Run) -> RunMetrics:
    """Read a run's metrics.json. Raises FacesError where no epoch is done, and as `read_stored` does."""
    resume = f"continue the run with `faces train ... --out {run.folder} --resume`"
    found = read_stored(RunMetrics, run.folder, run.metrics_file.name, f"{resume}, or train again")
    if found is None:
        raise FacesError(f"{run.folder}: no epoch is done; {resume}")
    return found


def read_table(folder: Path, name: str, columns: dict[str, type], remedy: str) -> pd.DataFrame | None:
    """Read columns of a CSV file of a folder as the given types, or return None where there is none.

    Text is kept as it is written: a person may be called 007 or NA. Raises FacesError, with the remedy, for a file
    that is no such table.
    """
    path = file_inside(folder, name)
    if path is None:
        return None
    try:
        frame = pd.read_csv(path, usecols=list(columns), dtype=columns, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise FacesError(f"{path}: not a table with {', '.join(columns)} ({error}); {remedy}") from error
    return frame


def read_history(run: Run) -> list[dict[str, Any]]:
    """Read a run's history.csv: a dictionary for each epoch, None for what was not measured.

    Raises FacesError where there is none, or a cell is not a number that its column can have.
    """
    path = file_inside(run.folder, run.history_file.name)
    if path is None:
        raise FacesError(f"{run.folder}: no epoch is done; continue the run with `faces train ... --resume`")
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise FacesError(f"{path}: cannot be read as CSV ({error}); was the file edited?") from error
    if "epoch" not in frame or frame.empty:
        raise FacesError(f"{path}: expected a column `epoch`, and a row for each; was the file edited?")
    for name, column in frame.items():
        if not pd.api.types.is_numeric_dtype(column):
            text = next(value for value in column if isinstance(value, str))
            raise FacesError(f"{path}: {text!r} in the column {name} is not a number; was the file edited?")
        if name in FRACTIONS and not column.dropna().between(0, 1).all():
            raise FacesError(f"{path}: the column {name} has values outside of 0 to 1; was the file edited?")
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
