import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.metrics import accuracy_score

from experiments.errors import FacesError
from experiments.metrics.roc import fold_accuracy, roc_curve, tar_at_far


def pairs(count: int, seed: int, gap: float = 1.5):
    rng = np.random.default_rng(seed)
    matches = np.arange(count) % 2 == 0
    return np.round(rng.standard_normal(count) + gap * matches, 2), matches


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.sampled_from([0.0, 1.5, 9.0]))
def test_a_fold_is_judged_by_a_threshold_that_is_best_on_the_others(seed, count, gap):
    scores, matches = pairs(20 * count, seed, gap)
    folds = np.arange(len(scores)) // 20
    result = fold_accuracy(scores, matches, folds)
    for fold, (accuracy, threshold) in enumerate(zip(result.accuracies, result.thresholds, strict=True)):
        held = folds == fold
        assert accuracy == pytest.approx(accuracy_score(matches[held], scores[held] >= threshold), abs=1e-12)
        candidates = sklearn_metrics.roc_curve(matches[~held], scores[~held], drop_intermediate=False)[2]
        best = max(accuracy_score(matches[~held], scores[~held] >= t) for t in candidates)
        assert accuracy_score(matches[~held], scores[~held] >= threshold) == pytest.approx(best, abs=1e-12)
    assert result.mean == pytest.approx(np.mean(result.accuracies))
    assert result.std == pytest.approx(np.std(result.accuracies, ddof=1))


def test_a_fold_does_not_see_its_own_answers():
    scores, matches = pairs(200, 0)
    folds = np.arange(200) // 20
    turned = np.where(folds == 3, ~matches, matches)
    before, after = fold_accuracy(scores, matches, folds), fold_accuracy(scores, turned, folds)
    assert after.thresholds[3] == before.thresholds[3]
    assert after.accuracies[3] == pytest.approx(1 - before.accuracies[3])


def test_one_fold_is_refused():
    with pytest.raises(FacesError, match="1 fold of pairs"):
        fold_accuracy(*pairs(20, 0), np.zeros(20))


@given(st.integers(0, 2**32 - 1))
def test_tar_never_falls_as_far_grows(seed):
    found, _ = tar_at_far(roc_curve(*pairs(4000, seed)))
    values = [found[key] for key in sorted(found, key=float)]
    assert values == sorted(values)


def test_a_far_beyond_the_pairs_is_left_out_with_a_remark():
    found, remarks = tar_at_far(roc_curve(*pairs(4000, 1)))
    assert list(found) == ["0.1", "0.01", "0.001"]
    assert "FAR 0.0001 needs at least 10,000 impostor pairs, there are 2,000: left out" in remarks
    assert "FAR 0.001 is at most 2 of 2,000 impostor pairs: only rough" in remarks
    assert not any("0.1 " in remark for remark in remarks)


@pytest.mark.parametrize(("impostors", "rough"), [(299, True), (300, False), (301, False)])
def test_a_rate_of_thirty_errors_is_no_longer_rough(impostors, rough):
    found, remarks = tar_at_far(roc_curve(np.arange(impostors + 1.0), np.arange(impostors + 1) == 0), [0.1])
    assert list(found) == ["0.1"]
    assert any("rough" in remark for remark in remarks) == rough


@pytest.mark.parametrize(("impostors", "given_"), [(48, []), (49, [f"{1 / 49:g}"]), (50, [f"{1 / 49:g}"])])
def test_a_far_of_one_in_49_needs_49_impostors(impostors, given_):
    found, _ = tar_at_far(roc_curve(np.arange(impostors + 1.0), np.arange(impostors + 1) == 0), [1 / 49])
    assert list(found) == given_


@pytest.mark.parametrize("far", [0, 1, 2, -0.1])
def test_a_far_outside_0_to_1(far):
    with pytest.raises(FacesError, match="expected a fraction between 0 and 1"):
        tar_at_far(roc_curve(*pairs(10, 0)), [far])
