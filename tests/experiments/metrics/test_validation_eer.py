"""The EER that chooses an epoch: of all pairs of the validation images, or of a fair sample of very many."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve as sklearn_roc_curve

from experiments.metrics import roc
from experiments.metrics.roc import MAX_IMAGES_FOR_ALL_PAIRS, NEIGHBORS_PER_IMAGE, compute_validation_eer, select_pairs


def embeddings(labels: np.ndarray, noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((labels.max() + 1, 6))[labels] + noise * rng.standard_normal((len(labels), 6))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=14), st.integers(0, 99), st.sampled_from([0.3, 1.0, 3.0]))
def test_every_pair_of_two_images_counts_once(people, seed, noise):
    labels = np.array(people)
    vectors = embeddings(labels, noise, seed)
    pairs = list(combinations(range(len(labels)), 2))
    truth = [labels[a] == labels[b] for a, b in pairs]
    found = compute_validation_eer(vectors, labels)
    if len(set(truth)) < 2:
        assert found is None
        return
    scores = [float(vectors[a].astype(np.float64) @ vectors[b].astype(np.float64)) for a, b in pairs]
    far, tar, _ = sklearn_roc_curve(truth, scores, drop_intermediate=False)
    grid = np.linspace(0, 1, 100_001)
    assert found == pytest.approx(grid[np.argmin(np.abs(grid - (1 - np.interp(grid, far, tar))))], abs=0.02)
    assert Counter(map(tuple, np.sort(np.stack(select_pairs(labels), 1), 1).tolist())) == Counter(pairs)


def test_of_many_images_the_neighbors_and_random_strangers_count():
    people = np.random.default_rng(2).permutation(np.repeat(np.arange(120), 15))
    assert len(people) > MAX_IMAGES_FOR_ALL_PAIRS
    first, second = select_pairs(people)
    same = people[first] == people[second]
    assert (first != second).all()
    # Fifteen images are all among the next twenty, so every pair of one person is there, once.
    found = Counter(map(tuple, np.sort(np.stack([first, second], 1)[same], 1).tolist()))
    assert len(found) == 120 * 15 * 14 // 2
    assert set(found.values()) == {1}
    share = 1 - 14 / (len(people) - 1)
    assert (~same).sum() == pytest.approx(roc.RANDOM_PAIRS * share, rel=0.01)


def test_a_person_of_very_many_images_gets_the_next_twenty_of_each():
    people = np.repeat([0, 1], [MAX_IMAGES_FOR_ALL_PAIRS, 50])
    first, second = select_pairs(people)
    same = people[first] == people[second]
    steps = NEIGHBORS_PER_IMAGE
    expected = sum(len(people[people == one]) - step for one in (0, 1) for step in range(1, steps + 1))
    assert same.sum() == expected
    assert set(np.abs(first - second)[same].tolist()) == set(range(1, steps + 1))


def test_embeddings_that_are_not_finite_have_none():
    labels = np.array([0, 0, 1, 1])
    vectors = embeddings(labels, 0.1, 0)
    assert compute_validation_eer(vectors, labels) == 0
    vectors[2, 1] = np.nan
    assert compute_validation_eer(vectors, labels) is None
