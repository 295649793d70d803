"""Several runs of the same people as one: opened together, and what they say of pictures on average."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from experiments.data.dataset import read_pictures
from experiments.errors import FacesError
from experiments.inference.model import Trained
from experiments.inference.predict import CHUNK, average, predict
from experiments.inference.views import Views
from experiments.progress import track

Folder = str | os.PathLike[str]


def open_together(runs: Sequence[str | os.PathLike[str]], device: str | None = None) -> list[Trained]:
    """The best networks of runs. Raises FacesError where they know different people, and as `Trained.open` does."""
    first, *others = trained = [Trained.open(run, device) for run in runs]
    for other in others:
        if other.classes != first.classes:
            lacking, more = set(first.classes) - set(other.classes), set(other.classes) - set(first.classes)
            differ = [f"{other.run.folder} lacks {_some(lacking)}"] if lacking else []
            differ += [f"{first.run.folder} lacks {_some(more)}"] if more else []
            raise FacesError(
                f"the runs know different people, and cannot be averaged: {'; '.join(differ) or 'their order differs'}"
            )
    return trained


def a_folder_each(runs: int, folders: Folder | Sequence[Folder], option: str) -> list[Folder]:
    """The folder that each of so many runs looks into: one folder is for all of them, several are theirs in order.

    Runs may see the same pictures differently, such as cut out more widely. Raises FacesError for another number.
    """
    given = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    if len(given) not in (1, runs):
        raise FacesError(f"{option} is given {len(given)} times for {runs} runs: give it once, or once for each run")
    return given * runs if len(given) == 1 else given


def logits_of_files(trained: Sequence[Trained], paths: Sequence[Sequence[Path]], views: Views) -> Iterator[np.ndarray]:
    """Logits (n, classes) of picture files, some at a time: of 35,000 pictures and 7,000 people all would be 1 GB.

    paths: for each run, its files of the same pictures. Of several runs, the logarithm of their mean probabilities.
    """
    count = len(paths[0])
    with track("predicting", count, "images") as advance:
        for start in range(0, count, CHUNK):
            part = slice(start, start + CHUNK)
            each = [
                predict(one, read_pictures(files[part], one.recipe.data), views)
                for one, files in zip(trained, paths, strict=True)
            ]
            yield average(each) if len(each) > 1 else each[0]
            advance(min(part.stop, count), count)


def _some(names: set[str]) -> str:
    listed = ", ".join(sorted(names)[:3])
    return f"{listed} and {len(names) - 3} more" if len(names) > 3 else listed
