"""Groups of embeddings against scikit-learn and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

from experiments.errors import FacesError
from experiments.metrics import clustering
from experiments.metrics.clustering import (
    average_linkage,
    condensed_distances,
    group_centers,
    nearest_groups,
    number_by_size,
    pairwise_scores,
)


def draw(count: int, people: int, seed: int, noise: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, people, count)
    vectors = rng.standard_normal((people, 16))[labels] + noise * rng.standard_normal((count, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("threshold", [0.9, 0.6, 0.3, 0.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_groups_are_those_of_scikit_learn(seed, threshold):
    vectors, _ = draw(90, 12, seed)
    reference = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=1 - threshold
    )
    expected = reference.fit_predict(vectors.astype(np.float64))
    assert adjusted_rand_score(expected, average_linkage(vectors).groups(threshold)) == 1


def test_distances_are_in_scipys_order(monkeypatch):
    monkeypatch.setattr(clustering, "BLOCK", 7)
    vectors, _ = draw(31, 5, 3)
    np.testing.assert_allclose(condensed_distances(vectors), pdist(vectors, "cosine"), atol=1e-6)


def test_the_members_of_every_join_have_its_similarity():
    vectors, _ = draw(40, 6, 4)
    tree = average_linkage(vectors)
    similarity = vectors.astype(np.float64) @ vectors.T
    for (one, other), value in zip(tree.parts, tree.similarity, strict=True):
        between = similarity[np.ix_(tree.members(int(one)), tree.members(int(other)))]
        assert between.mean() == pytest.approx(value, abs=1e-6)
    assert np.all(np.diff(tree.similarity) <= 1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_pairwise_scores_are_those_of_scikit_learns_pair_matrix(rows):
    groups, people = zip(*rows, strict=True)
    matrix = pair_confusion_matrix(people, groups)  # ordered pairs: every pair twice
    right, together, same = matrix[1, 1], matrix[:, 1].sum(), matrix[1].sum()
    scores = pairwise_scores(groups, [str(one) for one in people])
    assert scores.precision == (right / together if together else 1)
    assert scores.recall == (right / same if same else 1)
    assert scores.f1 == pytest.approx(2 * right / (together + same) if together + same else 1)
    assert (scores.groups, scores.people) == (len(set(groups)), len(set(people)))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20))
def test_groups_are_numbered_by_size_and_then_by_their_first_face(labels):
    numbered = number_by_size(np.array(labels))
    assert adjusted_rand_score(labels, numbered) == 1
    sizes = np.bincount(numbered)
    assert np.all(np.diff(sizes) <= 0)
    first = [int(np.argmax(numbered == group)) for group in range(len(sizes))]
    assert all(a < b for a, b, same in zip(first[:-1], first[1:], np.diff(sizes) == 0, strict=True) if same)


def test_the_nearest_group_is_that_of_all_pairs(monkeypatch):
    monkeypatch.setattr(clustering, "BLOCK", 3)
    vectors, labels = draw(60, 8, 5)
    groups = number_by_size(labels)
    table = np.full((groups.max() + 1,) * 2, -np.inf)
    for one, other in np.ndindex(table.shape):
        if one != other:
            table[one, other] = (vectors[groups == one].astype(float) @ vectors[groups == other].T).mean()
    nearest, similarity = nearest_groups(vectors, groups)
    np.testing.assert_array_equal(nearest, table.argmax(1))
    np.testing.assert_allclose(similarity, table.max(1), atol=1e-6)


def test_a_center_is_the_mean_at_length_one():
    centers, lengths = group_centers(np.eye(3, dtype=np.float32), np.array([0, 0, 1]))
    np.testing.assert_allclose(centers, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 1]])
    np.testing.assert_allclose(lengths, [0.5**0.5, 1])


def test_one_face_is_one_group_and_too_many_are_refused(monkeypatch):
    vectors, _ = draw(4, 2, 0)
    assert average_linkage(vectors[:1]).groups(0.5).tolist() == [0]
    monkeypatch.setattr(clustering, "MAX_FACES", 3)
    with pytest.raises(FacesError, match=r"4 faces: at most 3 can be compared .* --min-side"):
        average_linkage(vectors)


def test_another_number_of_names_than_faces_is_refused():
    with pytest.raises(FacesError, match="2 faces in groups and 1 names"):
        pairwise_scores([0, 1], ["anna"])
