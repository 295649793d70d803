"""Aligning faces. Here: what a detector returns of an image, and which of its faces is the main one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.data.preparation import Choice


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face. box: (4,) left, top, right, bottom. score: 0 to 1. landmarks: (5, 2), ordered as ArcFace's."""

    box: np.ndarray
    score: float
    landmarks: np.ndarray

    @property
    def side(self) -> float:
        """Side in pixels of a square with the box's area."""
        return float(np.sqrt(np.prod(np.maximum(self.box[2:] - self.box[:2], 0))))


def choose_face(
    faces: Sequence[Face], width: int, height: int, rule: Choice = "central", min_score: float = 0.0
) -> Face | None:
    """Return the main face of an image, or None where there is none.

    "central": the largest side minus the distance between the box's center and the image's center, in pixels, so that
    a larger face at the edge does not win over the face in the middle. "largest": the largest box. "score": the highest
    score. Faces with a score below `min_score` are ignored.
    """
    middle = np.array([(width - 1) / 2, (height - 1) / 2])

    def rank(face: Face) -> float:
        if rule == "score":
            return face.score
        off = np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - middle) if rule == "central" else 0.0
        return face.side - float(off)

    return max((face for face in faces if face.score >= min_score), key=rank, default=None)
