"""The face that is shown: a picture's, or a drawn one's, small enough for its pixels to be seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.data.images import fit_image, read_image
from experiments.data.synthetic import draw_identity
from experiments.data.synthetic.render import render
from experiments.data.synthetic.scene import Pose, draw_scene
from experiments.errors import FacesError

SMALLEST, LARGEST = 6, 96
DRAWN = 96
"""Pixels a side at which a face is drawn before it is made small."""


def portrait(size: int = 24, picture: Path | None = None, seed: int = 1) -> np.ndarray:
    """A face in grey, (size, size) float32 from 0 to 1: a picture's middle, or a drawn face that looks at us.

    seed: draws the face. Raises FacesError for a picture that cannot be read, or a size that cannot be shown.
    """
    grey = Image.fromarray(colour_portrait(size, picture, seed)).convert("L")
    return (np.asarray(grey) / 255).astype(np.float32)


def colour_portrait(size: int = 24, picture: Path | None = None, seed: int = 1, number: int = 0) -> np.ndarray:
    """The same in colour, (size, size, 3) uint8. number: which of the people that a seed draws."""
    if not SMALLEST <= size <= LARGEST:
        raise FacesError(f"--size {size}: expected {SMALLEST} to {LARGEST} pixels a side, few enough to be seen")
    pixels = read_image(picture) if picture else _drawn(seed, number)
    return fit_image(pixels, (size, size), "crop")


def _drawn(seed: int, number: int) -> np.ndarray:
    """A face from the front, in the middle, sharp."""
    scene = draw_scene(seed, number, 0)
    camera = replace(scene.camera, scale=0.38, centre=(0.5, 0.52), blur=0.0, noise=0.0, contrast=1.1)
    front = replace(scene, pose=Pose(0.15, 0.0, 0.0), obstacle=None, camera=camera)
    return render(draw_identity(seed, number), front, DRAWN)
