"""The face that is shown: a picture's, or a drawn one's, small enough for its pixels to be seen.

Kernels by name, or as typed.
"""

from dataclasses import replace
from difflib import get_close_matches
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


def load_gray_face(size: int = 24, picture: Path | None = None, seed: int = 1) -> np.ndarray:
    """A face in grey, (size, size) float32 from 0 to 1: a picture's middle, or a drawn face that looks at us.

    seed: draws the face. Raises FacesError for a picture that cannot be read, or a size that cannot be shown.
    """
    grey = Image.fromarray(load_color_face(size, picture, seed)).convert("L")
    return (np.asarray(grey) / 255).astype(np.float32)


def load_color_face(size: int = 24, picture: Path | None = None, seed: int = 1, number: int = 0) -> np.ndarray:
    """The same in colour, (size, size, 3) uint8. number: which of the people that a seed draws."""
    if not SMALLEST <= size <= LARGEST:
        raise FacesError(f"--size {size}: expected {SMALLEST} to {LARGEST} pixels a side, few enough to be seen")
    pixels = read_image(picture) if picture else _drawn(seed, number)
    return fit_image(pixels, (size, size), "crop")


def _drawn(seed: int, number: int) -> np.ndarray:
    """A face from the front, in the middle, sharp."""
    scene = draw_scene(seed, number, 0)
    camera = replace(scene.camera, scale=0.38, center=(0.5, 0.52), blur=0.0, noise=0.0, contrast=1.1)
    front = replace(scene, pose=Pose(0.15, 0.0, 0.0), occlusion=None, camera=camera)
    return render(draw_identity(seed, number), front, DRAWN)


KERNELS = {
    "edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "lines": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "outline": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
}
"""Upright edges (dark left of bright) and level lines (dark above bright), Laplace's outline, a mean, contrast."""

MAX_KERNEL_SIZE = 5


def read_kernel(text: str) -> np.ndarray:
    """A kernel (KH, KW) float32: a name, or rows of numbers such as "1,0,-1/2,0,-2/1,0,-1".

    Raises FacesError for another name, and for rows that are not numbers, or not as long as one another.
    """
    if text in KERNELS:
        return np.array(KERNELS[text], np.float32)
    if not any(sign.isdigit() for sign in text):
        near = get_close_matches(text, KERNELS, 1)
        hint = f"did you mean {near[0]}?" if near else "or rows of numbers, such as 1,0,-1/2,0,-2/1,0,-1"
        raise FacesError(f"--kernel {text}: expected one of {', '.join(KERNELS)}; {hint}")
    try:
        rows = [[float(number) for number in row.split(",")] for row in text.split("/")]
    except ValueError as error:
        raise FacesError(f"--kernel {text}: {error}; expected rows of numbers, such as 1,0,-1/2,0,-2/1,0,-1") from error
    if len({len(row) for row in rows}) > 1:
        raise FacesError(f"--kernel {text}: rows of {[len(row) for row in rows]} numbers; expected as many in each")
    if max(len(rows), len(rows[0])) > MAX_KERNEL_SIZE or not np.isfinite(rows).all():
        raise FacesError(
            f"--kernel {text}: expected finite numbers, at most {MAX_KERNEL_SIZE} rows and columns of them"
        )
    return np.array(rows, np.float32)
