import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.metrics import det_curve, roc_auc_score

from experiments.errors import FacesError
from experiments.metrics.roc import fold_accuracy, roc_curve


@st.composite
def scored_pairs(draw, weighted=False):
    """Scores and answers of both kinds: spread, or on a few values, so that many tie, or all the same."""
    count = draw(st.integers(2, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    matches = rng.random(count) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    assume(matches.any() and not matches.all())
    kind = draw(st.sampled_from(["spread", "tied", "constant", "telling"]))
    scores = {
        "spread": rng.standard_normal(count),
        "tied": rng.integers(-2, 3, count) / 7,
        "constant": np.full(count, 0.3),
        "telling": rng.standard_normal(count) + 3 * matches,
    }[kind]
    return (scores, matches, rng.integers(1, 5, count)) if weighted else (scores, matches)


@given(scored_pairs())
def test_the_curve_is_scikit_learns(pairs):
    scores, matches = pairs
    curve = roc_curve(scores, matches)
    far, tar, thresholds = sklearn_metrics.roc_curve(matches, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.tar, tar, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    assert curve.auc() == pytest.approx(roc_auc_score(matches, scores), abs=1e-12)


@given(scored_pairs(weighted=True))
def test_weights_are_scikit_learns_too(pairs):
    scores, matches, weights = pairs
    curve = roc_curve(scores, matches, weights)
    far, tar, _ = sklearn_metrics.roc_curve(matches, scores, drop_intermediate=False, sample_weight=weights)
    np.testing.assert_allclose(curve.far, far, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.tar, tar, rtol=0, atol=1e-12)
    assert curve.auc() == pytest.approx(roc_auc_score(matches, scores, sample_weight=weights), abs=1e-12)


@given(scored_pairs())
def test_every_point_of_scikit_learns_det_curve_is_on_ours(pairs):
    scores, matches = pairs
    curve = roc_curve(scores, matches)
    ours = {t: (a, b) for t, a, b in zip(curve.thresholds, curve.far, curve.frr, strict=True)}
    for far, frr, threshold in zip(*det_curve(matches, scores), strict=True):
        assert ours[threshold] == pytest.approx((far, frr), abs=1e-12)


@given(scored_pairs())
def test_the_equal_error_rate_lies_on_scikit_learns_curve_where_its_rates_are_equal(pairs):
    far, tar, _ = sklearn_metrics.roc_curve(pairs[1], pairs[0], drop_intermediate=False)
    # FAR + TAR rises from 0 to 2 along the curve, and is 1 where FAR is FRR.
    expected = np.interp(1, far + tar, far)
    assert roc_curve(*pairs).eer() == pytest.approx(expected, abs=1e-12)


@given(scored_pairs(), st.floats(0.5, 20), st.floats(-5, 5))
def test_rates_do_not_change_when_scores_are_stretched_and_shifted(pairs, scale, shift):
    scores, matches = pairs
    scores = np.round(scores, 6)
    before, after = roc_curve(scores, matches), roc_curve(np.round(scale * 1e3) * scores + shift, matches)
    assert (after.eer(), after.auc()) == pytest.approx((before.eer(), before.auc()), abs=1e-12)


@given(scored_pairs())
def test_swapping_genuine_and_impostor_and_the_scores_sign_keeps_the_equal_error_rate(pairs):
    scores, matches = pairs
    one, other = roc_curve(scores, matches), roc_curve(-scores, ~matches)
    assert one.eer() == pytest.approx(other.eer(), abs=1e-12)
    assert one.auc() == pytest.approx(other.auc(), abs=1e-12)


@given(scored_pairs(), st.sampled_from([1e-3, 0.01, 0.1, 0.3, 0.9]))
def test_tar_at_far_is_the_best_that_any_threshold_reaches_within_it(pairs, far):
    scores, matches = pairs
    curve = roc_curve(scores, matches)
    allowed = [t for t in [np.inf, *scores] if (scores[~matches] >= t).mean() <= far]
    assert curve.tar_at(far) == max((scores[matches] >= t).mean() for t in allowed)
    threshold = curve.threshold_at(far)
    assert (scores[~matches] >= threshold).mean() <= far
    assert (scores[matches] >= threshold).mean() == curve.tar_at(far)


@given(scored_pairs(), st.floats(-4, 4))
def test_the_rates_at_a_threshold_are_counted(pairs, threshold):
    scores, matches = pairs
    expected = ((scores[~matches] >= threshold).mean(), (scores[matches] < threshold).mean())
    assert roc_curve(scores, matches).rates_at(threshold) == pytest.approx(expected, abs=1e-12)


@given(scored_pairs())
def test_no_threshold_decides_more_pairs_rightly_than_the_best(pairs):
    scores, matches = pairs
    best, threshold = roc_curve(scores, matches).best_accuracy()
    assert best == pytest.approx(((scores >= threshold) == matches).mean(), abs=1e-12)
    assert best >= max(((scores >= t) == matches).mean() for t in [*scores, np.inf]) - 1e-12


@given(scored_pairs())
def test_the_rates_at_the_equal_error_threshold_bracket_the_equal_error_rate(pairs):
    curve = roc_curve(*pairs)
    far, frr = curve.rates_at(curve.eer_threshold())
    assert min(far, frr) - 1e-12 <= curve.eer() <= max(far, frr) + 1e-12


def test_a_threshold_between_two_groups_is_halfway():
    curve = roc_curve(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert curve.eer() == 0
    assert curve.eer_threshold() == pytest.approx(0.5)
    assert curve.best_accuracy() == (1.0, pytest.approx(0.5))


def test_how_small_a_far_the_pairs_support():
    curve = roc_curve(np.arange(1001.0), np.arange(1001) == 1000)
    assert curve.supports(1e-3)
    assert not curve.supports(0.9e-3)


@given(st.integers(1, 2000))
def test_a_far_of_one_pair_in_n_is_supported_by_n_impostors_and_no_smaller_one(count):
    curve = roc_curve(np.arange(count + 1.0), np.arange(count + 1) == count)
    assert curve.supports(1 / count)
    assert not curve.supports(1 / (count + 1))
    assert not curve.supports(0.999 / count)


@given(scored_pairs())
def test_a_far_taken_from_the_curve_is_reached_by_the_last_threshold_that_has_it(pairs):
    scores, matches = pairs
    curve = roc_curve(scores, matches)
    for far in curve.far:
        allowed = [t for t in [np.inf, *scores] if (scores[~matches] >= t).mean() <= far]
        assert curve.tar_at(far) == max((scores[matches] >= t).mean() for t in allowed)
        assert (scores[~matches] >= curve.threshold_at(far)).mean() == far


@given(scored_pairs())
def test_the_rates_at_a_threshold_that_is_a_score_count_that_score_as_accepted(pairs):
    scores, matches = pairs
    curve = roc_curve(scores, matches)
    for threshold in curve.thresholds:
        expected = ((scores[~matches] >= threshold).mean(), (scores[matches] < threshold).mean())
        assert curve.rates_at(threshold) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("answer", "kind"), [(True, "of one person"), (False, "of two people")])
def test_scores_of_one_kind_are_an_error_that_says_so(answer, kind):
    with pytest.raises(FacesError, match=f"3 pairs, all {kind}.*both kinds"):
        roc_curve(np.arange(3.0), np.full(3, answer))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite(bad):
    with pytest.raises(FacesError, match="1 of 2 scores are not finite"):
        roc_curve(np.array([0.1, bad]), np.array([True, False]))


def test_scores_without_their_answers():
    with pytest.raises(ValueError, match=r"shape \(2,\) and matches of \(3,\)"):
        roc_curve(np.zeros(2), np.array([True, False, True]))


def test_a_held_out_score_exactly_at_the_threshold_is_accepted():
    """The other fold's threshold is halfway between its scores, 0 and 1; a pair that scores 0.5 is accepted."""
    scores, folds = np.array([0.0, 1.0, 0.5, -1.0]), np.array([0, 0, 1, 1])
    found = fold_accuracy(scores, np.array([False, True, True, False]), folds)
    assert found.thresholds[1] == 0.5
    assert found.accuracies[1] == 1.0
    assert fold_accuracy(scores, np.array([False, True, False, True]), folds).accuracies[1] == 0.0
