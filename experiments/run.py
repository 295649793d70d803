"""A run's folder: the recipe, the history, the metrics and the weights of one training, and what commands add to it.

What is read back is parsed and checked, and only regular files inside the folder are read.
"""

import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from experiments.config.recipe import Recipe
from experiments.data.preparation import Preparation, parse_preparation
from experiments.errors import FacesError, suggest_path
from experiments.files import (
    Stored,
    content_digest,
    file_digest,
    file_inside,
    locked,
    read_names,
    read_stored,
    refuse_existing,
    require_unchanged,
    write_csv,
    write_json,
    write_signed,
    write_text,
)

if TYPE_CHECKING:
    import pandas as pd

RUN_FILES = ("recipe.yaml", "classes.json")
_GET_COPY = "get it from a copy"
RESUME_OR_REPLACE = "resume it with --resume"
TEMPORARY_NAME = re.compile(r"\..+\.[0-9a-f]{8}(\.[a-z]+)?|\.tmp\w{6}")
"""How `mytorch.files.atomic_write` names a file until it is complete, and safetensors what it writes for that."""


Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]

FRACTIONS = ("train_top1", "top1", "top5", "eer")
"""Columns of history.csv that are fractions of images or pairs."""


class SignedHistory(Stored):
    """The rows of history.csv that metrics.json was written with: how many bytes they take, and their digest."""

    length: Count
    digest: str


class RunMetrics(Stored):
    """metrics.json: the metrics of the last epoch, and which epoch was best. None where nothing was measured.

    top1, top5, best_eer: fractions. loss: nats. seconds: of training. skipped: images that could not be read.
    """

    epoch: Count
    top1: Fraction | None = None
    top5: Fraction | None = None
    loss: Positive | None = None
    images_per_second: Positive | None = None
    skipped: Count = 0
    best_top1: Fraction | None = None
    best_eer: Fraction | None = None
    best_epoch: Count | None = None
    seconds: Positive = 0.0
    parameters: Count | None = None
    history: SignedHistory | None = None


class RunEnvironment(Stored):
    """environment.json: what the run was trained with and on.

    images: fingerprint of the training images. preparation: how they were prepared.
    files: digests of recipe.yaml and classes.json, which are as they were when the run began.
    """

    command: str = ""
    seed: Count = 0
    data: str = ""
    started: str = ""
    python: str = ""
    packages: dict[str, str] = Field(default_factory=dict)
    machine: str = ""
    processors: Count | None = None
    images: str = ""
    preparation: dict[str, Any] | None = None
    files: dict[str, str] = Field(default_factory=dict)


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
    files: dict[str, str] = Field(default_factory=dict)


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
    files: dict[str, str] = Field(default_factory=dict)


class Run:
    """The files of a run.

    recipe.yaml: every setting. classes.json: the people, by label. environment.json: versions, hardware, seed, command.
    history.csv: one row per epoch. metrics.json: the metrics of the last epoch, and which was best.
    checkpoint.safetensors: what resuming needs. best.safetensors: the weights of the best epoch, for use;
    last.safetensors: those of the last epoch. curves.png, log.txt.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.checkpoint_file = self.folder / "checkpoint.safetensors"
        self.best_weights = self.folder / "best.safetensors"
        self.last_weights = self.folder / "last.safetensors"
        self.history_file = self.folder / "history.csv"
        self.metrics_file = self.folder / "metrics.json"
        self.environment_file = self.folder / "environment.json"
        self.curves_file = self.folder / "curves.png"

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        recipe: Recipe,
        classes: Sequence[str],
        data: Path,
        images: str = "",
        preparation: Preparation | None = None,
    ) -> "Run":
        """Start a run in a new or empty folder. Raises FacesError for any other, or where it cannot be made.

        data: the folder that it learns from. images: the fingerprint of the training images. preparation: how the
        images were prepared.
        """
        run = cls(folder)
        refuse_existing(run.folder, RESUME_OR_REPLACE)
        run.folder.mkdir(parents=True, exist_ok=True)
        write_text(run.folder / "recipe.yaml", recipe.dump())
        write_json(run.folder / "classes.json", list(classes))
        prepared = {} if preparation is None else {"preparation": preparation.model_dump(mode="json")}
        files = {name: file_digest(run.folder / name) for name in RUN_FILES}
        write_signed(run.environment_file, {**_environment(recipe, data), "images": images, **prepared, "files": files})
        return run

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Run":
        """Open an existing run. Raises FacesError for any other folder."""
        run = cls(folder)
        missing = [name for name in RUN_FILES if not (run.folder / name).is_file()]
        if missing:
            absent = "is a file, expected a run's folder" if run.folder.exists() else "no such folder"
            what = "has no " + " and no ".join(missing) if run.folder.is_dir() else absent
            near = None if run.folder.exists() else suggest_path(run.folder)
            remedy = f"did you mean {near}?" if near else "give a folder that `faces train ... --out RUN` made"
            raise FacesError(f"{run.folder}: {what}; {remedy}")
        return run

    @classmethod
    def reopen(cls, folder: str | os.PathLike[str], recipe: Recipe) -> "Run":
        """Open the run to resume, and remove what a killed process left incomplete.

        Raises FacesError where it is another recipe's.
        """
        run = cls.open(folder)
        before, now = run.recipe().model_dump(), recipe.model_dump()
        changed = [f"{key}: {before[key]} before, {now[key]} now" for key in now if before[key] != now[key]]
        if changed:
            raise FacesError(
                f"{run.folder} was made by another recipe; give the same one, or start in another folder\n  "
                + "\n  ".join(changed)
            )
        for path in run.folder.iterdir():
            if TEMPORARY_NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)
        return run

    @contextmanager
    def training(self) -> Iterator[None]:
        """Be the only process that trains this run while the block runs. Raises FacesError where another one does."""
        with locked(self.folder, wait=False):
            yield

    def refuse_others(self, names: Sequence[str], images: str) -> None:
        """Raise FacesError where a run started with other people or images than these."""
        changed = "people" if self.classes() != list(names) else "images"
        if changed == "people" or self.image_fingerprint() != images:
            raise FacesError(
                f"{self.folder}: started with other {changed} than --data has; give the folder that it started with"
            )

    def recipe(self) -> Recipe:
        """Return the recipe of the run. Raises FacesError where it was edited."""
        require_unchanged(self.folder, "recipe.yaml")
        return Recipe.read(self.folder / "recipe.yaml")

    def classes(self) -> list[str]:
        """Return the people, by label. Raises FacesError where they were edited."""
        require_unchanged(self.folder, "classes.json")
        return read_names(self.folder / "classes.json")

    def history(self) -> "pd.DataFrame":
        """Return history.csv: one row per epoch, NaN for what was not measured.

        Rows of an epoch that was not finished are left out. Raises FacesError where there is none, a cell is not a
        number that its column can have, or a row was edited.
        """
        import pandas as pd

        path = file_inside(self.folder, self.history_file.name)
        if path is None:
            raise FacesError(f"{self.folder}: no epoch is done; {self._resume}")
        signed = self.metrics().history if self.metrics_file.exists() else None
        try:
            content = path.read_bytes()[: signed.length if signed else None]
            if signed and content_digest(content) != signed.digest:
                raise FacesError(
                    f"{path}: changed since it was stored, its digest is another; was it edited? {self._resume}"
                )
            texts = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False)
        except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
            raise FacesError(f"{path}: cannot be read as CSV ({error}); was the file edited? {_GET_COPY}") from error
        if "epoch" not in texts or texts.empty:
            raise FacesError(f"{path}: expected a column `epoch`, and a row for each; was the file edited? {_GET_COPY}")
        frame = pd.DataFrame({name: _parse_column(path, str(name), list(texts[name])) for name in texts})
        for name in frame.columns.intersection(FRACTIONS):
            if not frame[name].dropna().between(0, 1).all():
                raise FacesError(
                    f"{path}: the column {name} has values outside of 0 to 1; was the file edited? {_GET_COPY}"
                )
        return frame

    def metrics(self) -> RunMetrics:
        """Return metrics.json. Raises FacesError where no epoch is done, or it cannot be read."""
        found = read_stored(RunMetrics, self.folder, self.metrics_file.name, f"{self._resume}, or train again")
        if found is None:
            raise FacesError(f"{self.folder}: no epoch is done; {self._resume}")
        return found

    def environment(self) -> RunEnvironment:
        """Return environment.json; empty for a run without one. Raises FacesError where it cannot be read."""
        remedy = "remove the file to continue without it"
        return read_stored(RunEnvironment, self.folder, self.environment_file.name, remedy) or RunEnvironment()

    def image_fingerprint(self) -> str:
        """Return the fingerprint of the training images."""
        return self.environment().images

    def preparation(self) -> Preparation | None:
        """Return how the images that it learned from were prepared; None for a run that does not record it."""
        found = self.environment().preparation
        return None if found is None else parse_preparation(found, self.environment_file)

    @property
    def _resume(self) -> str:
        return f"continue the run with `faces train ... --out {self.folder} --resume`"

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write history.csv, whole."""
        write_csv(self.history_file, rows)

    def write_metrics(self, metrics: RunMetrics) -> None:
        """Write metrics.json. It signs history.csv as that is now."""
        content = self.history_file.read_bytes() if self.history_file.is_file() else b""
        signed = SignedHistory(length=len(content), digest=content_digest(content))
        write_signed(self.metrics_file, metrics.model_copy(update={"history": signed}).model_dump(mode="json"))

    def log(self, line: str) -> None:
        """Add a line to log.txt, with the time."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")


def _parse_column(path: Path, name: str, texts: list[str]) -> "pd.Series":
    """Return a column of history.csv as whole numbers, or as numbers that are NaN where the cell is empty."""
    import pandas as pd

    if all(text.isascii() and text.isdigit() and len(text) < 19 for text in texts):
        return pd.Series([int(text) for text in texts])
    values = []
    for text in texts:
        try:
            values.append(float(text or "nan"))  # pandas' own parser may be off by the last digit
        except ValueError:
            raise FacesError(
                f"{path}: {text!r} in the column {name} is not a number; was the file edited? {_GET_COPY}"
            ) from None
    return pd.Series(values)


def _environment(recipe: Recipe, data: Path) -> dict[str, Any]:
    """Return what a reader needs to repeat the run."""
    packages = ("mytorch-faces", "numpy", "torch", "torchvision", "pillow")
    return {
        "command": shlex.join(["faces", *sys.argv[1:]]),
        "seed": recipe.seed,
        "data": str(data),
        "started": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "machine": platform.machine(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def read_table(
    folder: Path, name: str, columns: dict[str, type], remedy: str, digests: Mapping[str, str] = MappingProxyType({})
) -> "pd.DataFrame | None":
    """Read columns of a CSV file of a folder as the given types, or return None where there is none.

    Text is kept as it is written: a person may be called 007 or NA. digests: of the files that were written together
    with this one, by name. Raises FacesError, with the remedy, for a file that is no such table, or was edited.
    """
    import pandas as pd

    path = file_inside(folder, name)
    if path is None:
        return None
    if file_digest(path) != digests.get(path.name, file_digest(path)):
        raise FacesError(f"{path}: changed since it was stored, its digest is another; was it edited? {remedy}")
    try:
        frame = pd.read_csv(path, usecols=list(columns), dtype=columns, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise FacesError(f"{path}: not a table with {', '.join(columns)} ({error}); {remedy}") from error
    return frame


def read_history(run: Run) -> list[dict[str, Any]]:
    """Return a run's history: a dictionary for each epoch, None for what was not measured. Raises as `Run.history`."""
    frame = run.history()
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
