import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

from experiments.metrics.classification import (
    confidence,
    expected_calibration_error,
    fit_temperature,
    measure_calibration,
    reliability_bins,
)


def drawn(seed: int, count: int, classes: int, sure: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from just those probabilities; the logits then times `sure`."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((count, classes)) * 2
    shares = torch.from_numpy(logits).softmax(1).numpy()
    labels = (rng.random((count, 1)) > shares.cumsum(1)).sum(1).clip(0, classes - 1)
    return logits * sure, labels


@given(st.integers(0, 1000), st.integers(1, 80), st.integers(2, 6))
def test_the_expected_calibration_error_is_torchmetrics(seed, count, classes):
    logits, labels = drawn(seed, count, classes)
    bins = reliability_bins(confidence(logits), logits.argmax(1) == labels)
    probabilities = torch.from_numpy(logits).softmax(1)
    expected = multiclass_calibration_error(probabilities, torch.from_numpy(labels), classes, n_bins=15)
    assert expected_calibration_error(bins) == pytest.approx(expected.item(), abs=1e-6)
    assert sum(b.images for b in bins) == count


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_and_one_to_the_last():
    bins = reliability_bins(np.array([0.2, 0.4, 1.0]), np.array([True, False, True]), bins=5)
    assert [b.high for b in bins] == pytest.approx([0.2, 0.4, 1.0])


@pytest.mark.parametrize("sure", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_what_the_logits_were_multiplied_by(sure):
    logits, labels = drawn(0, 20_000, 5, sure)
    assert fit_temperature(logits, labels) == pytest.approx(sure, rel=0.05)


def test_the_temperature_has_the_lowest_loss_by_pytorch():
    logits, labels = drawn(3, 200, 8, 3.0)
    best = fit_temperature(logits.astype(np.float32), labels)
    scores, truth = torch.from_numpy(logits), torch.from_numpy(labels)
    losses = [torch.nn.functional.cross_entropy(scores / t, truth).item() for t in (0.97 * best, best, 1.03 * best)]
    assert losses[1] == min(losses)


def test_temperature_scaling_corrects_an_over_confident_network():
    found = measure_calibration(*drawn(1, 5000, 5, 5.0))
    assert found.ece > 0.1
    assert found.ece_tempered < 0.03


def test_each_half_is_scaled_by_the_temperature_of_the_other():
    (gentle, first), (sharp, second) = drawn(5, 1500, 4, 0.5), drawn(6, 1500, 4, 6.0)
    logits, labels = np.empty((3000, 4)), np.empty(3000, int)
    logits[0::2], logits[1::2], labels[0::2], labels[1::2] = gentle, sharp, first, second
    # By hand, the even images at the temperature fitted to the odd ones, and the other way round.
    scaled = np.empty((3000, 4))
    scaled[0::2], scaled[1::2] = gentle / fit_temperature(sharp, second), sharp / fit_temperature(gentle, first)
    expected = multiclass_calibration_error(torch.from_numpy(scaled).softmax(1), torch.from_numpy(labels), 4, n_bins=15)
    found = measure_calibration(logits, labels)
    assert found.ece_tempered == pytest.approx(expected.item(), abs=1e-6)
    assert found.ece_tempered > 0.2


def test_a_temperature_is_fitted_to_images_spread_over_all_of_them():
    (gentle, first), (sharp, second) = drawn(7, 4000, 5, 0.5), drawn(8, 4000, 5, 5.0)
    logits, labels = np.concatenate([gentle, sharp]), np.concatenate([first, second])
    losses = []
    for temperature in np.geomspace(0.05, 20, 400):
        scaled = torch.from_numpy(logits / temperature)
        losses.append(torch.nn.functional.cross_entropy(scaled, torch.from_numpy(labels)).item())
    expected = np.geomspace(0.05, 20, 400)[int(np.argmin(losses))]
    assert fit_temperature(logits, labels) == pytest.approx(expected, rel=0.1)
    assert fit_temperature(gentle, first) < 0.6 < expected


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_images_that_are_all_right_are_judged_without_a_warning(count):
    found = measure_calibration(np.eye(4)[:count] * 5, np.arange(count))
    assert found.temperature < 0.2
    assert 0 <= found.ece_tempered < found.ece
