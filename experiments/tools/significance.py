"""Is the difference between runs real? Paired tests on the validation images, or on the pairs, that they share."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError
from experiments.evaluation.evaluate import EvaluationSet
from experiments.files import read_stored
from experiments.inference.predict import PathLike
from experiments.metrics.bootstrap import bootstrap_statistics, infer_identities, percentile_interval
from experiments.metrics.paired import holm, mcnemar_exact, paired_difference_interval
from experiments.metrics.roc import RocCurve
from experiments.progress import format_count, say
from experiments.run import Run, VerificationMetrics, read_table

LEVEL = 0.05
"""A difference is called real below this p-value, and where its 95 % interval leaves out 0."""

EER_ROUNDS = 1000


@dataclass(frozen=True)
class PairedTest:
    """Two runs on the same images. names: of the runs. top1: of each. only: images that only this one has right.

    interval: of the difference of top1, first minus second, from resampling people. p: McNemar's, adjusted for the
    number of tests.
    """

    names: tuple[str, str]
    top1: tuple[float, float]
    only: tuple[int, int]
    images: int
    people: int
    interval: tuple[float, float]
    p: float

    @property
    def sentences(self) -> list[str]:
        """Return what was measured, the tests, and whether the difference is real."""
        (first, second), (low, high) = self.names, self.interval
        return [
            f"{first} has {self.top1[0]:.1%} and {second} {self.top1[1]:.1%} right of the same "
            f"{format_count(self.images, 'image')} of {self.people:,} people; {self.only[0]:,} only {first}, "
            f"{self.only[1]:,} only {second}",
            f"  difference {100 * (self.top1[0] - self.top1[1]):+.1f} points, 95 % interval {100 * low:+.1f} to "
            f"{100 * high:+.1f} (people resampled); McNemar's exact test: p = {self.p:.2g}",
            f"  {self.verdict}",
        ]

    @property
    def verdict(self) -> str:
        """Return in one sentence whether the difference is real."""
        small, outside = self.p < LEVEL, self.interval[0] > 0 or self.interval[1] < 0
        better = self.names[self.top1[1] > self.top1[0]]
        if small and outside:
            return f"the difference is real: {better} is better on people and images like these"
        if small:
            return (
                f"the difference may be chance: images alone say that {better} is better, but it depends on which "
                "people are asked"
            )
        if outside:
            return "the difference may be chance: too few images decide it, though the interval leaves out 0"
        return "the difference may be chance: neither is shown to be better"


def compare_accuracy(
    runs: Sequence[str | os.PathLike[str]], names: Sequence[str], data: PathLike | Sequence[PathLike]
) -> list[PairedTest]:
    """Test the first run against each other one, on the validation images that all of them share.

    data: a folder for all runs, or one for each, of the same images. The weights are those of each run's best epoch,
    which the same images chose, of all runs alike. The p-values of several tests are adjusted by
    Holm's method. Raises FacesError for a single run, and as `experiments.evaluation.evaluate.EvaluationSet`.
    """
    if len(runs) < 2:
        raise FacesError(f"{os.fspath(runs[0])}: one run alone; a paired test needs two or more")
    judged = EvaluationSet(runs, data)
    labels, count = judged.faces.labels, len(judged.faces)
    right = [logits.argmax(1) == labels for logits in judged.logits_of_each()]
    pairs = [(int((right[0] & ~other).sum()), int((other & ~right[0]).sum())) for other in right[1:]]
    p_values = holm([mcnemar_exact(*pair) for pair in pairs])
    return [
        PairedTest(
            names=(names[0], name),
            top1=(float(right[0].mean()), float(other.mean())),
            only=only,
            images=count,
            people=len(np.unique(labels)),
            interval=paired_difference_interval(right[0], other, labels),
            p=p,
        )
        for name, other, only, p in zip(names[1:], right[1:], pairs, p_values, strict=True)
    ]


def compare_eer(runs: Sequence[str | os.PathLike[str]], names: Sequence[str]) -> list[str]:
    """Return a sentence for each run that was verified on the same pairs as the first; none where it was not.

    The 95 % interval of the difference of the EERs is from resampling the people, the same ones for both networks.
    """
    first, sentences = _read_scores(runs[0]), []
    if first is None:
        return []
    for run, name in zip(runs[1:], names[1:], strict=True):
        other = _read_scores(run)
        if other is None or first[0] != other[0]:
            continue
        pairs, matches = first[0], np.array([match for _, _, match in first[0]], bool)
        numbers = np.unique([path for a, b, _ in pairs for path in (a, b)], return_inverse=True)[1].reshape(-1, 2)
        people = infer_identities(numbers[:, 0], numbers[:, 1], matches)
        try:
            one, two = (
                bootstrap_statistics(scores, matches, people, {"eer": RocCurve.eer}, EER_ROUNDS)["eer"]
                for scores in (first[1], other[1])
            )
        except FacesError as error:  # too few people
            sentences.append(f"EER of {names[0]} and {name}: {error}")
            continue
        low, high = percentile_interval(one - two)
        real = low > 0 or high < 0
        lower = names[0] if high < 0 else name
        sentences.append(
            f"EER on the same {format_count(len(pairs), 'pair')}: {names[0]} minus {name}, 95 % interval "
            f"{100 * low:+.2f} to {100 * high:+.2f} points (people resampled): "
            + (f"the difference is real: {lower} errs less" if real else "the difference may be chance")
        )
    return sentences


def _read_scores(folder: str | os.PathLike[str]) -> tuple[list[tuple[str, str, int]], np.ndarray] | None:
    """Return a run's verified pairs (first, second, match) and their similarities; None where it has none."""
    run, remedy = Run.open(folder), "verify the run again"
    metrics = read_stored(VerificationMetrics, run.folder, "verification/verification.json", remedy)
    if metrics is None:
        return None
    columns = {"first": str, "second": str, "match": int, "similarity": float}
    table = read_table(run.folder, "verification/scores.csv", columns, remedy, metrics.files)
    if table is None:
        return None
    pairs = list(zip(table["first"], table["second"], table["match"].astype(int), strict=True))
    return pairs, table["similarity"].to_numpy(np.float64)


def print_significance(
    runs: Sequence[str | os.PathLike[str]], names: Sequence[str], data: PathLike | Sequence[PathLike]
) -> list[PairedTest]:
    """Print whether the first run differs from each other one; return the tests of accuracy."""
    found = compare_accuracy(runs, names, data)
    for test in found:
        for sentence in test.sentences:
            say(sentence)
    if len(found) > 1:
        say(f"  the p-values are adjusted for {len(found)} tests (Holm)")
    for sentence in compare_eer(runs, names):
        say(sentence)
    return found
