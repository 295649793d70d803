"""How usable a detected face is for recognition: five measures from 0 to 1, and their geometric mean.

Pure functions of an image, a face's box, its landmarks and the detector's score. No network is used, so that a photo
can be refused before anything is embedded.
"""

from dataclasses import dataclass, fields
from math import log

import numpy as np
from PIL import Image

from experiments.data.align import Face
from experiments.data.align.warp import TEMPLATE_SIZE, fit_similarity, template, warp

SIDES = (16.0, 112.0)
"""Side of the face in pixels: at most the first gives 0, at least the second 1, in steps of equal ratios between."""

SHARPNESS = (0.003, 0.1)
"""Variance of the Laplacian over the variance of the gray values: 0.003 is a blur of about 3 pixels at 112."""

PITCH = 0.53
"""Where the nose is between the eyes (0) and the mouth (1) of a face that looks at the camera."""

DARK, BRIGHT, CONTRAST = 0.25, 0.75, 0.12
"""Mean gray values from which a face is too dark or too bright, and the standard deviation of enough contrast; of 1."""

CLIPPED = (0.02, 0.98)
"""Gray values below and above which a pixel shows nothing, of 1."""

MIDDLE = slice(TEMPLATE_SIZE // 8, -TEMPLATE_SIZE // 8)
"""The rows and columns of an aligned face that hold little background."""


@dataclass(frozen=True)
class FaceQuality:
    """Measures of a face, each from 0 (useless) to 1 (good).

    size: of the side in pixels. sharpness: of edges in the aligned face. pose: 1 for a face turned to the camera.
    exposure: neither dark, bright, flat nor clipped. detector: the detector's score.
    """

    size: float
    sharpness: float
    pose: float
    exposure: float
    detector: float

    @property
    def score(self) -> float:
        """The geometric mean of the measures, 0 to 1: a measure near 0 is not made up for by the others."""
        return float(np.prod(self.values())) ** (1 / len(fields(self)))

    @property
    def weakest(self) -> str:
        """The name of the lowest measure."""
        names = [field.name for field in fields(self)]
        return names[int(np.argmin(self.values()))]

    def values(self) -> tuple[float, ...]:
        """The measures, in the order of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self))


def measure_quality(image: np.ndarray, face: Face) -> FaceQuality:
    """Measure a face of an image (H, W, 3) uint8, whose box and landmarks are in the image's pixels."""
    aligned = warp(image, fit_similarity(face.landmarks, template(TEMPLATE_SIZE)), TEMPLATE_SIZE)
    gray = np.asarray(Image.fromarray(aligned).convert("L"), np.float64)[MIDDLE, MIDDLE] / 255
    return FaceQuality(
        size=size_quality(face.side),
        sharpness=sharpness_quality(gray),
        pose=pose_quality(face.landmarks),
        exposure=exposure_quality(gray),
        detector=float(np.clip(face.score, 0, 1)),
    )


def size_quality(side: float) -> float:
    """0 to 1 for the side of a face in pixels, on a logarithmic scale between SIDES."""
    return _log_scale(side, *SIDES)


def sharpness_quality(gray: np.ndarray) -> float:
    """0 to 1 for an aligned face's gray values (H, W) from 0 to 1, on a logarithmic scale between SHARPNESS.

    The variance of the Laplacian (Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy"), divided
    by the variance of the gray values, so that contrast does not count as sharpness.
    """
    around = gray[1:-1, :-2] + gray[1:-1, 2:] + gray[:-2, 1:-1] + gray[2:, 1:-1]
    laplacian = around - 4 * gray[1:-1, 1:-1]
    return _log_scale(float(laplacian.var()) / max(float(gray.var()), 1e-4), *SHARPNESS)


def pose_quality(landmarks: np.ndarray) -> float:
    """0 to 1 for five landmarks (5, 2): eyes, nose, corners of the mouth. Rotation in the image plane does not count.

    Yaw: how far the nose is from the middle of the eyes, along the line through them; 0 where it is over an eye. Pitch:
    how far it is from its usual place between eyes and mouth; 0 at a distance of half of that.
    """
    left, right, nose = landmarks[:3].astype(np.float64)
    across, middle = right - left, (left + right) / 2
    down = (landmarks[3] + landmarks[4]) / 2 - middle
    if not (across @ across > 0 and down @ down > 0):
        return 0.0
    yaw = 2 * abs(float((nose - middle) @ across / (across @ across)))
    pitch = 2 * abs(float((nose - middle) @ down / (down @ down)) - PITCH)
    return max(0.0, 1 - yaw) * max(0.0, 1 - pitch)


def exposure_quality(gray: np.ndarray) -> float:
    """0 to 1 for an aligned face's gray values (H, W) from 0 to 1.

    The product of three: 1 for a mean between DARK and BRIGHT, falling to 0 at black and white; the standard deviation
    as a fraction of CONTRAST, at most 1; the fraction of pixels that are not clipped.
    """
    mean = float(gray.mean())
    brightness = min(1.0, mean / DARK, (1 - mean) / (1 - BRIGHT))
    contrast = min(1.0, float(gray.std()) / CONTRAST)
    shown = 1 - float(np.mean((gray < CLIPPED[0]) | (gray > CLIPPED[1])))
    return max(0.0, brightness) * contrast * shown


def _log_scale(value: float, low: float, high: float) -> float:
    """0 at `low` and below, 1 at `high` and above, linear in the logarithm between."""
    return min(1.0, log(value / low) / log(high / low)) if value > low else 0.0
