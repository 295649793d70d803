"""Confidence intervals by the bootstrap: of verification metrics by resampling people, and of proportions.

Pairs that share a person err together, so resampling pairs would promise more than is known. Here whole people are
drawn with replacement. A pair of two people weighs the product of how often each was drawn, a pair of one person how
often that person was (the vertex bootstrap of Fogliato, Patil and Perona 2024, arXiv 2306.01198).
"""

from collections.abc import Callable, Mapping

import numpy as np

from experiments.errors import FacesError
from experiments.metrics.roc import RocCurve, roc_curve_of_sorted, sort_descending

Statistics = Mapping[str, Callable[[RocCurve], float]]
Interval = tuple[float, float]

RESAMPLES = 10_000


def infer_identities(first: np.ndarray, second: np.ndarray, matches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the people in each pair where only images are known: images joined by genuine pairs are one person.

    first, second (N,): the images, as numbers from 0. Returns two arrays (N,) of people, numbered from 0.
    """
    parent = np.arange(int(max(first.max(initial=-1), second.max(initial=-1))) + 1)

    def root(image: int) -> int:
        while parent[image] != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    for a, b in zip(first[matches], second[matches], strict=True):
        parent[root(int(a))] = root(int(b))
    people = np.unique([root(int(n)) for n in range(len(parent))], return_inverse=True)[1]
    return people[first], people[second]


def bootstrap_statistics(
    scores: np.ndarray,
    matches: np.ndarray,
    people: tuple[np.ndarray, np.ndarray],
    statistics: Statistics,
    rounds: int = 1000,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Compute each statistic of `rounds` resamples of the people; returns an array (R,) for each.

    scores, matches (N,); people: who is in each pair, two arrays (N,) of numbers from 0. Resamples that lost all pairs
    of one kind are left out. Which people are drawn depends on the pairs and the seed and not on the scores, so two
    networks can be compared resample by resample. Raises FacesError where fewer than half of the resamples are left.
    """
    order, ends = sort_descending(scores)
    scores, matches = scores[order], matches[order]
    first, second = people[0][order], people[1][order]
    same, count = first == second, int(max(first.max(), second.max())) + 1
    generator = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in statistics}
    for _ in range(rounds):
        times = np.bincount(generator.integers(0, count, count), minlength=count)
        weights = np.where(same, times[first], times[first] * times[second]).astype(np.float64)
        if weights[matches].any() and weights[~matches].any():
            curve = roc_curve_of_sorted(scores, matches, weights, ends)
            for name, statistic in statistics.items():
                found[name].append(statistic(curve))
    used = min(len(values) for values in found.values())
    if used < rounds / 2:
        raise FacesError(
            f"{count} people are too few for a bootstrap: only {used} of {rounds} resamples had pairs of both kinds; "
            "give pairs of more people"
        )
    return {name: np.array(values) for name, values in found.items()}


def bootstrap_intervals(
    scores: np.ndarray,
    matches: np.ndarray,
    people: tuple[np.ndarray, np.ndarray],
    statistics: Statistics,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Compute the percentile interval of each statistic from `bootstrap_statistics`."""
    found = bootstrap_statistics(scores, matches, people, statistics, rounds, seed)
    return {name: percentile_interval(values, level) for name, values in found.items()}


def percentile_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Return the ends of the middle `level` of values (R,)."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def proportion_interval(right: np.ndarray, level: float = 0.95, seed: int = 0) -> Interval:
    """Return the percentile bootstrap interval of the mean of (N,) booleans; images are resampled, people are fixed.

    Drawing N of N with replacement makes the number right binomial, so it is drawn as such (Efron 1979). Where all are
    right, or none, every resample is the same. The other end is then the proportion at which so extreme a result has
    the probability (1 - level) / 2 (Clopper and Pearson 1934).
    """
    count, proportion, tail = len(right), float(np.mean(right)), (1 - level) / 2
    if proportion == 1.0:
        return tail ** (1 / count), 1.0
    if proportion == 0.0:
        return 0.0, 1 - tail ** (1 / count)
    return percentile_interval(np.random.default_rng(seed).binomial(count, proportion, RESAMPLES) / count, level)


def proportion_interval_by_person(
    right: np.ndarray, people: np.ndarray, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the percentile bootstrap interval of the mean of (N,) booleans; people (N,), numbers, are resampled.

    A person's images err together, so resampling images would promise more. Where all are right, or none, it is the
    interval of as many images as there are people, as in `proportion_interval`.
    """
    numbers = np.unique(people, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    if (proportion := float(np.mean(right))) in (0.0, 1.0):
        return proportion_interval(np.full(count, bool(proportion)), level, seed)
    images, rights = np.bincount(numbers), np.bincount(numbers, right)
    generator = np.random.default_rng(seed)
    drawn = np.stack([np.bincount(generator.integers(0, count, count), minlength=count) for _ in range(RESAMPLES)])
    return percentile_interval(drawn @ rights / (drawn @ images), level)
