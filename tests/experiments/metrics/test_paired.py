"""Paired tests against SciPy, and against what they promise."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from experiments.metrics.paired import holm, mcnemar_exact, paired_difference_interval

COUNTS = st.integers(0, 400)


@given(COUNTS, COUNTS)
def test_mcnemars_exact_test_is_scipys_binomial_test(first, second):
    expected = binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mcnemar_exact(first, second) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_exact(first, second) == mcnemar_exact(second, first)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemars_exact_test_is_the_sum_of_the_binomial_coefficients(first, second):
    tail = sum(comb(first + second, count) for count in range(min(first, second) + 1))
    assert mcnemar_exact(first, second) == pytest.approx(min(1.0, 2 * tail / 2 ** (first + second)), rel=1e-12)


def test_many_images_do_not_overflow():
    assert mcnemar_exact(30_000, 29_900) == pytest.approx(binomtest(29_900, 59_900).pvalue, rel=1e-6)


def test_with_an_image_of_each_person_the_interval_is_that_of_the_normal_approximation():
    rng = np.random.default_rng(4)
    first, second = rng.random(3000) < 0.8, rng.random(3000) < 0.7
    low, high = paired_difference_interval(first, second, np.arange(3000))
    gains = first.astype(float) - second
    width = 1.96 * gains.std() / 3000**0.5
    assert low == pytest.approx(gains.mean() - width, abs=0.002)
    assert high == pytest.approx(gains.mean() + width, abs=0.002)


def test_images_of_one_person_count_as_one_where_they_err_together():
    """Ten copies of each image tell no more than one."""
    rng = np.random.default_rng(5)
    first, second, people = rng.random(60) < 0.8, rng.random(60) < 0.7, np.arange(60)
    alone = paired_difference_interval(first, second, people)
    copies = paired_difference_interval(np.repeat(first, 10), np.repeat(second, 10), np.repeat(people, 10))
    assert copies == pytest.approx(alone, abs=1e-12)


def test_equal_answers_have_no_difference():
    right = np.arange(20) % 3 == 0
    assert paired_difference_interval(right, right, np.arange(20) // 4) == (0.0, 0.0)


def test_the_interval_changes_its_sign_with_the_order():
    rng = np.random.default_rng(6)
    first, second, people = rng.random(90) < 0.9, rng.random(90) < 0.7, np.arange(90) // 3
    low, high = paired_difference_interval(first, second, people)
    assert paired_difference_interval(second, first, people) == pytest.approx((-high, -low), abs=1e-12)


@pytest.mark.parametrize(
    ("given_values", "adjusted"),
    [([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.2], [0.2]), ([0.6, 0.9], [1.0, 1.0]), ([], [])],
)
def test_holm_by_hand(given_values, adjusted):
    """0.01 times 3; 0.03 times 2; 0.04 times 1, which is less than the one before."""
    assert holm(given_values) == pytest.approx(adjusted)
