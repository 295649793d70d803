"""Figures of verification: everything a paper quotes of a list of scored pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError
from experiments.metrics.roc import Roc, roc

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
ROUGH = 30
"""Errors below which a rate is rough: 30 hold it within 30 % at 90 % confidence (Doddington's rule)."""


@dataclass(frozen=True)
class Folds:
    """accuracies (F,): of each fold, at the threshold (F,) that was best on all the others."""

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


def fold_accuracy(scores: np.ndarray, matches: np.ndarray, folds: np.ndarray) -> Folds:
    """LFW's accuracy (Huang et al. 2007): each fold is judged by the threshold that is best on all the others.

    scores, matches, folds (N,). Raises FacesError for fewer than two folds.
    """
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise FacesError(f"{len(numbers)} fold of pairs: an accuracy by folds needs at least two")
    accuracies, thresholds = [], []
    for number in numbers:
        held = folds == number
        threshold = roc(scores[~held], matches[~held]).best_accuracy()[1]
        accuracies.append(((scores[held] >= threshold) == matches[held]).mean())
        thresholds.append(threshold)
    return Folds(np.array(accuracies), np.array(thresholds))


def tar_at_far(curve: Roc, fars: Sequence[float] = FARS) -> tuple[dict[str, float], list[str]]:
    """TAR by FAR, as far as there are impostor pairs for it; a sentence for each FAR that is rough or beyond them."""
    found, remarks = {}, []
    pairs = int(curve.impostor[-1])
    for far in fars:
        if not 0 < far < 1:
            raise FacesError(f"a FAR of {far}: expected a share between 0 and 1, such as 0.001")
        if curve.supports(far):
            found[f"{far:g}"] = curve.tar_at(far)
            if far * pairs < ROUGH:
                remarks.append(f"FAR {far:g} is at most {far * pairs:.0f} of {pairs:,} impostor pairs: a rough figure")
        else:
            remarks.append(f"FAR {far:g} needs {1 / far:,.0f} impostor pairs or more, there are {pairs:,}: not given")
    return found, remarks
