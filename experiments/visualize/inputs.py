"""What an operation is shown on: a face small enough for its pixels to be seen, and kernels by name or as typed."""

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

MIN_SIZE, MAX_SIZE = 6, 96
RENDER_SIZE = 96
"""Pixels per side at which a synthetic face is rendered before it is scaled down."""


def load_gray_face(size: int = 24, path: Path | None = None, seed: int = 1) -> np.ndarray:
    """Return a gray face, (size, size) float32 from 0 to 1: the middle of an image file, or a synthetic frontal face.

    seed: of the synthetic face. Raises FacesError for an image that cannot be read, or a size that cannot be shown.
    """
    gray = Image.fromarray(load_color_face(size, path, seed)).convert("L")
    return (np.asarray(gray) / 255).astype(np.float32)


def load_color_face(size: int = 24, path: Path | None = None, seed: int = 1, number: int = 0) -> np.ndarray:
    """Return the same in color, (size, size, 3) uint8. number: which of the people of a seed."""
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise FacesError(f"--size {size}: expected {MIN_SIZE} to {MAX_SIZE} pixels per side, few enough to be seen")
    pixels = read_image(path) if path else _render(seed, number)
    return fit_image(pixels, (size, size), "crop")


def _render(seed: int, number: int) -> np.ndarray:
    """A synthetic face from the front, centered and sharp."""
    scene = draw_scene(seed, number, 0)
    camera = replace(scene.camera, scale=0.38, center=(0.5, 0.52), blur=0.0, noise=0.0, contrast=1.1)
    front = replace(scene, pose=Pose(0.15, 0.0, 0.0), occlusion=None, camera=camera)
    return render(draw_identity(seed, number), front, RENDER_SIZE)


KERNELS = {
    "edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "lines": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "outline": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
}
"""Vertical edges (dark left of bright), horizontal lines (dark above bright), Laplace's outline, a mean, contrast."""

MAX_KERNEL_SIZE = 5


def read_kernel(text: str) -> np.ndarray:
    """Return a kernel (KH, KW) float32 from its name, or from rows of numbers such as "1,0,-1/2,0,-2/1,0,-1".

    Raises FacesError for an unknown name, and for rows that are not numbers, or of different lengths.
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
        raise FacesError(
            f"--kernel {text}: rows of {[len(row) for row in rows]} numbers; expected the same number in each"
        )
    if max(len(rows), len(rows[0])) > MAX_KERNEL_SIZE or not np.isfinite(rows).all():
        raise FacesError(
            f"--kernel {text}: expected finite numbers, at most {MAX_KERNEL_SIZE} rows and columns of them"
        )
    return np.array(rows, np.float32)
