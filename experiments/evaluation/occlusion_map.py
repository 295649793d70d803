"""What a decision rests on: cover a place of one face, and see how much less alike the two become.

Zeiler and Fergus 2014, arXiv 1311.2901, section 4.2, for a pair: the answer is a similarity, not a class.
"""

from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.inference.embedder import Embedder
from experiments.plots.training import figure, write_figure
from experiments.progress import say

GREY = 128


def occlusion_map(
    embedder: Embedder, image: np.ndarray, other: np.ndarray, patch: int = 0, stride: int = 0, flip: bool = True
) -> np.ndarray:
    """How much the similarity falls where each pixel is covered, (H, W), on average: positive where it was for.

    image, other: (H, W, 3) uint8; patch: the side of the grey square in pixels, a sixth of the picture by default;
    stride: between its places, a third of it by default. With `flip`, the mirror image is covered, too.
    """
    height, width = image.shape[:2]
    patch = patch or max(1, min(height, width) // 6)
    stride = stride or max(1, patch // 3)
    places = list(product(range(0, height - patch + 1, stride), range(0, width - patch + 1, stride)))
    covered = np.repeat(image[None], len(places), 0)
    for n, (top, left) in enumerate(places):
        covered[n, top : top + patch, left : left + patch] = GREY
    vectors = embedder.embed(np.concatenate([image[None], other[None], covered]), flip).astype(np.float64)
    similarity = vectors @ vectors[1]
    falls, times = np.zeros((2, height, width))
    for fall, (top, left) in zip(similarity[0] - similarity[2:], places, strict=True):
        falls[top : top + patch, left : left + patch] += fall
        times[top : top + patch, left : left + patch] += 1
    return falls / np.maximum(times, 1)


def draw_occlusion_maps(
    first: np.ndarray, second: np.ndarray, maps: tuple[np.ndarray, np.ndarray], path: Path, title: str
) -> None:
    """Both faces, each beside itself with its map over it: red where covering makes them less alike, blue more."""
    drawing, axes = figure(4, 2.5, 2.9)
    most = max(float(np.abs(values).max()) for values in maps) or 1.0
    shades = None
    for place, (image, values) in enumerate(zip((first, second), maps, strict=True)):
        axes[2 * place].imshow(image)
        axes[2 * place + 1].imshow(np.asarray(Image.fromarray(image).convert("L")), cmap="gray")
        shades = axes[2 * place + 1].imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, alpha=0.6)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
        axis.spines[:].set_visible(False)
    drawing.colorbar(shades, ax=axes[-1], shrink=0.7, label="fall of the similarity")  # type: ignore[arg-type]
    drawing.suptitle(title)
    write_figure(drawing, path)


def explain_pair(embedder: Embedder, first: np.ndarray, second: np.ndarray, out: Path) -> None:
    """Draw both faces' maps into a picture. first, second: (H, W, 3) uint8, as the network takes them."""
    maps = (occlusion_map(embedder, first, second), occlusion_map(embedder, second, first))
    one, other = embedder.embed(np.stack([first, second])).astype(np.float64)
    draw_occlusion_maps(first, second, maps, out, f"What a similarity of {one @ other:.3f} rests on")
    say(f"{out}: red where covering the place makes the two less alike, blue where more")
