"""A face that was found, and which of several is meant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.data.align.settings import Choice


@dataclass(frozen=True, eq=False)
class Face:
    """box: (4,) left, top, right, bottom. score: 0 to 1. landmarks: (5, 2), in the order of ArcFace's template."""

    box: np.ndarray
    score: float
    landmarks: np.ndarray

    @property
    def side(self) -> float:
        """The side in pixels of a square of the box's area."""
        return float(np.sqrt(np.prod(np.maximum(self.box[2:] - self.box[:2], 0))))


def choose(faces: Sequence[Face], width: int, height: int, rule: Choice = "central") -> Face | None:
    """The face that a picture is about; None where there is none.

    "central": the largest, less how far its middle is from the picture's middle, both in pixels, so that a larger
    face at the edge loses to one that the picture was cut around. "largest": the largest box. "score": the surest.
    """
    middle = np.array([(width - 1) / 2, (height - 1) / 2])

    def worth(face: Face) -> float:
        if rule == "score":
            return face.score
        off = np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - middle) if rule == "central" else 0.0
        return face.side - float(off)

    return max(faces, key=worth, default=None)
