"""Answers to a whole set of pictures, of which it is known how often it shows each person.

A competition's test pictures are often drawn evenly: as many of each person, or the same share of each person's. A
network that is asked picture by picture calls some faces too often and others hardly ever. Here each person's logits
are raised or lowered by one number, so that over all pictures each person gets the share that is known. So an answer
depends on the other pictures: this is for a set that is handed in as a whole. Sources: Sinkhorn and Knopp 1967; Cuturi
2013, arXiv 1306.0895; for unlabelled pictures of few examples, Hu et al. 2020, arXiv 2006.03806.
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
"""At most so many rounds, fewer once every person's number of pictures is within that share of the known one."""


def read_class_frequencies(balance: str | os.PathLike[str], people: Sequence[str]) -> np.ndarray:
    """The share of the pictures that shows each of `people` (C,): all alike ("even"), or as in a folder of identities.

    Raises FacesError for a folder that does not hold these people.
    """
    if str(balance) == EVEN:
        return np.full(len(people), 1 / len(people))
    try:
        found = open_pack(balance, "train").people if is_packed(balance) else find_identities(balance)
    except FacesError as error:
        raise FacesError(f"--balance {error}; or say {EVEN}, for people shown equally often") from error
    if strange := set(found.names) ^ set(people):
        raise FacesError(
            f"--balance {balance}: {len(found.names)} people, other than the {len(people)} that the run knows, such as "
            f"{min(strange)}: expected a folder of the people it was trained on, or {EVEN}"
        )
    counts = dict(zip(found.names, np.bincount(found.labels).tolist(), strict=True))
    return np.array([counts[name] for name in people]) / len(found)


def balance_logits(logits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Logits (N, C) and a number for each person, such that probabilities sum to N times the shares (C,).

    Raises FacesError for fewer pictures than people, which say nothing of how often each is shown.
    """
    count, classes = logits.shape
    if count < classes:
        raise FacesError(
            f"--balance: {count} pictures of {classes} people: expected as many pictures as people or more, as all "
            "are shared out together; leave it out for single pictures"
        )
    raised = np.zeros(classes)
    with track("balancing", MAX_ROUNDS, "rounds") as advance:
        for done in range(MAX_ROUNDS):
            lacking = np.log(shares * count) - np.log(np.maximum(_sums(logits, raised), np.finfo(float).tiny))
            raised += lacking
            if np.abs(lacking).max() < TOLERANCE:
                break
            advance(done + 1, MAX_ROUNDS)
    return logits + raised.astype(logits.dtype)


def balance_chunks(parts: Iterable[np.ndarray], shares: np.ndarray | None) -> Iterator[np.ndarray]:
    """Logits that come some pictures at a time: as they come, or with shares all of them, balanced together."""
    if shares is None:
        yield from parts
    else:
        yield balance_logits(np.concatenate(list(parts)), shares)


def _sums(logits: np.ndarray, raised: np.ndarray) -> np.ndarray:
    """The probabilities of each person, summed over the pictures (C,)."""
    sums = np.zeros(logits.shape[1])
    for start in range(0, len(logits), ROWS):
        some = logits[start : start + ROWS] + raised
        some -= some.max(1, keepdims=True)
        np.exp(some, out=some)
        sums += (1 / some.sum(1)) @ some
    return sums
