"""Is one network better than another? Tests of two networks on the same images, which need far fewer than two samples.

McNemar's exact test takes images as independent. The bootstrap resamples people, whose images err together.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom

from experiments.metrics.bootstrap import RESAMPLES, Interval, percentile_interval

CHUNK = 4_000_000
"""Draws of the bootstrap that are in memory at a time."""


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test.

    only_first, only_second: images that only this network has right. If the networks were equally good, an image that
    one alone has right would be the first's with probability 1/2, so the smaller count is binomial (McNemar 1947,
    Psychometrika 12; as statsmodels' `mcnemar(exact=True)`).
    """
    smaller, total = min(only_first, only_second), only_first + only_second
    return min(1.0, 2 * float(binom.cdf(smaller, total, 0.5)))


def paired_difference_interval(
    first: np.ndarray, second: np.ndarray, people: np.ndarray, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the percentile bootstrap interval of mean(first) - mean(second); people (N,), numbers, are resampled.

    first, second: (N,) booleans, whether each network has each image right.
    """
    numbers = np.unique(people, return_inverse=True)[1]
    images = np.bincount(numbers).astype(np.float64)
    gains = np.bincount(numbers, first.astype(np.float64) - second)
    generator, count = np.random.default_rng(seed), len(images)
    found: list[np.ndarray] = []
    while (left := RESAMPLES - sum(map(len, found))) > 0:
        size = min(left, max(1, CHUNK // count))
        drawn = generator.multinomial(count, np.full(count, 1 / count), size)
        found.append(drawn @ gains / (drawn @ images))
    return percentile_interval(np.concatenate(found), level)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number by Holm's method (1979, Scandinavian Journal of Statistics 6)."""
    order, adjusted, largest = np.argsort(p_values, kind="stable"), [0.0] * len(p_values), 0.0
    for place, number in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[number]))
        adjusted[number] = largest
    return adjusted
