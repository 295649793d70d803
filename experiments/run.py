"""A run's folder: the recipe, the history, the metrics and the weights of one training."""

import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from experiments.config.recipe import Recipe
from experiments.data.preparation import Preparation, parse_preparation
from experiments.errors import FacesError, suggest_path
from experiments.files import read_json, read_names, refuse_existing, write_csv, write_json, write_text

RUN_FILES = ("recipe.yaml", "classes.json")
TEMPORARY_NAME = re.compile(r"\..+\.[0-9a-f]{8}(\.[a-z]+)?|\.tmp\w{6}")
"""How `mytorch.files.atomic_write` names a file until it is whole, and safetensors what it writes for that."""


class Run:
    """The files of a run.

    recipe.yaml: every setting. classes.json: the people, by label. environment.json: versions, hardware, seed, command.
    history.csv: a row an epoch. metrics.json: the figures of the last epoch, and which was best.
    checkpoint.safetensors: to go on from. best.safetensors: the weights of the best epoch, to use; last.safetensors: of
    the last, which transfer networks keep, too. curves.png, log.txt.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.checkpoint_file = self.folder / "checkpoint.safetensors"
        self.best_weights = self.folder / "best.safetensors"
        self.last_weights = self.folder / "last.safetensors"
        self.history_file = self.folder / "history.csv"
        self.metrics_file = self.folder / "metrics.json"
        self.curves_file = self.folder / "curves.png"

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        recipe: Recipe,
        classes: Sequence[str],
        data: Path,
        pictures: str = "",
        preparation: Preparation | None = None,
    ) -> "Run":
        """Begin a run in a folder that is new or empty. Raises FacesError for any other, or where it cannot be made.

        data: the folder it learns from; pictures: the fingerprint of those that train;
        preparation: how the images were prepared.
        """
        run = cls(folder)
        refuse_existing(run.folder, "go on with it by --resume")
        run.folder.mkdir(parents=True, exist_ok=True)
        write_text(run.folder / "recipe.yaml", recipe.dump())
        write_json(run.folder / "classes.json", list(classes))
        prepared = {} if preparation is None else {"preparation": preparation.model_dump(mode="json")}
        write_json(run.folder / "environment.json", {**_environment(recipe, data), "pictures": pictures, **prepared})
        return run

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Run":
        """An existing run. Raises FacesError where the folder is none."""
        run = cls(folder)
        missing = [name for name in RUN_FILES if not (run.folder / name).is_file()]
        if missing:
            what = "holds no " + " and no ".join(missing) if run.folder.is_dir() else "no such folder"
            near = None if run.folder.exists() else suggest_path(run.folder)
            remedy = f"did you mean {near}?" if near else "give a folder that `faces train ... --out RUN` made"
            raise FacesError(f"{run.folder}: {what}; {remedy}")
        return run

    @classmethod
    def reopen(cls, folder: str | os.PathLike[str], recipe: Recipe) -> "Run":
        """The run to go on with, without what a killed process left half written. Raises FacesError where it is another
        recipe's.
        """
        run = cls.open(folder)
        then, now = run.recipe().model_dump(), recipe.model_dump()
        changed = [f"{key}: {then[key]} then, {now[key]} now" for key in now if then[key] != now[key]]
        if changed:
            raise FacesError(
                f"{run.folder} was made by another recipe; give the same, or start in another folder\n  "
                + "\n  ".join(changed)
            )
        for path in run.folder.iterdir():
            if TEMPORARY_NAME.fullmatch(path.name):
                path.unlink(missing_ok=True)
        return run

    def refuse_others(self, names: Sequence[str], pictures: str) -> None:
        """Raise FacesError where a run began with other people or pictures than these."""
        changed = "people" if self.classes() != list(names) else "pictures"
        if changed == "people" or self.image_fingerprint() != pictures:
            raise FacesError(
                f"{self.folder}: began with other {changed} than --data holds; give the folder it began with"
            )

    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return Recipe.read(self.folder / "recipe.yaml")

    def classes(self) -> list[str]:
        """The people, by label."""
        return read_names(self.folder / "classes.json")

    def image_fingerprint(self) -> str:
        """The fingerprint of the pictures that train."""
        return read_json(self.folder / "environment.json").get("pictures", "")

    def preparation(self) -> Preparation | None:
        """How the images that it learned from were prepared; none for a run that does not record it."""
        path = self.folder / "environment.json"
        stored = read_json(path) if path.is_file() else {}
        found = stored.get("preparation") if isinstance(stored, dict) else None
        return None if found is None else parse_preparation(found, path)

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """history.csv, whole."""
        write_csv(self.history_file, rows)

    def log(self, line: str) -> None:
        """Add a line to log.txt, with the time."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")


def _environment(recipe: Recipe, data: Path) -> dict[str, Any]:
    """What a reader needs to make the run again."""
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
