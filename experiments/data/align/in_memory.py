"""Faces of photos, found, turned upright and cut out in memory, for commands that look at a few of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.data.align.detector import Detector, Face, choose
from experiments.data.align.settings import AlignSettings
from experiments.data.align.warp import aligned
from experiments.data.images import fit_image, read_image
from experiments.errors import FacesError
from experiments.progress import track

CHUNK = 32


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """One photo. image: the chosen face, (size, size, 3) uint8; where none was found, the photo's middle.

    face: where it stood, None where none was found; faces: how many were found.
    """

    path: Path
    image: np.ndarray
    face: Face | None
    faces: int

    @property
    def remark(self) -> str:
        """What a reader should know of it, or nothing."""
        if self.face is None:
            return f"{self.path}: no face was found"
        return f"{self.path}: {self.faces} faces, the most central large one was taken" if self.faces > 1 else ""


def align_files(paths: Sequence[Path], size: tuple[int, int]) -> list[AlignedFace]:
    """The face of each photo, aligned to `size`. Raises ImageError for one that cannot be read.

    Raises FacesError for a network whose images are not square.
    """
    if size[0] != size[1]:
        raise FacesError(f"the network takes images of {size[0]} x {size[1]}, and aligned faces are square: no --align")
    detect, settings, found = Detector(), AlignSettings(size=size[0]), []
    with track("aligning", len(paths), "images") as advance:
        for start in range(0, len(paths), CHUNK):
            chunk = paths[start : start + CHUNK]
            images = [read_image(path) for path in chunk]
            for path, image, faces in zip(chunk, images, detect(images), strict=True):
                face = choose(faces, image.shape[1], image.shape[0])
                shown = fit_image(image, size, "crop") if face is None else aligned(image, face, settings)
                found.append(AlignedFace(path, shown, face, len(faces)))
            advance(start + len(chunk), len(paths))
    return found
