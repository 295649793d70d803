"""Finding faces: facenet-pytorch's MTCNN, whose weights come with the package, over images of like size.

Zhang et al. 2016, "Joint face detection and alignment using multi-task cascaded convolutional networks".

A face that was found, and which of several is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import detect_face
from PIL import Image

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
    """The face that a image is about; None where there is none.

    "central": the largest, less how far its middle is from the image's middle, both in pixels, so that a larger
    face at the edge loses to one that the image was cut around. "largest": the largest box. "score": the surest.
    """
    middle = np.array([(width - 1) / 2, (height - 1) / 2])

    def worth(face: Face) -> float:
        if rule == "score":
            return face.score
        off = np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - middle) if rule == "central" else 0.0
        return face.side - float(off)

    return max(faces, key=worth, default=None)


PYRAMID = 0.709  # MTCNN's own: each level has half the area of the one before


class Look(NamedTuple):
    """One way to look at a image.

    side: pixels of its longer side. least: of the smallest face, after that. thresholds: of the three stages. border:
    a share of each side added around it, by repeating its edge: facenet-pytorch cuts a candidate off at the image's
    edge and stretches what is left, and the landmarks with it.
    """

    side: int
    least: int
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    border: float = 0.25


LOOKS = (
    Look(320, 80),
    Look(640, 40),
    Look(240, 24, (0.5, 0.6, 0.6)),
    Look(1280, 40),
    Look(480, 40, (0.4, 0.4, 0.4)),
)
"""Tried in turn on whatever the ones before found no face in."""


class Detector:
    """Faces of images, by MTCNN on a device ("cpu", "cuda")."""

    def __init__(self, device: str = "cpu"):
        self.device = torch.device(device)
        self.network = MTCNN(device=self.device).eval()

    def __call__(self, images: Sequence[np.ndarray], batch: int = 32) -> list[list[Face]]:
        """The faces of each image (H, W, 3) uint8, in its own pixels. Those that come to like size go together."""
        found: list[list[Face]] = [[] for _ in images]
        for look in LOOKS:
            alike: dict[tuple[int, int], list[int]] = {}
            for index, faces in enumerate(found):
                if not faces:
                    alike.setdefault(_size_for(images[index], look), []).append(index)
            for indices in alike.values():
                for start in range(0, len(indices), batch):
                    some = indices[start : start + batch]
                    for index, faces in zip(some, self._look([images[i] for i in some], look), strict=True):
                        found[index] = faces
        return found

    def _look(self, images: list[np.ndarray], look: Look) -> list[list[Face]]:
        seen = np.stack([_seen(image, look) for image in images])
        edge = _edge(images[0], look)
        faces = []
        for image, (boxes, points) in zip(images, self._cascade(seen, look), strict=True):
            scale = np.array(image.shape[1::-1]) / _size_for(image, look)[::-1]
            faces.append(
                [
                    Face(_back(box[:4].reshape(2, 2), edge, scale).ravel(), float(box[4]), _back(five, edge, scale))
                    for box, five in zip(boxes, points, strict=True)
                    if np.isfinite(box).all() and (box[2:4] > box[:2]).all()
                ]
            )
        return faces

    @torch.no_grad()
    def _cascade(self, seen: np.ndarray, look: Look) -> list[tuple[np.ndarray, np.ndarray]]:
        """Per image of (n, H, W, 3): boxes with scores (k, 5), and landmarks (k, 5, 2)."""
        nothing = (np.empty((0, 5)), np.empty((0, 5, 2)))
        if min(seen.shape[1:3]) < look.least:  # not one level of the pyramid, which facenet-pytorch does not expect
            return [nothing] * len(seen)
        networks = (self.network.pnet, self.network.rnet, self.network.onet)
        try:
            boxes, points = detect_face(seen, look.least, *networks, list(look.thresholds), PYRAMID, self.device)
        except torch.OutOfMemoryError:
            raise
        except (IndexError, RuntimeError):
            # facenet-pytorch drops candidates outside the image in one list and not in the other, which a later
            # stage stumbles over: one image in many thousands, which must not cost the others of its batch.
            if len(seen) == 1:
                return [nothing]
            return [self._cascade(one[None], look)[0] for one in seen]
        return [
            (np.asarray(b, float).reshape(-1, 5), np.asarray(p, float).reshape(-1, 5, 2))
            for b, p in zip(boxes, points, strict=True)
        ]


def _size_for(image: np.ndarray, look: Look) -> tuple[int, int]:
    """Height and width at which a image is looked at, its border left out."""
    height, width = image.shape[:2]
    scale = look.side / max(height, width)
    return max(12, round(height * scale)), max(12, round(width * scale))


def _edge(image: np.ndarray, look: Look) -> np.ndarray:
    """Pixels of border, (x, y)."""
    height, width = _size_for(image, look)
    return np.array([round(width * look.border), round(height * look.border)])


def _seen(image: np.ndarray, look: Look) -> np.ndarray:
    height, width = _size_for(image, look)
    resized = image
    if image.shape[:2] != (height, width):
        smaller = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        resized = np.asarray(smaller)
    x, y = _edge(image, look)
    return np.pad(resized, [(y, y), (x, x), (0, 0)], mode="edge")


def _back(points: np.ndarray, edge: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Points (K, 2) as seen, in the image's own pixels."""
    own: np.ndarray = (points - edge + 0.5) * scale - 0.5
    return own
