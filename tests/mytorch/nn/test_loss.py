import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn
from mytorch.ops.loss import class_probabilities

FLOATS = st.sampled_from([np.float64, np.float32])
OPTIONS = {"smoothing": st.sampled_from([0.0, 0.1, 1.0]), "reduction": st.sampled_from(["mean", "sum"])}


def agree_on_loss(close, logits, target, smoothing, reduction):
    ours = nn.CrossEntropyLoss(smoothing, reduction)
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=smoothing, reduction=reduction)
    tensor = torch.tensor(np.ascontiguousarray(logits), requires_grad=True)
    before = logits.copy(), target.copy()
    loss, expected = ours(logits, target), theirs(tensor, torch.tensor(np.ascontiguousarray(target)))
    expected.backward()
    close("loss", np.array(loss, logits.dtype), np.array(expected.item(), logits.dtype))
    close("gradient", ours.backward(), tensor.grad)
    assert np.array_equal(logits, before[0])
    assert np.array_equal(target, before[1])


@settings(max_examples=100)
@given(data=st.data(), dtype=FLOATS, n=st.integers(1, 6), classes=st.integers(2, 8), **OPTIONS)
def test_cross_entropy_with_class_indices_is_pytorchs(close, array, data, dtype, n, classes, smoothing, reduction):
    target = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)))
    agree_on_loss(close, array(data, (n, classes), dtype), target, smoothing, reduction)


@settings(max_examples=100)
@given(data=st.data(), dtype=FLOATS, n=st.integers(1, 6), classes=st.integers(2, 8), **OPTIONS)
def test_cross_entropy_with_soft_targets_and_smoothing_is_pytorchs(
    close, array, data, dtype, n, classes, smoothing, reduction
):
    target = np.abs(array(data, (n, classes), dtype, stream=1))  # rows that do not sum to one, as PyTorch allows
    agree_on_loss(close, array(data, (n, classes), dtype), target, smoothing, reduction)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_is_stable_at_large_logits(close, dtype):
    rng = np.random.default_rng(0)
    logits = (1e4 * rng.standard_normal((5, 7))).astype(dtype)
    agree_on_loss(close, logits, rng.integers(0, 7, 5), 0.1, "mean")


def test_gradient_is_scaled_by_what_backward_is_given():
    loss, logits, target = nn.CrossEntropyLoss(), np.eye(3), np.array([0, 2, 1])
    loss(logits, target)
    once = loss.backward()
    loss(logits, target)
    np.testing.assert_allclose(loss.backward(2.5), 2.5 * once)


def test_float32_stays_float32_with_soft_targets_of_float64():
    loss = nn.CrossEntropyLoss(np.float64(0.1))
    assert isinstance(loss(np.eye(3, dtype="f"), np.eye(3)), float)
    assert loss.backward(np.float64(2)).dtype == np.float32


def test_memory_of_one_hot_rows_does_not_grow_with_the_square_of_the_classes():
    import tracemalloc

    logits, target = np.zeros((2, 20_000), "f"), np.array([0, 19_999])
    tracemalloc.start()
    class_probabilities(target, logits, 0.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * logits.nbytes


LOGITS = np.zeros((4, 3))


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (np.array([0, 1, 2, 3]), ValueError, "class indices from 0 to 3: expected 0 to 2"),
        (np.array([0, -1, 2, 1]), ValueError, "class indices from -1 to 2"),
        (np.array([0, 1]), ValueError, r"a target of shape \(2,\), int64: expected 4 class indices"),
        (np.zeros((4, 2)), ValueError, r"soft targets \(4, 3\)"),
        (np.zeros(4), ValueError, r"\(4,\), float64: expected 4 class indices"),
        (np.zeros((4, 3), int), ValueError, "floating"),
        (np.full((4, 3), np.nan), ValueError, "NaN in its soft targets"),
        ([0, 1, 2, 0], TypeError, "a target that is a list: expected an array of 4 class indices"),
    ],
)
def test_target_that_does_not_fit_is_refused(target, error, message):
    with pytest.raises(error, match=message):
        nn.CrossEntropyLoss()(LOGITS, target)


@pytest.mark.parametrize(
    ("logits", "error", "message"),
    [
        (np.zeros(3), ValueError, r"input of shape \(3,\): expected 2 axes, \(N, C\)"),
        (np.zeros((4, 3), int), TypeError, "input of int64: expected float32 or float64"),
        (np.zeros((0, 3)), ValueError, "an empty batch"),
    ],
)
def test_logits_that_do_not_fit_are_refused(logits, error, message):
    with pytest.raises(error, match=message):
        nn.CrossEntropyLoss()(logits, np.zeros(len(logits), int))


@pytest.mark.parametrize("options", [{"label_smoothing": 1.5}, {"reduction": "none"}])
def test_impossible_option_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        nn.CrossEntropyLoss(**options)
