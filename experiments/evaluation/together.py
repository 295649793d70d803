"""Several runs of the same people as one: opened together, and what they say of picture files on average."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from experiments.data.faces import read_pictures
from experiments.errors import FacesError
from experiments.evaluation.prediction import CHUNK, average, predict
from experiments.evaluation.views import Views
from experiments.progress import track
from experiments.training.trained import Trained


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


def logits_of_files(trained: Sequence[Trained], paths: Sequence[Path], views: Views) -> Iterator[np.ndarray]:
    """Logits (n, classes) of picture files, some at a time: of 35,000 pictures and 7,000 people all would be 1 GB.

    Of several runs, the logarithm of their mean probabilities.
    """
    with track("predicting", len(paths), "images") as advance:
        for start in range(0, len(paths), CHUNK):
            some = paths[start : start + CHUNK]
            each = [predict(one, read_pictures(some, one.recipe.data), views) for one in trained]
            yield average(each) if len(each) > 1 else each[0]
            advance(start + len(some), len(paths))


def _some(names: set[str]) -> str:
    listed = ", ".join(sorted(names)[:3])
    return f"{listed} and {len(names) - 3} more" if len(names) > 3 else listed
