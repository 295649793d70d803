"""People with few images count as much as people with many: weights of the loss, or a balanced order of an epoch."""

import numpy as np

from experiments.config.schema import LossSettings


def compute_class_weights(counts: np.ndarray, settings: LossSettings) -> np.ndarray | None:
    """Return the weight of each person's loss, (C,) float64, from their numbers of training images (C,); None for none.

    balanced: 1 / n, as scikit-learn's class_weight="balanced" (King and Zeng 2001, "Logistic Regression in Rare Events
    Data"). effective: (1 - beta) / (1 - beta ** n), where (1 - beta ** n) / (1 - beta) is the effective number of n
    images (Cui et al. 2019, arXiv 1901.05555, equation 4). Both are scaled so that the mean over all training images is
    1: the learning rate keeps its meaning. A person without images has weight 0.
    """
    present = counts > 0
    numbers = np.where(present, counts, 1).astype(np.float64)
    if settings.class_weights == "balanced":
        weights = 1 / numbers
    elif settings.class_weights == "effective":
        weights = (1 - settings.beta) / -np.expm1(numbers * np.log(settings.beta))  # exact for a beta near 1
    else:
        return None
    weights = np.where(present, weights, 0.0)
    scaled: np.ndarray = weights * (counts.sum() / (weights * counts).sum())
    return scaled


def balanced_order(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw as many images as there are, equally many of each person, to within one.

    labels: (N,) of the images. A person's images are all drawn once before any is drawn again. Returns two arrays (N,),
    in random order: the images' numbers, and how often each was drawn before.
    """
    people, counts = np.unique(labels, return_counts=True)
    quota = np.full(len(people), len(labels) // len(people))
    quota[rng.permutation(len(people))[: len(labels) % len(people)]] += 1
    by_person = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    images, repeats = [], []
    for own, wanted in zip(by_person, quota, strict=True):
        rounds = -(-int(wanted) // len(own))
        images.append(np.concatenate([rng.permutation(own) for _ in range(rounds)] or [own[:0]])[:wanted])
        repeats.append(np.arange(wanted) // len(own))
    order = rng.permutation(len(labels))
    return np.concatenate(images)[order], np.concatenate(repeats)[order]
