"""Align the faces of a few photos in memory, for commands with `--align`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from experiments.data.align.detector import open_detector
from experiments.data.align.face import Face, choose_face
from experiments.data.align.warp import align_face
from experiments.data.images import fit_image, read_image
from experiments.data.preparation import AlignSettings, DetectorName, Preparation
from experiments.errors import FacesError
from experiments.progress import track

CHUNK = 32


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """One photo's face. image: the aligned face, or the photo's center where none was found, (size, size, 3) uint8.

    face: the chosen face, None where none was found; faces: how many were found.
    """

    path: Path
    image: np.ndarray
    face: Face | None
    faces: int

    @property
    def remark(self) -> str:
        """A remark for the user, or an empty string."""
        if self.face is None:
            return f"{self.path}: no face found"
        return f"{self.path}: {self.faces} faces; only the largest central one was used" if self.faces > 1 else ""


def align_files(
    paths: Sequence[Path], size: tuple[int, int], preparation: Preparation | None = None
) -> list[AlignedFace]:
    """The face of each photo, aligned and at `size`. Raises ImageError for one that cannot be read.

    preparation: how it is aligned, as a run recorded it; to the five-point template at `size` without a record. Raises
    FacesError for a network whose images are not square.
    """
    if size[0] != size[1]:
        raise FacesError(f"the network takes images of {size[0]} x {size[1]}, and aligned faces are square: no --align")
    settings, found = AlignSettings(size=size[0]), list[AlignedFace]()
    if preparation is not None and preparation.template and preparation.size and preparation.margin is not None:
        detector = cast(DetectorName, preparation.detector)
        settings = AlignSettings(preparation.size, preparation.template, preparation.margin, detector=detector)
    detect = open_detector(settings.detector)
    with track("aligning", len(paths), "images") as advance:
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            images = [read_image(path) for path in chunk]
            for path, image, faces in zip(chunk, images, detect(images), strict=True):
                face = choose_face(faces, image.shape[1], image.shape[0])
                shown = image if face is None else align_face(image, face, settings)
                found.append(AlignedFace(path, fit_image(shown, size, "crop"), face, len(faces)))
            advance(start + len(chunk), len(paths))
    return found
