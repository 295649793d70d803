"""The EER of validation pictures: how well embeddings tell people apart, whatever the head."""

import numpy as np

from experiments.config.recipe import Recipe
from experiments.data.dataset import Faces
from experiments.errors import FacesError
from experiments.metrics.roc import roc

ALL = 1500
"""Of so many pictures, every pair counts."""

NEXT, DRAWN, SEED = 20, 300_000, 0
"""Of more: each picture's with the next ones of the same person, and so many pairs drawn by lot, less those."""

CHUNK = 50_000
"""Pairs scored at a time."""


def validation_eer(vectors: np.ndarray, labels: np.ndarray) -> float | None:
    """The EER of pairs of embeddings (N, D) of length one by labels (N,); none where there are not both kinds of pairs.

    It is none for embeddings that are not finite, too: what has become of the network, its loss says.
    """
    if not np.isfinite(vectors).all():
        return None
    first, second = pairs_of(labels)
    matches = labels[first] == labels[second]
    if matches.all() or not matches.any():
        return None
    starts = range(0, len(first), CHUNK)
    scores = [np.einsum("nd,nd->n", vectors[first[at : at + CHUNK]], vectors[second[at : at + CHUNK]]) for at in starts]
    return roc(np.concatenate(scores), matches).eer()


def pairs_of(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that count, as places (P,) of their first and second picture: all, or of many pictures some."""
    count = len(labels)
    if count <= ALL:
        return np.triu_indices(count, 1)
    order = np.argsort(labels, kind="stable")
    near = [(order[:-step], order[step:]) for step in range(1, NEXT + 1)]
    first, second = (np.concatenate(side) for side in zip(*near, strict=True))
    genuine = labels[first] == labels[second]
    drawn = np.random.default_rng(SEED).integers(0, count, (2, DRAWN))
    impostor = labels[drawn[0]] != labels[drawn[1]]
    return (
        np.concatenate([first[genuine], drawn[0][impostor]]),
        np.concatenate([second[genuine], drawn[1][impostor]]),
    )


def refuse_unpaired(recipe: Recipe, validation: Faces) -> None:
    """Raise FacesError where epochs are to be compared by an EER that the validation pictures cannot have."""
    if recipe.training.select == "eer" and len(validation):
        counts = np.bincount(validation.labels)
        if counts.max() < 2 or (counts > 0).sum() < 2:
            raise FacesError(
                f"training.select=eer: the {len(validation)} validation pictures show nobody twice, or one person "
                "alone; expected pairs of both kinds: set split.train lower, or training.select=top1"
            )
