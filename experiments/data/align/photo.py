"""Every face of one photo: a file, its bytes, a PIL image or an array."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from experiments.data.align import Face
from experiments.data.align.align import Detector, align_face, open_detector
from experiments.data.align.quality import FaceQuality, measure_quality
from experiments.data.images import ImageError, image_of_bytes, image_of_pil, read_image
from experiments.data.preparation import AlignSettings

Photo = str | os.PathLike[str] | bytes | Image.Image | np.ndarray

DEFAULTS = AlignSettings(detector="yunet")
"""Faces as SFace and most networks take them: found by YuNet, aligned to ArcFace's template at 112 pixels."""

MEASURES = ("size", "sharpness", "pose", "exposure")
"""What the quality of a face is made of, next to the detector's score."""


@dataclass(frozen=True, eq=False)
class PhotoFace(Face):
    """A face of a photo: box, score and landmarks in its pixels, aligned (size, size, 3) uint8, and its quality."""

    aligned: np.ndarray
    quality: FaceQuality


def load_photo(photo: Photo) -> np.ndarray:
    """Return a photo as (H, W, 3) uint8 RGB, upright, see `read_image`. Arrays are (H, W, 3) or (H, W) uint8.

    Raises ImageError for what is not an image.
    """
    if isinstance(photo, bytes):
        return image_of_bytes(photo)
    if isinstance(photo, Image.Image):
        return image_of_pil(photo)
    if not isinstance(photo, np.ndarray):
        return read_image(photo)
    if photo.dtype != np.uint8 or photo.ndim not in (2, 3) or photo.shape[2:] not in ((), (3,)) or not photo.size:
        raise ImageError(
            f"an array of shape {photo.shape} and type {photo.dtype}, expected an RGB image (H, W, 3) or a gray one "
            "(H, W) of type uint8, with values from 0 to 255"
        )
    return np.repeat(photo[..., None], 3, 2) if photo.ndim == 2 else photo


def find_faces(
    image: np.ndarray,
    settings: AlignSettings = DEFAULTS,
    detector: Detector | None = None,
    min_score: float | None = None,
) -> list[PhotoFace]:
    """Return every face of an image (H, W, 3) uint8, the largest first; an empty list where there is none.

    settings: how faces are found and aligned. detector: an open one, for several images; by default the settings', that
    searches large images for small faces too. min_score: by default the settings'.
    """
    found = (detector or photo_detector(settings))([image])[0]
    return aligned_faces(image, found, settings, settings.min_score if min_score is None else min_score)


def photo_detector(settings: AlignSettings = DEFAULTS) -> Detector:
    """Return a detector of every face, small ones next to large ones included. Raises FacesError without weights."""
    return open_detector(settings.detector, small_faces=True)


def aligned_faces(
    image: np.ndarray, found: Sequence[Face], settings: AlignSettings = DEFAULTS, min_score: float = 0.0
) -> list[PhotoFace]:
    """Align and measure the faces that a detector found in an image, the largest first."""
    kept = [face for face in found if face.score >= min_score and np.ptp(face.landmarks, axis=0).max() > 0]
    return [
        PhotoFace(
            face.box,
            face.score,
            face.landmarks,
            align_face(image, face, settings),
            measure_quality(image, face),
        )
        for face in sorted(kept, key=lambda face: -face.side)
    ]


def describe_face(face: PhotoFace) -> str:
    """A face in words: its size, place, score and quality, and the weakest measure of a poor one."""
    quality = face.quality
    left, top = face.box[:2].round().astype(int)
    weak = f" ({quality.weakest} {getattr(quality, quality.weakest):.2f})" if quality.score < 0.7 else ""
    return f"{face.side:.0f} px at ({left}, {top}), score {face.score:.2f}, quality {quality.score:.2f}{weak}"


def face_as_json(face: PhotoFace) -> dict[str, Any]:
    """A face for programs: box, score, landmarks and quality."""
    return {
        "box": rounded(face.box),
        "score": round(face.score, 5),
        "landmarks": [rounded(point) for point in face.landmarks],
        "quality": round(face.quality.score, 4),
        "measures": {name: round(getattr(face.quality, name), 4) for name in MEASURES},
    }


def rounded(values: np.ndarray) -> list[float]:
    """Pixels as they are printed and stored: with two decimals."""
    return [round(float(value), 2) for value in values]
