"""The EER of validation images: how well embeddings tell people apart, whatever the head."""

import numpy as np

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces
from experiments.errors import FacesError
from experiments.metrics.roc import roc_curve

MAX_IMAGES_FOR_ALL_PAIRS = 1500
"""Up to this many images, every pair counts."""

NEIGHBORS_PER_IMAGE, RANDOM_PAIRS, PAIR_SEED = 20, 300_000, 0
"""Beyond it: each image with the next ones of the same person, and the pairs of different people among random ones."""

PAIRS_PER_CHUNK = 50_000


def compute_validation_eer(vectors: np.ndarray, labels: np.ndarray) -> float | None:
    """Return the EER of pairs of embeddings (N, D) of length one by labels (N,).

    None where there are not both kinds of pairs, and where embeddings are not finite: the loss then says so.
    """
    if not np.isfinite(vectors).all():
        return None
    first, second = select_pairs(labels)
    matches = labels[first] == labels[second]
    if matches.all() or not matches.any():
        return None
    chunks = [slice(start, start + PAIRS_PER_CHUNK) for start in range(0, len(first), PAIRS_PER_CHUNK)]
    scores = [np.einsum("nd,nd->n", vectors[first[chunk]], vectors[second[chunk]]) for chunk in chunks]
    return roc_curve(np.concatenate(scores), matches).eer()


def select_pairs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices (P,) of the first and second image of the pairs that count: all, or a sample of many."""
    count = len(labels)
    if count <= MAX_IMAGES_FOR_ALL_PAIRS:
        return np.triu_indices(count, 1)
    order = np.argsort(labels, kind="stable")
    near = [(order[:-step], order[step:]) for step in range(1, NEIGHBORS_PER_IMAGE + 1)]
    first, second = (np.concatenate(side) for side in zip(*near, strict=True))
    genuine = labels[first] == labels[second]
    drawn = np.random.default_rng(PAIR_SEED).integers(0, count, (2, RANDOM_PAIRS))
    impostor = labels[drawn[0]] != labels[drawn[1]]
    return (
        np.concatenate([first[genuine], drawn[0][impostor]]),
        np.concatenate([second[genuine], drawn[1][impostor]]),
    )


def refuse_unpaired(recipe: Recipe, validation: Faces) -> None:
    """Raise FacesError where epochs are to be compared by an EER that the validation images cannot have."""
    if recipe.training.select == "eer" and len(validation):
        counts = np.bincount(validation.labels)
        if counts.max() < 2 or (counts > 0).sum() < 2:
            raise FacesError(
                f"training.select=eer: the {len(validation)} validation images show no person twice, or only one "
                "person; expected pairs of both kinds: set split.train lower, or training.select=top1"
            )
