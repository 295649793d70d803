import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from experiments.errors import FacesError
from experiments.metrics.identification import STRANGER, cmc_curve, match_ranks, open_set_scores, rank_k_rate


@st.composite
def probes(draw, strangers=False, tied=False):
    """Similarities (P, G) and who each probe is."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, gallery = draw(st.integers(2, 30)), draw(st.integers(3, 9))
    truth = rng.integers(0, gallery, count)
    similarity = rng.standard_normal((count, gallery))
    similarity[np.arange(count), truth] += draw(st.sampled_from([0.0, 2.0]))
    if strangers:
        truth[: draw(st.integers(1, count - 1))] = STRANGER
    return (np.round(similarity) if tied else similarity), truth


@given(probes())
def test_rank_k_is_scikit_learns_top_k(drawn):
    similarity, truth = drawn
    places, gallery = match_ranks(similarity, truth), similarity.shape[1]
    curve = cmc_curve(places, gallery)
    for k in range(1, gallery):
        expected = top_k_accuracy_score(truth, similarity, k=k, labels=range(gallery))
        assert rank_k_rate(places, k) == pytest.approx(expected, abs=1e-12)
        assert curve[k - 1] == pytest.approx(expected, abs=1e-12)
    assert curve[-1] == 1


@given(probes(tied=True))
def test_a_tie_counts_against_the_network_and_the_curve_never_falls(drawn):
    places = match_ranks(*drawn)
    similarity, truth = drawn
    for row, right, place in zip(similarity, truth, places, strict=True):
        assert place == sum(score >= row[right] for score in row)
    curve = cmc_curve(places, similarity.shape[1])
    assert (np.diff(curve) >= 0).all()
    assert (match_ranks(np.zeros((2, 5)), np.array([0, 3])) == 5).all()


def test_a_curve_longer_or_shorter_than_the_gallery():
    places = np.array([1, 2, 2, 4])
    np.testing.assert_allclose(cmc_curve(places, 2), [0.25, 0.75])
    np.testing.assert_allclose(cmc_curve(places, 6), [0.25, 0.75, 0.75, 1, 1, 1])


@given(probes(strangers=True), st.floats(-2, 4))
def test_open_set_rates_are_those_of_answering_one_by_one(drawn, threshold):
    similarity, truth = drawn
    answers = np.where(similarity.max(1) >= threshold, similarity.argmax(1), STRANGER)
    judged, stranger = open_set_scores(similarity, truth), truth == STRANGER
    assert judged.accuracy(threshold) == pytest.approx(accuracy_score(truth, answers), abs=1e-12)
    assert judged.far(threshold) == pytest.approx((answers[stranger] != STRANGER).mean(), abs=1e-12)
    assert judged.dir(threshold) == pytest.approx((answers == truth)[~stranger].mean(), abs=1e-12)


@given(probes(strangers=True), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_dir_at_far_is_the_best_that_any_threshold_reaches_within_it(drawn, far):
    similarity, truth = drawn
    judged = open_set_scores(similarity, truth)
    candidates = [-1e9, np.inf, *np.nextafter(similarity.max(1), np.inf), *similarity.max(1)]
    assert judged.far(judged.threshold_at(far)) <= far
    assert judged.dir_at(far) == max(judged.dir(t) for t in candidates if judged.far(t) <= far)


@given(probes(strangers=True))
def test_no_threshold_answers_more_probes_rightly_than_the_best(drawn):
    judged = open_set_scores(*drawn)
    best = judged.accuracy(judged.best_threshold())
    assert best >= max(judged.accuracy(t) for t in [-10, *drawn[0].max(1), 10]) - 1e-12


@given(probes(strangers=True, tied=True))
def test_a_threshold_equal_to_a_score_gives_a_name(drawn):
    similarity, truth = drawn
    judged, stranger = open_set_scores(similarity, truth), truth == STRANGER
    right = [s[t] if (s >= s[t]).sum() == 1 else -np.inf for s, t in zip(similarity, truth, strict=True) if t >= 0]
    for threshold in np.unique(similarity):
        named = [score >= threshold for score in similarity[stranger].max(1)]
        assert judged.far(threshold) == pytest.approx(np.mean(named), abs=1e-12)
        assert judged.dir(threshold) == pytest.approx(np.mean([score >= threshold for score in right]), abs=1e-12)
        good = sum(score >= threshold for score in right) + len(named) - sum(named)
        assert judged.accuracy(threshold) == pytest.approx(good / len(truth), abs=1e-12)


@pytest.mark.parametrize(("allowed", "expected"), [(0, 0.0), (1, 0.1), (7, 0.7), (10, 1.0)])
def test_a_share_of_strangers_that_is_a_whole_number_of_them_may_be_named(allowed, expected):
    scores = open_set_scores(np.append(np.arange(10.0), 20.0)[:, None], np.append(np.full(10, STRANGER), 0))
    assert scores.far(scores.threshold_at(allowed / 10)) == pytest.approx(expected)


@pytest.mark.parametrize("count", [10, 49, 100])
def test_as_many_strangers_may_be_named_as_the_fraction_says_however_it_is_rounded(count):
    """0.29 of 100 is 28.999999999999996 in floating point, and yet 29 strangers."""
    scores = open_set_scores(np.append(np.arange(float(count)), 2.0 * count)[:, None], np.append(np.full(count, -1), 0))
    named = [round(scores.far(scores.threshold_at(allowed / count)) * count) for allowed in range(count + 1)]
    assert named == list(range(count + 1))


@pytest.mark.parametrize(("truth", "what"), [([0, 1], "in the gallery"), ([STRANGER, STRANGER], "a stranger")])
def test_an_open_set_needs_both_kinds(truth, what):
    with pytest.raises(FacesError, match=f"each of the 2 probes is {what}"):
        open_set_scores(np.eye(2), np.array(truth))


def test_values_that_are_not_finite_and_people_beyond_the_gallery():
    with pytest.raises(FacesError, match="not finite"):
        match_ranks(np.array([[np.nan, 1.0]]), np.array([0]))
    with pytest.raises(ValueError, match="truth is 2 to 2, with 2 people in the gallery"):
        match_ranks(np.eye(2)[:1], np.array([2]))
    with pytest.raises(ValueError, match="expected"):
        match_ranks(np.eye(2), np.array([0]))
