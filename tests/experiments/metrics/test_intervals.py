import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from experiments.metrics.bootstrap import proportion_interval, proportion_interval_by_person


def first_right(right: int, count: int) -> np.ndarray:
    return np.arange(count) < right


@pytest.mark.parametrize(("right", "count"), [(30, 200), (700, 1000), (3, 9)])
def test_the_interval_is_scipys_bootstrap(right, count):
    given_ = first_right(right, count).astype(float)
    theirs = bootstrap((given_,), np.mean, method="percentile", n_resamples=20_000, rng=0).confidence_interval
    assert proportion_interval(first_right(right, count)) == pytest.approx((theirs.low, theirs.high), abs=1.1 / count)


@pytest.mark.parametrize("right", [0, 12])
def test_all_or_none_right_is_no_certainty(right):
    theirs = binomtest(right, 12).proportion_ci(0.95, method="exact")
    assert proportion_interval(first_right(right, 12)) == pytest.approx((theirs.low, theirs.high))


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_proportion_and_is_the_same_each_time(case):
    low, high = proportion_interval(first_right(*case))
    assert 0 <= low <= case[0] / case[1] <= high <= 1
    assert proportion_interval(first_right(*case)) == (low, high)


def test_people_who_err_together_are_less_certain_than_images_and_alone_as_certain():
    rng = np.random.default_rng(3)
    alone = rng.random(200) < 0.8
    assert proportion_interval_by_person(alone, rng.permutation(200)) == pytest.approx(
        proportion_interval(alone), abs=0.02
    )
    together, whose = np.repeat(alone[:20], 10), np.repeat(np.arange(20), 10)
    low, high = proportion_interval_by_person(together, whose)
    narrow = proportion_interval(together)
    assert low < narrow[0] < np.mean(together) < narrow[1] < high
    assert proportion_interval_by_person(np.zeros(60, bool), np.repeat(np.arange(6), 10)) == proportion_interval(
        np.zeros(6, bool)
    )


def test_people_with_more_images_weigh_more():
    """Ten people are right on their only image, ten are wrong on all nine: one image of ten, not half of the people."""
    people = np.append(np.arange(10), np.repeat(np.arange(10, 20), 9))
    low, high = proportion_interval_by_person(people < 10, people)
    assert low < 0.1 < high < 0.25


@pytest.mark.parametrize("level", [0.5, 0.99])
def test_another_level_is_scipys_too_whether_images_or_people_are_drawn(level):
    right = first_right(45, 60)
    theirs = bootstrap(
        (right.astype(float),), np.mean, method="percentile", n_resamples=20_000, confidence_level=level, rng=0
    ).confidence_interval
    expected = pytest.approx((theirs.low, theirs.high), abs=1.1 / 60)
    assert proportion_interval(right, level) == expected
    assert proportion_interval_by_person(right, np.arange(60), level) == expected
    exact = binomtest(60, 60).proportion_ci(level, method="exact")
    assert proportion_interval_by_person(np.ones(60, bool), np.arange(60), level) == pytest.approx(
        (exact.low, exact.high)
    )
