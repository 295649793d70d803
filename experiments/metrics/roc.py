"""Verification metrics over every threshold: ROC, DET, AUC, EER, TAR at FAR, and the accuracy over LFW's folds.

A pair is genuine where both images show one person, impostor where they show two. It is accepted where its score is at
least the threshold. FAR, the false-match rate: the fraction of impostor pairs accepted;
TAR: of genuine pairs accepted; FRR = 1 - TAR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.errors import FacesError
from experiments.progress import format_count

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
MIN_ERRORS = 30
"""Errors below which a rate is a rough estimate: 30 hold it within 30 % at 90 % confidence (Doddington's rule)."""


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Every distinct decision that a threshold can make.

    thresholds (K,): falling, first inf, then each score that occurs. genuine, impostor (K,): the pairs, or the sum of
    their weights, that score at least as much, so rising from 0 to all of them.
    """

    thresholds: np.ndarray
    genuine: np.ndarray
    impostor: np.ndarray

    @cached_property
    def tar(self) -> np.ndarray:
        """Fraction of genuine pairs accepted at each threshold, (K,)."""
        return self.genuine / self.genuine[-1]

    @cached_property
    def far(self) -> np.ndarray:
        """Fraction of impostor pairs accepted at each threshold, (K,)."""
        return self.impostor / self.impostor[-1]

    @cached_property
    def frr(self) -> np.ndarray:
        """Fraction of genuine pairs rejected at each threshold, (K,): plotted over `far` it is the DET curve."""
        return (self.genuine[-1] - self.genuine) / self.genuine[-1]

    def auc(self) -> float:
        """Area under TAR over FAR by the trapezoidal rule: P(genuine score > impostor score), a tie counting half."""
        return float(np.trapezoid(self.tar, self.far))

    def eer(self) -> float:
        """Equal error rate: where FAR equals FRR, on the straight line between the two thresholds around it."""
        before, fraction = self._crossing()
        return float(self.far[before] + fraction * (self.far[before + 1] - self.far[before]))

    def eer_threshold(self) -> float:
        """Threshold at which FAR and FRR are closest to each other."""
        before, fraction = self._crossing()
        return self.threshold(before + (fraction >= 0.5))

    def tar_at(self, far: float) -> float:
        """TAR at the lowest threshold whose FAR is at most `far`."""
        return float(self.tar[self.index_at(far)])

    def threshold_at(self, far: float) -> float:
        """The threshold of `tar_at`."""
        return self.threshold(self.index_at(far))

    def index_at(self, far: float) -> int:
        """Index of the lowest threshold whose FAR is at most `far`."""
        return int(np.searchsorted(self.far, far, side="right")) - 1

    def supports(self, far: float) -> bool:
        """Whether there are enough impostor pairs that a FAR of `far` is at least one of them."""
        return bool(far * self.impostor[-1] >= 1 - 1e-9)

    def rates_at(self, threshold: float) -> tuple[float, float]:
        """FAR and FRR at any threshold."""
        index = int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1
        return float(self.far[index]), float(self.frr[index])

    def best_accuracy(self) -> tuple[float, float]:
        """The largest fraction of all pairs decided correctly, and a threshold that reaches it."""
        right = self.genuine + (self.impostor[-1] - self.impostor)
        index = int(right.argmax())
        return float(right[index] / (self.genuine[-1] + self.impostor[-1])), self.threshold(index)

    def threshold(self, index: int) -> float:
        """A threshold that decides these pairs as the one at `index` does, as far as possible from any score."""
        if index + 1 == len(self.thresholds):
            return float(self.thresholds[-1])
        if index == 0:
            return float(np.nextafter(self.thresholds[1], np.inf))
        return float((self.thresholds[index] + self.thresholds[index + 1]) / 2)

    def _crossing(self) -> tuple[int, float]:
        """The last point with FAR below FRR, and how far on the line to the next point the two meet, 0 to 1."""
        gap = self.frr - self.far
        before = int(np.argmax(gap <= 0)) - 1
        return before, float(gap[before] / (gap[before] - gap[before + 1]))


def roc_curve(scores: np.ndarray, matches: np.ndarray, weights: np.ndarray | None = None) -> RocCurve:
    """Compute the curve of scores (N,), higher for more similar; matches (N,), true where genuine; weights (N,).

    Raises FacesError where a score is not finite, or where all pairs are of one kind.
    """
    scores, matches = np.asarray(scores, np.float64), np.asarray(matches, bool)
    if scores.shape != matches.shape or scores.ndim != 1:
        raise ValueError(f"scores of shape {scores.shape} and matches of {matches.shape}, expected one each per pair")
    if bad := int((~np.isfinite(scores)).sum()):
        raise FacesError(f"{bad} of {len(scores)} scores are not finite: did the training diverge? train the run again")
    order, ends = sort_descending(scores)
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights, np.float64)
    return roc_curve_of_sorted(scores[order], matches[order], weights[order], ends)


def sort_descending(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an order in which scores (N,) fall, and the positions in it at which a run of equal scores ends."""
    order = np.argsort(-scores, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(scores[order])), max(len(scores) - 1, 0))


def roc_curve_of_sorted(scores: np.ndarray, matches: np.ndarray, weights: np.ndarray, ends: np.ndarray) -> RocCurve:
    """Compute the curve of scores that `sort_descending` has sorted; ends: its second result."""
    if not matches.any() or matches.all():
        kind = "of two people" if not matches.any() else "of one person"
        count = format_count(len(matches), "pair")
        raise FacesError(f"{count}, all {kind}: give pairs of both kinds, an error rate needs both")
    genuine = np.cumsum(np.where(matches, weights, 0))[ends]
    impostor = np.cumsum(np.where(matches, 0, weights))[ends]
    if not (genuine[-1] and impostor[-1]):
        raise FacesError("all pairs of one kind have weight 0: an error rate needs both kinds")
    return RocCurve(np.append(np.inf, scores[ends]), np.append(0, genuine), np.append(0, impostor))


@dataclass(frozen=True)
class FoldAccuracy:
    """accuracies (F,): of each fold, at the threshold (F,) that is best on all the others."""

    accuracies: np.ndarray
    thresholds: np.ndarray

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds."""
        return float(self.accuracies.mean())

    @property
    def std(self) -> float:
        """Standard deviation over the folds."""
        return float(self.accuracies.std(ddof=1))


def fold_accuracy(scores: np.ndarray, matches: np.ndarray, folds: np.ndarray) -> FoldAccuracy:
    """Compute LFW's accuracy (Huang et al. 2007): each fold is judged by the threshold that is best on all the others.

    scores, matches, folds (N,). Raises FacesError for fewer than two folds.
    """
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise FacesError(f"{len(numbers)} fold of pairs: an accuracy by folds needs at least two")
    accuracies, thresholds = [], []
    for number in numbers:
        held = folds == number
        threshold = roc_curve(scores[~held], matches[~held]).best_accuracy()[1]
        accuracies.append(((scores[held] >= threshold) == matches[held]).mean())
        thresholds.append(threshold)
    return FoldAccuracy(np.array(accuracies), np.array(thresholds))


def tar_at_far(curve: RocCurve, fars: Sequence[float] = FARS) -> tuple[dict[str, float], list[str]]:
    """Return TAR by FAR where there are enough impostor pairs, and a remark on each FAR that is rough or left out."""
    found, remarks = {}, []
    pairs = int(curve.impostor[-1])
    for far in fars:
        if not 0 < far < 1:
            raise FacesError(f"a FAR of {far}: expected a fraction between 0 and 1, such as 0.001")
        if curve.supports(far):
            found[f"{far:g}"] = curve.tar_at(far)
            if far * pairs < MIN_ERRORS:
                remarks.append(f"FAR {far:g} is at most {far * pairs:.0f} of {pairs:,} impostor pairs: only rough")
        else:
            remarks.append(f"FAR {far:g} needs at least {1 / far:,.0f} impostor pairs, there are {pairs:,}: left out")
    return found, remarks


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
