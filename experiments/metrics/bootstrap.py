"""How sure an error rate is: intervals by drawing people, not pairs, again.

Pairs that share a person err together, so drawing pairs again would promise more than is known. Here whole people are
drawn with replacement; a pair of two people weighs the product of how often each was drawn, a pair of one person how
often that person was (the vertex bootstrap of Fogliato, Patil and Perona 2024, arXiv 2306.01198).

How far a share found on some pictures may lie from the one on all pictures of those people.
"""

from collections.abc import Callable, Mapping

import numpy as np

from experiments.errors import FacesError
from experiments.metrics.roc import RocCurve, roc_curve_of_sorted, sort_descending

Statistics = Mapping[str, Callable[[RocCurve], float]]
Interval = tuple[float, float]


def infer_identities(first: np.ndarray, second: np.ndarray, matches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who is in each pair where only pictures are known: pictures joined by genuine pairs are one person.

    first, second (N,): the pictures, as numbers from 0. Returns two arrays (N,) of people, numbered from 0.
    """
    parent = np.arange(int(max(first.max(initial=-1), second.max(initial=-1))) + 1)

    def root(picture: int) -> int:
        while parent[picture] != picture:
            parent[picture] = parent[parent[picture]]
            picture = parent[picture]
        return picture

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
    """Each statistic of every draw of the people, (R,).

    scores, matches (N,); people: who is in each pair, two arrays (N,) of numbers from 0. Draws in which all pairs of
    one kind fell out say nothing and are left out. The same pairs and seed are drawn alike whatever the scores, so
    that two networks can be compared draw by draw. Raises FacesError where fewer than half of the draws are left.
    """
    order, ends = sort_descending(scores)
    scores, matches = scores[order], matches[order]
    first, second = people[0][order], people[1][order]
    same, count = first == second, int(max(first.max(), second.max())) + 1
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in statistics}
    for _ in range(rounds):
        times = np.bincount(generator.integers(0, count, count), minlength=count)
        weights = np.where(same, times[first], times[first] * times[second]).astype(np.float64)
        if weights[matches].any() and weights[~matches].any():
            curve = roc_curve_of_sorted(scores, matches, weights, ends)
            for name, statistic in statistics.items():
                drawn[name].append(statistic(curve))
    used = min(len(values) for values in drawn.values())
    if used < rounds / 2:
        raise FacesError(
            f"{count} people are too few to draw from: only {used} of {rounds} draws had pairs of both kinds"
        )
    return {name: np.array(values) for name, values in drawn.items()}


def bootstrap_intervals(
    scores: np.ndarray,
    matches: np.ndarray,
    people: tuple[np.ndarray, np.ndarray],
    statistics: Statistics,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """The middle `level` of each statistic over `rounds` draws of the people, as `draws` makes them."""
    drawn = bootstrap_statistics(scores, matches, people, statistics, rounds, seed)
    return {name: percentile_interval(values, level) for name, values in drawn.items()}


def percentile_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """The ends of the middle `level` of values (R,)."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


RESAMPLES = 10_000


def proportion_interval(right: np.ndarray, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of (N,) booleans: pictures are drawn anew, the people stay.

    Drawing N of N with replacement makes the number right binomial, so it is drawn as such (Efron 1979). Where all
    are right, or none, every resample is the same and tells nothing: the other end is then where so extreme a result
    would have the probability (1 - level) / 2 (Clopper and Pearson 1934).
    """
    count, share, tail = len(right), float(np.mean(right)), (1 - level) / 2
    if share == 1.0:
        return tail ** (1 / count), 1.0
    if share == 0.0:
        return 0.0, 1 - tail ** (1 / count)
    shares = np.random.default_rng(seed).binomial(count, share, RESAMPLES) / count
    low, high = np.quantile(shares, [tail, 1 - tail])
    return float(low), float(high)


def proportion_interval_by_person(
    right: np.ndarray, people: np.ndarray, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of (N,) booleans: people, (N,) numbers from 0, are drawn anew.

    A person's pictures err together, so drawing pictures would promise more. Where all are right, or none, it is the
    one of as many pictures as there are people, as in `share_interval`.
    """
    who = np.unique(people, return_inverse=True)[1]
    count = int(who.max()) + 1
    if (share := float(np.mean(right))) in (0.0, 1.0):
        return proportion_interval(np.full(count, bool(share)), level, seed)
    pictures, rights = np.bincount(who), np.bincount(who, right)
    rng = np.random.default_rng(seed)
    drawn = np.stack([np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(RESAMPLES)])
    low, high = np.quantile(drawn @ rights / (drawn @ pictures), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
