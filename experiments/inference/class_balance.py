"""Predictions for a whole set of images, of which it is known how often it shows each person.

The test images of a competition are often balanced: equally many of each person, or the same fraction of each person's.
Predicting image by image names some people too often and others hardly ever. Here each person's logits are shifted by
one number, so that over all images each person gets the known share. Thus a prediction depends on the other images:
this is for a set that is submitted as a whole. Sources: Sinkhorn and Knopp 1967; Cuturi 2013, arXiv 1306.0895; for
unlabeled images in few-shot learning, Hu et al. 2020, arXiv 2006.03806.
"""

import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from experiments.data.folders import find_identities
from experiments.data.sources import is_packed, open_pack
from experiments.errors import FacesError
from experiments.metrics.classification import ROWS
from experiments.progress import track

EVEN = "even"

MAX_ROUNDS, TOLERANCE = 200, 0.01
"""Rounds of balancing; fewer once the logarithm of every person's share is within the tolerance of the known one's."""


def read_class_frequencies(balance: str | os.PathLike[str], people: Sequence[str]) -> np.ndarray:
    """Return the fraction of the images that shows each of `people` (C,).

    balance: "even" for equal fractions, or a folder of identities, for those in it.

    Raises FacesError for a folder that does not hold these people.
    """
    if str(balance) == EVEN:
        return np.full(len(people), 1 / len(people))
    try:
        found = open_pack(balance, "train").people if is_packed(balance) else find_identities(balance)
    except FacesError as error:
        raise FacesError(f"--balance {error}; or give {EVEN}, for people shown equally often") from error
    if strange := set(found.names) ^ set(people):
        raise FacesError(
            f"--balance {balance}: {len(found.names)} people, other than the {len(people)} that the run knows, such as "
            f"{min(strange)}: expected a folder of the people it was trained on, or {EVEN}"
        )
    counts = dict(zip(found.names, np.bincount(found.labels).tolist(), strict=True))
    return np.array([counts[name] for name in people]) / len(found)


def balance_logits(logits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return logits (N, C) shifted by one number per person, so that probabilities sum to N times the shares (C,).

    Raises FacesError for fewer images than people, which do not show how often each occurs.
    """
    count, classes = logits.shape
    if count < classes:
        raise FacesError(
            f"--balance: {count} images of {classes} people: expected at least as many images as people, because all "
            "are divided among them; leave it out for single images"
        )
    shifts = np.zeros(classes)
    with track("balancing", MAX_ROUNDS, "rounds") as advance:
        for done in range(MAX_ROUNDS):
            lacking = np.log(shares * count) - np.log(
                np.maximum(_sum_probabilities(logits, shifts), np.finfo(float).tiny)
            )
            shifts += lacking
            if np.abs(lacking).max() < TOLERANCE:
                break
            advance(done + 1, MAX_ROUNDS)
    return logits + shifts.astype(logits.dtype)


def balance_chunks(chunks: Iterable[np.ndarray], shares: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield logits that come in chunks as they are, or, with shares, all of them balanced together."""
    if shares is None:
        yield from chunks
    else:
        yield balance_logits(np.concatenate(list(chunks)), shares)


def _sum_probabilities(logits: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return the probabilities of each person, summed over the images (C,)."""
    sums = np.zeros(logits.shape[1])
    for start in range(0, len(logits), ROWS):
        rows = logits[start : start + ROWS] + shifts
        rows -= rows.max(1, keepdims=True)
        np.exp(rows, out=rows)
        sums += (1 / rows.sum(1)) @ rows
    return sums
