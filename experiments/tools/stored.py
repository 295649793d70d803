"""What commands left in a run's folder, read back: only regular files inside the folder, parsed and checked."""

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from experiments.errors import FacesError
from experiments.files import Stored, file_inside
from experiments.run import Count, Fraction, Positive, Run


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
    """Return a run's history: a dictionary for each epoch, None for what was not measured. Raises as `Run.history`."""
    frame = run.history()
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
