import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from experiments.errors import FacesError
from experiments.inference.embedder import Whitening, normalize_embeddings
from experiments.metrics.roc import roc_curve


def spread(count: int, seed: int, size: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return normalize_embeddings(rng.standard_normal((count, size)) * np.linspace(0.2, 2, size) + 0.3)


@given(st.integers(0, 1000))
def test_without_a_ridge_it_is_scikit_learns_whitening(seed):
    cohort, others = spread(200, seed), spread(9, seed + 1)
    pca = PCA(whiten=True, svd_solver="full").fit(cohort.astype(float))
    expected = normalize_embeddings(pca.transform(others.astype(float)))
    ours = Whitening.fit(cohort, ridge=0)(others)
    np.testing.assert_allclose(ours @ ours.T, expected @ expected.T, atol=1e-5)


@given(st.integers(0, 1000), st.floats(0, 10))
def test_embeddings_keep_length_one(seed, ridge):
    result = Whitening.fit(spread(50, seed), ridge)(spread(7, seed + 1))
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-6)


def test_a_large_ridge_only_centres():
    cohort, others = spread(300, 0), spread(20, 1)
    centered = normalize_embeddings(others - cohort.astype(float).mean(0))
    result = Whitening.fit(cohort, 1e9)(others)
    np.testing.assert_allclose(result @ result.T, centered @ centered.T, atol=1e-4)


def test_directions_of_the_collection_that_drown_those_of_the_person_are_evened():
    rng = np.random.default_rng(0)

    def faces(people, each):
        person = np.repeat(rng.standard_normal((people, 16)), each, 0)
        light = 3 * rng.standard_normal((people * each, 2))
        return normalize_embeddings(np.concatenate([person + 0.4 * rng.standard_normal(person.shape), light], 1))

    cohort, embeddings = faces(150, 3), faces(25, 3).astype(float)
    first, second = np.triu_indices(75, 1)
    matches = first // 3 == second // 3
    before, after = (
        roc_curve(np.einsum("nd,nd->n", e[first], e[second]), matches).eer()
        for e in (embeddings, Whitening.fit(cohort)(embeddings).astype(float))
    )
    assert after < 0.7 * before


def test_cohorts_that_say_nothing_are_refused():
    with pytest.raises(FacesError, match="a cohort of 12 images is too small for embeddings of length 12"):
        Whitening.fit(spread(12, 0))
    with pytest.raises(FacesError, match="all alike"):
        Whitening.fit(np.repeat(spread(1, 0), 40, 0))
