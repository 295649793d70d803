import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
OPTIONS = {"smoothing": st.sampled_from([0.0, 0.1, 1.0]), "reduction": st.sampled_from(["mean", "sum"])}


def agree_on_loss(close, logits, target, smoothing, reduction):
    ours = nn.CrossEntropyLoss(label_smoothing=smoothing, reduction=reduction)
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
    loss = nn.CrossEntropyLoss(label_smoothing=np.float64(0.1))
    assert isinstance(loss(np.eye(3, dtype="f"), np.eye(3)), float)
    assert loss.backward(np.float64(2)).dtype == np.float32


def test_memory_grows_with_the_logits_and_not_with_the_square_of_the_classes():
    import tracemalloc

    logits, target, loss = np.zeros((2, 20_000), "f"), np.array([0, 19_999]), nn.CrossEntropyLoss(label_smoothing=0.1)
    tracemalloc.start()
    loss(logits, target)
    loss.backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * logits.nbytes


@pytest.mark.parametrize("soft", [False, True])
def test_a_logit_of_minus_infinity_where_the_target_has_nothing_gives_no_nan(soft):
    logits = np.array([[1.0, -np.inf, 2.0], [-np.inf, 0.5, -np.inf]])
    target = np.array([2, 1])
    loss = nn.CrossEntropyLoss()
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(target)).item()
    assert loss(logits, np.eye(3)[target] if soft else target) == pytest.approx(expected, rel=1e-12)
    softmax = torch.softmax(torch.tensor(logits), 1).numpy()
    np.testing.assert_allclose(loss.backward(), (softmax - np.eye(3)[target]) / 2, atol=1e-15)


ELEMENTWISE = {
    "MSELoss": [{}],
    "L1Loss": [{}],
    "SmoothL1Loss": [{"beta": 0.0}, {"beta": 0.7}, {"beta": 1.0}],
    "BCEWithLogitsLoss": [{}],
}


@settings(max_examples=150)
@given(
    data=st.data(),
    dtype=FLOATS,
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    name=st.sampled_from(list(ELEMENTWISE)),
    reduction=st.sampled_from(["mean", "sum"]),
)
def test_losses_of_each_element_are_pytorchs(close, array, data, dtype, shape, name, reduction):
    options = {**data.draw(st.sampled_from(ELEMENTWISE[name])), "reduction": reduction}
    whole = data.draw(st.booleans())  # few values, so that some predictions are exact
    x, target = array(data, shape, dtype, whole), array(data, shape, dtype, whole, stream=1)
    if name == "BCEWithLogitsLoss":
        target = np.abs(target) / 4
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    tensor = torch.tensor(np.ascontiguousarray(x), requires_grad=True)
    before = x.copy(), target.copy()
    loss, expected = ours(x, target), theirs(tensor, torch.tensor(np.ascontiguousarray(target)))
    expected.backward()
    close("loss", np.array(loss, dtype), np.array(expected.item(), dtype))
    close("gradient", ours.backward(), tensor.grad)
    assert np.array_equal(x, before[0])
    assert np.array_equal(target, before[1])


@given(data=st.data(), dtype=FLOATS, n=st.integers(1, 6), classes=st.integers(1, 8), reduction=OPTIONS["reduction"])
def test_negative_log_likelihood_is_pytorchs(close, array, data, dtype, n, classes, reduction):
    x = array(data, (n, classes), dtype)
    target = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)))
    tensor = torch.tensor(np.ascontiguousarray(x), requires_grad=True)
    expected = torch.nn.NLLLoss(reduction=reduction)(tensor, torch.tensor(target))
    expected.backward()
    loss = nn.NLLLoss(reduction=reduction)
    # the terms have both signs, and their sum may be nothing but rounding
    assert abs(loss(x, target) - expected.item()) <= (1e-10 if dtype == np.float64 else 1e-5)
    close("gradient", loss.backward(), tensor.grad)


def test_binary_cross_entropy_is_stable_at_large_logits():
    x, target = np.array([1e4, -1e4, 800.0]), np.array([1.0, 0.0, 0.0])
    loss = nn.BCEWithLogitsLoss(reduction="sum")
    assert loss(x, target) == 800
    np.testing.assert_array_equal(loss.backward(), [0, 0, 1])


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (np.full((4, 3), np.nan), ValueError, "NaN in its target: check where it is read or computed"),
        (np.zeros((4, 1)), ValueError, r"predictions \(4, 3\) and a target of shape \(4, 1\): expected the same shape"),
        (np.zeros((4, 3), complex), TypeError, "a target of complex128: expected real numbers"),
        ([[0.0]], TypeError, "a target that is a list: expected an array of as many values as predictions"),
    ],
)
def test_target_of_an_elementwise_loss_that_does_not_fit_is_refused(name, target, error, message):
    with pytest.raises(error, match=f"{name} got .*{message}"):
        getattr(nn, name)()(np.zeros((4, 3)), target)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_loss_computes_in_the_predictions_precision(name):
    loss = getattr(nn, name)()
    assert isinstance(loss(np.ones((2, 3), "f"), np.zeros((2, 3))), float)
    assert loss.backward(np.float64(2)).dtype == np.float32
    assert loss(np.ones((2, 3), "f"), np.zeros((2, 3), int)) > 0
    loss.backward()
    with pytest.raises(RuntimeError, match=f"{name}.backward found nothing saved by a forward"):
        loss.backward()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_empty_batch_of_an_elementwise_loss_is_refused(name):
    with pytest.raises(ValueError, match="an empty batch: it has no mean"):
        getattr(nn, name)()(np.zeros((0, 3)), np.zeros((0, 3)))


@pytest.mark.parametrize("target", [np.array([0, 3, 1, 1]), np.array([0, -1, 1, 1]), np.zeros((4, 3))])
def test_class_index_out_of_range_is_refused_by_negative_log_likelihood_too(target):
    with pytest.raises(ValueError, match=r"NLLLoss got .*expected (0 to 2|4 class indices)"):
        nn.NLLLoss()(LOGITS, target)


def test_beta_below_zero_is_refused():
    with pytest.raises(ValueError, match="beta=-1"):
        nn.SmoothL1Loss(beta=-1)


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
        (torch.tensor([0, 1, 2, 0]), TypeError, "a target that is a Tensor: expected an array of 4 class indices"),
    ],
)
def test_target_that_does_not_fit_is_refused(target, error, message):
    with pytest.raises(error, match=message):
        nn.CrossEntropyLoss()(LOGITS, target)


@pytest.mark.parametrize(
    ("logits", "error", "message"),
    [
        (np.zeros(()), ValueError, r"input of shape \(\): expected \(N, C, \*\), or \(C,\) for one example"),
        (np.zeros((4, 3), int), TypeError, "input of int64: expected float32 or float64"),
        (np.zeros((0, 3)), ValueError, "an empty batch"),
    ],
)
def test_logits_that_do_not_fit_are_refused(logits, error, message):
    with pytest.raises(error, match=message):
        nn.CrossEntropyLoss()(logits, np.zeros(logits.shape[:1], int))


@pytest.mark.parametrize("options", [{"label_smoothing": 1.5}, {"reduction": "average"}])
def test_impossible_option_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        nn.CrossEntropyLoss(**options)
