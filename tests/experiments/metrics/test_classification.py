import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, top_k_accuracy_score

from experiments.metrics import classification
from experiments.metrics.classification import (
    ROWS,
    by_rows,
    classification_metrics,
    confidence,
    confusion_counts,
    most_confused,
    rank_of_truth,
)


@st.composite
def predictions(draw, least=2, most=12):
    """Logits without ties, and labels of every class."""
    classes = draw(st.integers(least, most))
    count = draw(st.integers(classes, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, count - classes)])
    return rng.standard_normal((count, classes)) * 5, labels


def test_the_rank_counts_the_classes_preferred_to_the_true_one():
    logits = np.array([[3.0, 2.0, 1.0]] * 3)
    assert rank_of_truth(logits, np.arange(3)).tolist() == [0, 1, 2]


def test_a_tie_counts_against_the_network():
    logits = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [2.0, 2.0, 2.0]])
    assert rank_of_truth(logits, np.array([0, 1, 2])).tolist() == [1, 1, 2]


@pytest.mark.parametrize("row", [[np.nan] * 3, [np.nan, 1.0, 2.0], [-np.inf] * 3])
def test_no_numbers_earn_nothing(row):
    assert rank_of_truth(np.array([row]), np.array([0])).tolist() == [2]


def test_another_class_that_is_no_number_counts_against_the_network():
    assert rank_of_truth(np.array([[5.0, np.nan, 1.0]]), np.array([0])).tolist() == [1]


@given(predictions(least=6))
def test_top_1_and_top_5_are_scikit_learns(case):
    logits, labels = case
    ours = classification_metrics(logits, labels)
    assert ours["top1"] == pytest.approx(top_k_accuracy_score(labels, logits, k=1), abs=1e-12)
    assert ours["top5"] == pytest.approx(top_k_accuracy_score(labels, logits, k=5), abs=1e-12)


@given(predictions(most=5))
def test_of_five_people_or_fewer_top_5_is_always_right(case):
    assert classification_metrics(*case)["top5"] == 1.0


@given(predictions())
def test_the_loss_is_pytorchs_cross_entropy(case):
    logits, labels = case
    expected = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)).item()
    assert classification_metrics(logits, labels)["loss"] == pytest.approx(expected, rel=1e-12)


@given(predictions())
def test_the_confusion_is_scikit_learns(case):
    logits, labels = case
    counts = confusion_counts(logits, labels)
    assert np.array_equal(counts, confusion_matrix(labels, logits.argmax(1), labels=range(logits.shape[1])))


@pytest.mark.parametrize("shift", [0, 1e4, -1e4])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_confidence_is_the_largest_softmax_however_large_the_logits(shift, temperature):
    logits = np.random.default_rng(0).standard_normal((5, 4)) * 3 + shift
    expected = (torch.from_numpy(logits) / temperature).softmax(1).amax(1).numpy()
    np.testing.assert_allclose(confidence(logits, temperature), expected, rtol=1e-10)


def test_more_rows_than_are_looked_at_together_are_the_same_as_all_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((50, 7)), rng.integers(0, 7, 50)
    together = classification_metrics(logits, labels), confidence(logits)
    monkeypatch.setattr(classification, "ROWS", 8)
    assert classification_metrics(logits, labels) == pytest.approx(together[0], rel=1e-12)
    np.testing.assert_array_equal(confidence(logits), together[1])


def test_the_commonest_mistakes_come_first():
    counts = np.array([[9, 1, 0], [3, 5, 0], [0, 2, 8]])
    assert most_confused(counts, ["a", "b", "c"]) == [
        {"true": "b", "taken_for": "a", "times": 3, "of": 8},
        {"true": "c", "taken_for": "b", "times": 2, "of": 10},
        {"true": "a", "taken_for": "b", "times": 1, "of": 10},
    ]
    assert len(most_confused(counts, ["a", "b", "c"], most=2)) == 2


def test_no_mistakes_are_none():
    assert most_confused(np.diag([3, 4]), ["a", "b"]) == []


@pytest.mark.parametrize("count", [1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 1])
def test_every_row_is_computed_once(count):
    values = np.arange(2.0 * count).reshape(count, 2)
    assert np.array_equal(by_rows(lambda rows: rows.sum(1), values), values.sum(1))
