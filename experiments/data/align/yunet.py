"""Face detection by YuNet, of OpenCV's model zoo, in milliseconds an image on a CPU.

Wu et al. 2023, "YuNet: a tiny millisecond-level face detector". Its landmarks are coarse where a face is small or fills
the image. So each face is looked at again: a square around it, at the size at which YuNet is most exact.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from experiments.data.align import Face
from experiments.weights import find_weights

SIDES = (640, 1600)
"""Longer side in pixels at which images are searched; the second where the first shows no face, for small ones."""

PIXELS = 2_560_000
"""Pixels at which images are searched for small faces next to larger ones: 1600 x 1600, or a panorama as large."""

BORDER = 0.25
"""Fraction of each side that is added around an image, by repeating its edge: faces that fill it are found so."""

SCORE, OVERLAP, CANDIDATES = 0.6, 0.3, 500
"""The smallest score of a face, the overlap from which two boxes show one face, and how many boxes are compared."""

LOOK, LOOK_SIDE = 2.0, 160
"""The second look: a square of this many times the face's longer side, at this size in pixels."""


class YuNet:
    """Detects faces. Opens the weights by `experiments.weights`.

    small_faces: also look for small faces in large images that show larger ones, which takes several times as long.
    """

    def __init__(self, small_faces: bool = False) -> None:
        self.small_faces = small_faces
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns of settings that were not made
        self.network = cv2.FaceDetectorYN.create(str(find_weights("yunet")), "", (320, 320), SCORE, OVERLAP, CANDIDATES)

    def __call__(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Return the faces of each image (H, W, 3) uint8, the highest scores first, in its own pixels."""
        return [self._search(image) for image in images]

    def _search(self, image: np.ndarray) -> list[Face]:
        found: list[Face] = []
        for scale in self._scales(image):
            faces = self._detect(image, scale, BORDER)
            found += [face for face in faces if all(_overlap(face.box, one.box) <= OVERLAP for one in found)]
            if found and not self.small_faces:
                break
        return [self._look_again(image, face) for face in sorted(found, key=lambda face: -face.score)]

    def _scales(self, image: np.ndarray) -> list[float]:
        """Return the scales at which an image is searched, the smallest first, each once."""
        height, width = image.shape[:2]
        scales = [side / max(height, width) for side in SIDES]
        if self.small_faces:
            scales.append((PIXELS / (height * width)) ** 0.5)
        return sorted({min(1.0, scale) for scale in scales})

    def _look_again(self, image: np.ndarray, face: Face) -> Face:
        """Return the face with the box and landmarks that a second look finds, or as it is where that finds none."""
        center, longer = (face.box[:2] + face.box[2:]) / 2, float(max(face.box[2:] - face.box[:2]))
        seen, corner, scale = _square(image, center, LOOK * longer)
        inside = Face((face.box - [*corner, *corner]) * scale, face.score, face.landmarks)
        found = [one for one in self._detect(seen, 1.0, 0.0) if _overlap(one.box, inside.box) > OVERLAP]
        if not found:
            return face
        best = max(found, key=lambda one: _overlap(one.box, inside.box))
        points = (best.landmarks + 0.5) / scale - 0.5 + corner
        return Face(best.box / scale + [*corner, *corner], face.score, points)

    def _detect(self, image: np.ndarray, scale: float, border: float) -> list[Face]:
        """Return the faces of an image that is searched with a border and at a scale."""
        height, width = image.shape[:2]
        rows, columns = round(height * border), round(width * border)
        if border:
            image = cv2.copyMakeBorder(image, rows, rows, columns, columns, cv2.BORDER_REPLICATE)
        if scale != 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        self.network.setInputSize((image.shape[1], image.shape[0]))
        found: Any = self.network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]  # None where nothing is
        if found is None:
            return []
        factors = np.array([(width + 2 * columns) / image.shape[1], (height + 2 * rows) / image.shape[0]])
        own = [(row[:4].reshape(2, 2), row[4:14].reshape(5, 2), float(row[14])) for row in found.astype(np.float64)]
        faces = [
            Face(
                np.concatenate([corner * factors, (corner + size) * factors]) - [columns, rows, columns, rows],
                min(score, 1.0),
                (points + 0.5) * factors - 0.5 - [columns, rows],
            )
            for (corner, size), points, score in own
        ]
        return [face for face in faces if face.side >= 2]


def _square(image: np.ndarray, center: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Cut a square of about `side` pixels out of an image, whose edge pixels are repeated around it.

    Returns it at LOOK_SIDE pixels, the place of its top left corner in the image, and its enlargement.
    """
    size = max(1, round(side))
    left, top = np.round(center - size / 2).astype(int)
    height, width = image.shape[:2]
    part = image[max(top, 0) : max(top + size, 1), max(left, 0) : max(left + size, 1)]
    before, after = (max(-top, 0), max(-left, 0)), (max(top + size - height, 0), max(left + size - width, 0))
    part = cv2.copyMakeBorder(part, before[0], after[0], before[1], after[1], cv2.BORDER_REPLICATE)
    way = cv2.INTER_AREA if size > LOOK_SIDE else cv2.INTER_CUBIC
    return cv2.resize(part, (LOOK_SIDE, LOOK_SIDE), interpolation=way), np.array([left, top]), LOOK_SIDE / size


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection of two boxes as a fraction of their union."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (one, other)]
    return common / max(sum(areas) - common, 1e-9)
