"""How far a share found on some pictures may lie from the one on all pictures of those people."""

import numpy as np

RESAMPLES = 10_000


def share_interval(right: np.ndarray, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
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


def people_interval(right: np.ndarray, people: np.ndarray, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of (N,) booleans: people, (N,) numbers from 0, are drawn anew.

    A person's pictures err together, so drawing pictures would promise more. Where all are right, or none, it is the
    one of as many pictures as there are people, as in `share_interval`.
    """
    who = np.unique(people, return_inverse=True)[1]
    count = int(who.max()) + 1
    if (share := float(np.mean(right))) in (0.0, 1.0):
        return share_interval(np.full(count, bool(share)), level, seed)
    pictures, rights = np.bincount(who), np.bincount(who, right)
    rng = np.random.default_rng(seed)
    drawn = np.stack([np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(RESAMPLES)])
    low, high = np.quantile(drawn @ rights / (drawn @ pictures), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
