"""Metrics of identification: which person of a gallery is this, or a stranger?

Closed set: everybody in question is in the gallery (rank-k, CMC). Open set: some are strangers, who must not be given
a name (DIR at FAR; Phillips, Grother and Micheals, Handbook of Face Recognition, 2011).
"""

from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError

STRANGER = -1


def match_ranks(similarity: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the rank of the right person for each probe, (P,): 1 is the first. A tie counts against the network.

    similarity: (P, G), probes by people of the gallery; truth: (P,), the right column.
    """
    _validate(similarity, truth)
    own = np.take_along_axis(similarity, truth[:, None], 1)
    return (~(similarity < own)).sum(1)


def rank_k_rate(ranks: np.ndarray, k: int) -> float:
    """Return the fraction of probes whose right person is among the first k."""
    return float((ranks <= k).mean())


def cmc_curve(ranks: np.ndarray, most: int) -> np.ndarray:
    """Return the cumulative match characteristic, (most,): the rank-1, rank-2, ... rates."""
    return np.cumsum(np.bincount(np.minimum(ranks, most + 1), minlength=most + 2)[1 : most + 1]) / len(ranks)


@dataclass(frozen=True, eq=False)
class OpenSetScores:
    """What a gallery answers for people in it and for strangers.

    right (K,): the best score of each known probe, minus infinity where it is another person's. strangers (S,): the
    best score of each stranger.
    """

    right: np.ndarray
    strangers: np.ndarray

    def far(self, threshold: float) -> float:
        """Fraction of strangers who are given a name."""
        return float((self.strangers >= threshold).mean())

    def dir(self, threshold: float) -> float:
        """Detection and identification rate: the fraction of known probes who are given their own name."""
        return float((self.right >= threshold).mean())

    def accuracy(self, threshold: float) -> float:
        """Fraction of all probes answered correctly: the known by their name, the strangers by none."""
        good = (self.right >= threshold).sum() + (self.strangers < threshold).sum()
        return float(good / (len(self.right) + len(self.strangers)))

    def threshold_at(self, far: float) -> float:
        """The lowest threshold at which at most a fraction `far` of the strangers are given a name."""
        allowed = int(np.floor(far * len(self.strangers) + 1e-9))
        falling = np.append(np.sort(self.strangers)[::-1], -np.inf)
        return float(np.nextafter(falling[allowed], np.inf))

    def dir_at(self, far: float) -> float:
        """DIR at that threshold."""
        return self.dir(self.threshold_at(far))

    def best_threshold(self) -> float:
        """A threshold that maximizes `accuracy`, halfway between the scores around it."""
        scores = np.unique(np.concatenate([self.right[np.isfinite(self.right)], self.strangers]))
        ends = np.nextafter(scores[[0, -1]], (-np.inf, np.inf))
        middles = np.concatenate([ends[:1], (scores[1:] + scores[:-1]) / 2, ends[1:]])
        rejected = np.searchsorted(np.sort(self.strangers), middles)
        named = len(self.right) - np.searchsorted(np.sort(self.right), middles)
        return float(middles[int((rejected + named).argmax())])


def open_set_scores(similarity: np.ndarray, truth: np.ndarray) -> OpenSetScores:
    """Split similarity (P, G) into the scores of known probes and of strangers; truth (P,): the column, or STRANGER.

    Raises FacesError where the probes are not of both kinds.
    """
    _validate(similarity, truth)
    stranger = truth == STRANGER
    if stranger.all() or not stranger.any():
        what = "a stranger" if stranger.all() else "in the gallery"
        raise FacesError(f"each of the {len(truth)} probes is {what}: an open set needs both kinds")
    known, ranks = similarity[~stranger], match_ranks(similarity[~stranger], truth[~stranger])
    right = np.where(ranks == 1, known.max(1), -np.inf)
    return OpenSetScores(right, similarity[stranger].max(1))


def _validate(similarity: np.ndarray, truth: np.ndarray) -> None:
    if similarity.ndim != 2 or len(similarity) != len(truth) or not len(truth):
        raise ValueError(f"similarity of shape {similarity.shape} and truth of {truth.shape}, expected (P, G) and (P,)")
    if not np.isfinite(similarity).all():
        raise FacesError("a similarity is not finite: did the training diverge? train the run again")
    if truth.min() < STRANGER or truth.max() >= similarity.shape[1]:
        raise ValueError(f"truth is {truth.min()} to {truth.max()}, with {similarity.shape[1]} people in the gallery")
