"""Runs to be judged together, and the labelled pictures that judge them."""

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np

from experiments.data.dataset import Faces, read_split
from experiments.errors import FacesError
from experiments.inference.model import Trained
from experiments.inference.predict import average, predict
from experiments.inference.together import Folder, a_folder_each, open_together
from experiments.inference.views import Views

Part = Literal["validation", "train"]


class Judged:
    """One run or several on one part of their data. faces: its pictures, as the first run's network sees them."""

    def __init__(
        self,
        runs: Sequence[str | os.PathLike[str]],
        data: Folder | Sequence[Folder],
        part: Part = "validation",
        device: str | None = None,
    ) -> None:
        """data: a folder for all runs, or one for each, of the same pictures.

        Raises FacesError where a run knows other people or was trained on other pictures than its folder holds, and
        where what validated one run trained another: their common figure would be flattered.
        """
        self.trained = open_together(runs, device)
        folders = a_folder_each(len(runs), data, "--data")
        self._faces = [_part(trained, folder, part) for trained, folder in zip(self.trained, folders, strict=True)]
        self.faces = self._faces[0]
        for trained, faces in zip(self.trained, self._faces, strict=True):
            if faces.fingerprint != self.faces.fingerprint:
                raise FacesError(
                    f"{trained.run.folder}: other pictures validated it than {self.trained[0].run.folder}, so that "
                    "some would have trained one of them: expected runs of one split (split.train, split.seed)"
                )

    def logits(self, views: Views = "none") -> np.ndarray:
        """Logits (N, classes) of the pictures; of several runs the logarithm of their mean probabilities."""
        each = [predict(trained, faces.images, views) for trained, faces in zip(self.trained, self._faces, strict=True)]
        return average(each) if len(each) > 1 else each[0]


def _part(trained: Trained, data: str | os.PathLike[str], part: Part) -> Faces:
    halves = dict(zip(("train", "validation"), read_split(data, trained.recipe), strict=True))
    faces = halves[part]
    if list(faces.names) != trained.classes:
        raise FacesError(
            f"{data}: {len(faces.names)} people, other than the {len(trained.classes)} of {trained.run.folder}: "
            "evaluate on the people that the network was trained on"
        )
    if halves["train"].fingerprint != trained.run.pictures():
        raise FacesError(
            f"{data}: pictures came or went since {trained.run.folder} was trained, so that some it learned from would "
            "count as unseen: evaluate on the folder as it was"
        )
    if not len(faces):
        raise FacesError(
            f"{trained.run.folder}: all pictures trained (split.train=all), so that none are left to evaluate on"
        )
    return faces
