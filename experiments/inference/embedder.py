"""A network that turns aligned faces into embeddings, and whitening of embeddings.

Embeddings can be adapted to another kind of image by whitening with images of other people, without labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.data.images import fit_image, load_images
from experiments.data.preparation import Preparation
from experiments.errors import FacesError

RIDGE = 0.5
"""Added to the variance of each direction, as a fraction of the mean variance, because few images estimate it badly."""


@dataclass(frozen=True)
class Embedder:
    """A network that embeds.

    title: its name for people. folder: where its thresholds are stored. fingerprint: a hash of its weights. size:
    (height, width) of its images. vectors: function from images (N, H, W, 3) uint8, and whether to add the mirror
    image's embedding, to embeddings (N, D) float32 of length 1. source: for a frozen network, the backbone's name and
    the file of its weights. preparation: how the images that it learned from were prepared, if recorded.
    """

    title: str
    folder: Path | None
    fingerprint: str
    size: tuple[int, int]
    vectors: Callable[[np.ndarray, bool], np.ndarray]
    source: tuple[str, str] | None = None
    preparation: Preparation | None = None

    def embed(self, images: np.ndarray, flip: bool = True, zooms: Sequence[float] = (1.0,)) -> np.ndarray:
        """Return embeddings (N, D) of length 1, of images (N, H, W, 3) uint8.

        flip: adds the mirror image's. zooms: adds those of the image's center, enlarged by each factor. Raises
        FacesError where they are zero or not finite.
        """
        views = (images if zoom == 1 else np.stack([zoom_center(image, zoom) for image in images]) for zoom in zooms)
        return normalize_embeddings(np.sum([self.vectors(view, flip) for view in views], axis=0))

    def embed_files(
        self, paths: Sequence[Path], flip: bool = True, zooms: Sequence[float] = (1.0,), chunk: int = 4096
    ) -> np.ndarray:
        """Return embeddings (N, D) of image files of aligned faces, with `chunk` images in memory at a time."""
        starts = range(0, len(paths), chunk)
        parts = (load_images(paths[start : start + chunk], self.size, "crop") for start in starts)
        return np.concatenate([self.embed(images, flip, zooms) for images in parts])


def zoom_center(image: np.ndarray, zoom: float) -> np.ndarray:
    """Return the center of an image (H, W, 3) uint8, enlarged by `zoom`, at least 1, to the image's size."""
    if zoom == 1:
        return image
    height, width = image.shape[:2]
    inner_h, inner_w = round(height / zoom), round(width / zoom)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    return fit_image(image[top : top + inner_h, left : left + inner_w], (height, width), "stretch")


def normalize_embeddings(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (N, D) scaled to length 1, float32. Raises FacesError where one is zero or not finite."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise FacesError(
            "an embedding is zero or not finite: the network's weights are damaged, or its training diverged: get the "
            "weights again, or train again"
        )
    return (vectors / lengths).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Whitening:
    """Centers embeddings and divides each direction by its spread over a cohort of other people.

    A network trained on one collection spreads the faces of another unevenly: some directions reflect the collection
    (its light, its crops) and outweigh those that reflect the person. Dividing by the spread evens them. Jegou and Chum
    2012, "Negative evidences and co-occurrences in image retrieval", section 3. No pair and no label is used.

    mean: (D,). matrix: (D, D), by which centered embeddings are multiplied from the right.
    """

    mean: np.ndarray
    matrix: np.ndarray

    @classmethod
    def fit(cls, cohort: np.ndarray, ridge: float = RIDGE) -> "Whitening":
        """Fit to a cohort's embeddings (C, D) of length 1. Raises FacesError for a cohort no larger than D."""
        count, length = cohort.shape
        if count <= length:
            raise FacesError(
                f"a cohort of {count} images is too small for embeddings of length {length}: give more than "
                f"{length}, better several times as many"
            )
        wide = cohort.astype(np.float64)
        variances, directions = np.linalg.eigh(np.cov(wide.T))
        if not variances[-1] > 1e-9:
            raise FacesError("the cohort's images are all alike: give images of many people")
        return cls(wide.mean(0), directions / np.sqrt(variances + ridge * variances.mean()))

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Return embeddings (N, D) centered, whitened, and scaled to length 1 again."""
        return normalize_embeddings((embeddings.astype(np.float64) - self.mean) @ self.matrix)
