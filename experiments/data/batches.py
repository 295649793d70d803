"""Batches: pictures as the network wants them, in an order that seed and epoch decide."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from experiments.config.recipe import Data, Recipe
from experiments.data.augment import Augmentation
from experiments.data.dataset import Faces


@dataclass(frozen=True)
class Batch:
    """pixels: (n, 3, H, W) floating, normalised; labels: (n,) int64."""

    pixels: np.ndarray
    labels: np.ndarray


class Batches:
    """Training's batches, shuffled and augmented anew each epoch, the same for the same seed and epoch.

    A last batch of a single picture joins the one before: batch norm needs two.
    """

    def __init__(self, faces: Faces, recipe: Recipe, dtype: type = np.float32):
        self.faces, self.data, self.dtype, self.seed = faces, recipe.data, dtype, recipe.seed
        self.augment = Augmentation(recipe.augment, recipe.seed)
        count, size = len(faces), recipe.batch_size
        starts = list(range(0, count, size))
        if len(starts) > 1 and count - starts[-1] == 1:
            starts.pop()
        self.bounds = list(zip(starts, [*starts[1:], count], strict=True))

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.bounds)

    def epoch(self, number: int) -> Iterator[Batch]:
        """One epoch's batches."""
        order = np.random.default_rng((self.seed, number)).permutation(len(self.faces))
        for start, end in self.bounds:
            chosen = order[start:end]
            images = self.augment(self.faces.images[chosen], chosen, number)
            yield Batch(normalised(images, self.data, self.dtype), self.faces.labels[chosen])


def normalised(images: np.ndarray, data: Data, dtype: type = np.float32) -> np.ndarray:
    """(n, H, W, 3) uint8 to (n, 3, H, W): pixels from 0 to 1, less the recipe's mean, over its deviation,
    of all channels or each.

    The memory stays channels last, as mytorch's convolutions like it.
    """
    pixels: np.ndarray = images.astype(dtype)
    pixels -= (255 * np.asarray(data.mean)).astype(dtype)
    pixels /= (255 * np.asarray(data.std)).astype(dtype)
    return np.moveaxis(pixels, -1, 1)
