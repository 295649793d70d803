"""Face detection by MTCNN, of facenet-pytorch, whose weights come with that package.

Zhang et al. 2016, "Joint face detection and alignment using multi-task cascaded convolutional networks".
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import detect_face
from PIL import Image

from experiments.data.align import Face
from experiments.runtime import torch_device

PYRAMID_FACTOR = 0.709
"""MTCNN's: each level has half the area of the one before."""


DECIMALS, SCORE_DECIMALS = 2, 5
"""Digits of pixels and scores: fewer than what changes with the other images of a batch."""


class DetectionPass(NamedTuple):
    """One scale and sensitivity at which images are searched.

    side: pixels of the longer side after resizing. least: side of the smallest face found, in these pixels. thresholds:
    of the three stages. border: the fraction of each side that is added around the image by repeating its edge pixels;
    without it, facenet-pytorch cuts candidates off at the edge and stretches the rest, landmarks included.
    """

    side: int
    least: int
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    border: float = 0.25


DETECTION_PASSES = (
    DetectionPass(320, 80),
    DetectionPass(640, 40),
    DetectionPass(240, 24, (0.5, 0.6, 0.6)),
    DetectionPass(1280, 40),
    DetectionPass(480, 40, (0.4, 0.4, 0.4)),
)
"""Each is tried on the images in which the passes before it found no face."""


class Mtcnn:
    """Detects faces with MTCNN on a device ("cpu", "cuda")."""

    def __init__(self, device: str = "cpu"):
        self.device = torch_device(device)
        self.network = MTCNN(device=self.device).eval()

    def __call__(self, images: Sequence[np.ndarray], batch: int = 32) -> list[list[Face]]:
        """Detect the faces of each image (H, W, 3) uint8, in its own pixels.

        Images of equal size after resizing form batches.
        """
        found: list[list[Face]] = [[] for _ in images]
        for step in DETECTION_PASSES:
            by_size: dict[tuple[int, int], list[int]] = {}
            for index, faces in enumerate(found):
                if not faces:
                    by_size.setdefault(_size_for(images[index], step), []).append(index)
            for indices in by_size.values():
                for start in range(0, len(indices), batch):
                    some = indices[start : start + batch]
                    for index, faces in zip(some, self._detect([images[i] for i in some], step), strict=True):
                        found[index] = faces
        return found

    def _detect(self, images: list[np.ndarray], step: DetectionPass) -> list[list[Face]]:
        seen = np.stack([_resized(image, step) for image in images])
        border = _border(images[0], step)
        faces = []
        for image, (boxes, points) in zip(images, self._cascade(seen, step), strict=True):
            scale = np.array(image.shape[1::-1]) / _size_for(image, step)[::-1]
            faces.append(
                [
                    Face(
                        _to_image(box[:4].reshape(2, 2), border, scale).ravel().round(DECIMALS),
                        round(float(box[4]), SCORE_DECIMALS),
                        _to_image(five, border, scale).round(DECIMALS),
                    )
                    for box, five in zip(boxes, points, strict=True)
                    if np.isfinite(box).all() and (box[2:4] > box[:2]).all()
                ]
            )
        return faces

    @torch.no_grad()
    def _cascade(self, seen: np.ndarray, step: DetectionPass) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return, for each image of (n, H, W, 3), boxes with scores (k, 5) and landmarks (k, 5, 2)."""
        nothing = (np.empty((0, 5)), np.empty((0, 5, 2)))
        if min(seen.shape[1:3]) < step.least:  # the pyramid has no level, which facenet-pytorch does not expect
            return [nothing] * len(seen)
        networks = (self.network.pnet, self.network.rnet, self.network.onet)
        try:
            boxes, points = detect_face(seen, step.least, *networks, list(step.thresholds), PYRAMID_FACTOR, self.device)
        except torch.OutOfMemoryError:
            raise
        except (IndexError, RuntimeError):
            # facenet-pytorch drops candidates outside the image from one list and not from the other, and a later stage
            # fails: about one image in thousands. The other images of the batch must not fail with it.
            if len(seen) == 1:
                return [nothing]
            return [self._cascade(one[None], step)[0] for one in seen]
        return [
            (np.asarray(b, float).reshape(-1, 5), np.asarray(p, float).reshape(-1, 5, 2))
            for b, p in zip(boxes, points, strict=True)
        ]


def _size_for(image: np.ndarray, step: DetectionPass) -> tuple[int, int]:
    """Return the height and width that an image is resized to, without its border."""
    height, width = image.shape[:2]
    scale = step.side / max(height, width)
    return max(12, round(height * scale)), max(12, round(width * scale))


def _border(image: np.ndarray, step: DetectionPass) -> np.ndarray:
    """Return the border in pixels, (x, y)."""
    height, width = _size_for(image, step)
    return np.array([round(width * step.border), round(height * step.border)])


def _resized(image: np.ndarray, step: DetectionPass) -> np.ndarray:
    height, width = _size_for(image, step)
    resized = image
    if image.shape[:2] != (height, width):
        smaller = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)
        resized = np.asarray(smaller)
    x, y = _border(image, step)
    return np.pad(resized, [(y, y), (x, x), (0, 0)], mode="edge")


def _to_image(points: np.ndarray, border: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Map points (K, 2) of the resized image to the image's own pixels."""
    own: np.ndarray = (points - border + 0.5) * scale - 0.5
    return own
