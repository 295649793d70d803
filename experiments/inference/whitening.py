"""Embeddings made fit for another kind of picture: centred and whitened by pictures of other people, without names.

A network trained on one collection spreads the faces of another unevenly: some directions tell of the collection (its
light, its crops) and outweigh those that tell of the person. Dividing each direction by its spread over a cohort of
that collection evens them (Jegou and Chum 2012, "Negative evidences and co-occurrences in image retrieval", section 3).
No pair and no name is used.
"""

from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError
from experiments.inference.embedder import normalised

RIDGE = 0.5
"""Added to the variance of each direction, as a share of the mean variance: what few pictures know of it is rough."""


@dataclass(frozen=True, eq=False)
class Whitening:
    """mean: (D,); matrix: (D, D), by which centred embeddings are multiplied from the right."""

    mean: np.ndarray
    matrix: np.ndarray

    @classmethod
    def of(cls, cohort: np.ndarray, ridge: float = RIDGE) -> "Whitening":
        """Learn from a cohort's embeddings (C, D), length 1. Raises FacesError for one smaller than D."""
        count, length = cohort.shape
        if count <= length:
            raise FacesError(
                f"a cohort of {count} pictures cannot say how {length} numbers vary: give more than {length}, better "
                "several times that"
            )
        wide = cohort.astype(np.float64)
        variances, directions = np.linalg.eigh(np.cov(wide.T))
        if not variances[-1] > 1e-9:
            raise FacesError("the cohort's pictures are all alike: give pictures of many people")
        return cls(wide.mean(0), directions / np.sqrt(variances + ridge * variances.mean()))

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Embeddings (N, D) centred, whitened, and brought to length 1 again."""
        return normalised((embeddings.astype(np.float64) - self.mean) @ self.matrix)
