"""Figures of identification: who of a gallery is this, or nobody?

Closed set: everybody asked for is in the gallery (rank-k, CMC). Open set: some are not, and the answer to them should
be "nobody" (DIR at FAR; Phillips, Grother and Micheals, Handbook of Face Recognition, 2011).
"""

from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError

NOBODY = -1


def match_ranks(similarity: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Which place the right person takes for each probe, (P,): 1 is the first. A tie counts against the network.

    similarity: (P, G), probes by people of the gallery; truth: (P,), the right column.
    """
    _check(similarity, truth)
    own = np.take_along_axis(similarity, truth[:, None], 1)
    return (~(similarity < own)).sum(1)


def rank_k_rate(places: np.ndarray, k: int) -> float:
    """Share of probes whose right person is among the first k."""
    return float((places <= k).mean())


def cmc_curve(places: np.ndarray, most: int) -> np.ndarray:
    """Cumulative match characteristic, (most,): rank-1, rank-2, ... as shares of the probes."""
    return np.cumsum(np.bincount(np.minimum(places, most + 1), minlength=most + 2)[1 : most + 1]) / len(places)


@dataclass(frozen=True, eq=False)
class OpenSetScores:
    """What a gallery answers to people in it and to strangers.

    right (K,): the best score of each known probe, minus infinity where it is another person's; strangers (S,): the
    best score of each probe of nobody in the gallery.
    """

    right: np.ndarray
    strangers: np.ndarray

    def far(self, threshold: float) -> float:
        """Share of strangers who are given a name."""
        return float((self.strangers >= threshold).mean())

    def dir(self, threshold: float) -> float:
        """Detection and identification rate: share of known probes who are given their name."""
        return float((self.right >= threshold).mean())

    def accuracy(self, threshold: float) -> float:
        """Share of all probes answered rightly: the known by name, the strangers by "nobody"."""
        good = (self.right >= threshold).sum() + (self.strangers < threshold).sum()
        return float(good / (len(self.right) + len(self.strangers)))

    def threshold_at(self, far: float) -> float:
        """The lowest threshold at which no more than a share `far` of the strangers are given a name."""
        allowed = int(np.floor(far * len(self.strangers) + 1e-9))
        falling = np.append(np.sort(self.strangers)[::-1], -np.inf)
        return float(np.nextafter(falling[allowed], np.inf))

    def dir_at(self, far: float) -> float:
        """DIR at that threshold."""
        return self.dir(self.threshold_at(far))

    def best_threshold(self) -> float:
        """A threshold at which `accuracy` is largest, halfway between the scores around it."""
        scores = np.unique(np.concatenate([self.right[np.isfinite(self.right)], self.strangers]))
        ends = np.nextafter(scores[[0, -1]], (-np.inf, np.inf))
        middles = np.concatenate([ends[:1], (scores[1:] + scores[:-1]) / 2, ends[1:]])
        refused = np.searchsorted(np.sort(self.strangers), middles)
        named = len(self.right) - np.searchsorted(np.sort(self.right), middles)
        return float(middles[int((refused + named).argmax())])


def open_set_scores(similarity: np.ndarray, truth: np.ndarray) -> OpenSetScores:
    """Judge similarity (P, G) against truth (P,): the right column, or NOBODY for a stranger.

    Raises FacesError where there are no strangers, or nobody else.
    """
    _check(similarity, truth)
    stranger = truth == NOBODY
    if stranger.all() or not stranger.any():
        what = "a stranger" if stranger.all() else "in the gallery"
        raise FacesError(f"each of the {len(truth)} probes is {what}: an open set needs both")
    known, places = similarity[~stranger], match_ranks(similarity[~stranger], truth[~stranger])
    right = np.where(places == 1, known.max(1), -np.inf)
    return OpenSetScores(right, similarity[stranger].max(1))


def _check(similarity: np.ndarray, truth: np.ndarray) -> None:
    if similarity.ndim != 2 or len(similarity) != len(truth) or not len(truth):
        raise ValueError(f"similarity of shape {similarity.shape} and truth of {truth.shape}, expected (P, G) and (P,)")
    if not np.isfinite(similarity).all():
        raise FacesError("a similarity is not a finite number: did the network diverge?")
    if truth.min() < NOBODY or truth.max() >= similarity.shape[1]:
        raise ValueError(f"truth runs from {truth.min()} to {truth.max()}, with {similarity.shape[1]} in the gallery")
