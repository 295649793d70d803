import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import roc_auc_score

from experiments.errors import FacesError
from experiments.metrics.bootstrap import (
    bootstrap_intervals,
    bootstrap_statistics,
    infer_identities,
    percentile_interval,
)
from experiments.metrics.roc import RocCurve, roc_curve


def drawn(people: int, images: int, spread: float, seed: int):
    """All pairs of images of people who differ in how well they are known: scores, answers, who is in each."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), images)
    first, second = np.triu_indices(len(who), 1)
    matches = who[first] == who[second]
    ease = spread * rng.standard_normal(people)
    scores = rng.standard_normal(len(first)) + matches * (2 + ease[who[first]])
    return scores, matches, (who[first], who[second])


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_images_joined_by_genuine_pairs_are_one_person(pairs, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 30, (2, pairs))
    matches = rng.random(pairs) < 0.5
    count = int(max(first.max(), second.max())) + 1
    graph = coo_array((np.ones(matches.sum()), (first[matches], second[matches])), shape=(count, count))
    component = connected_components(graph, directed=False)[1]
    one, other = infer_identities(first, second, matches)
    assert ((one == other) == (component[first] == component[second])).all()
    assert ((one[:, None] == one) == (component[first][:, None] == component[first])).all()


@given(st.integers(0, 1000))
def test_an_interval_holds_its_statistic_and_grows_with_the_level(seed):
    scores, matches, people = drawn(12, 3, 0.5, seed)
    ends = {
        level: bootstrap_intervals(scores, matches, people, {"auc": RocCurve.auc}, 200, level)["auc"]
        for level in (0.5, 0.95)
    }
    assert ends[0.95][0] <= ends[0.5][0] <= ends[0.5][1] <= ends[0.95][1]
    assert ends[0.95][0] <= roc_curve(scores, matches).auc() <= ends[0.95][1]


def test_people_who_differ_make_a_wider_interval_than_their_pairs_taken_one_by_one():
    scores, matches, people = drawn(25, 5, 1.5, 3)
    low, high = bootstrap_intervals(scores, matches, people, {"frr": lambda curve: 1 - curve.tar_at(0.01)}, 400)["frr"]
    genuine = int(matches.sum())
    rate = 1 - roc_curve(scores, matches).tar_at(0.01)
    alone = 2 * 1.96 * np.sqrt(rate * (1 - rate) / genuine)
    assert high - low > 1.5 * alone


@pytest.mark.parametrize("seed", range(5))
def test_a_resample_is_the_curve_of_pairs_repeated_by_hand(seed):
    """A pair of two people counts times[a] * times[b], a pair of one person times[a], in scikit-learn's AUC."""
    scores, matches, (first, second) = drawn(6, 3, 1.0, seed)
    found = bootstrap_statistics(scores, matches, (first, second), {"auc": RocCurve.auc}, rounds=20, seed=seed)["auc"]
    generator = np.random.default_rng(seed)
    expected = []
    for _ in range(20):
        people = generator.integers(0, 6, 6).tolist()
        chosen = []
        for pair, (a, b) in enumerate(zip(first, second, strict=True)):
            chosen += [pair] * (people.count(a) if a == b else people.count(a) * people.count(b))
        if len(set(matches[chosen])) == 2:
            expected.append(roc_auc_score(matches[chosen], scores[chosen]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_percentile_interval_is_numpys_percentiles(values, level):
    expected = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    assert percentile_interval(np.array(values), level) == pytest.approx(tuple(expected), abs=1e-9)


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    truth = np.mean([roc_curve(*drawn(60, 4, 0.7, 10_000 + n)[:2]).auc() for n in range(20)])
    held = 0
    for seed in range(60):
        scores, matches, people = drawn(30, 4, 0.7, seed)
        low, high = bootstrap_intervals(scores, matches, people, {"auc": RocCurve.auc}, 150)["auc"]
        held += low <= truth <= high
    assert held >= 50


def test_the_same_seed_draws_the_same_interval():
    given_pairs = drawn(10, 3, 0.5, 0)
    one, again, other = (bootstrap_intervals(*given_pairs, {"eer": RocCurve.eer}, 100, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_two_people_are_too_few():
    scores, matches = np.array([0.1, 0.9, 0.5]), np.array([True, False, False])
    with pytest.raises(FacesError, match="2 people are too few"):
        bootstrap_intervals(scores, matches, (np.array([0, 0, 0]), np.array([0, 1, 1])), {"auc": RocCurve.auc}, 100)
