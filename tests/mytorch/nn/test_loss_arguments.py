"""Weights, ignored classes, reductions and several inputs of the losses; and what they refuse.

tests/conformance compares all of them with PyTorch on its own inputs.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
REDUCTIONS = st.sampled_from(["none", "mean", "sum"])


def same(close, ours, theirs, x, *others, differentiated=0):
    """Compare a loss and its gradients at its first inputs, the further ones as many as `differentiated`."""
    dtype = x.dtype
    tensors = [torch.tensor(np.array(value, order="C")) for value in (x, *others)]
    learned = [tensor.requires_grad_() for tensor in tensors[: 1 + differentiated]]
    y, expected = ours(x, *others), theirs(*tensors)
    close("loss", np.asarray(y, dtype), expected)
    grad = np.asarray(np.random.default_rng(0).standard_normal(expected.shape), dtype)
    back = ours.backward(grad) if ours.reduction == "none" else ours.backward(float(grad))
    expected.backward(torch.tensor(grad))
    for mine, tensor in zip(back if isinstance(back, tuple) else (back,), learned, strict=False):
        close("gradient", mine, tensor.grad)


@settings(max_examples=150)
@given(
    data=st.data(),
    dtype=FLOATS,
    batch=st.integers(0, 4),
    classes=st.integers(2, 5),
    size=st.lists(st.integers(1, 3), max_size=2),
    name=st.sampled_from(["CrossEntropyLoss", "NLLLoss"]),
    smoothing=st.sampled_from([0.0, 0.1]),
    weighted=st.booleans(),
    ignore=st.booleans(),
    soft=st.booleans(),
    reduction=REDUCTIONS,
)
def test_losses_on_classes_are_pytorchs_over_any_axes(
    close, array, data, dtype, batch, classes, size, name, smoothing, weighted, ignore, soft, reduction
):
    lead = (batch,) if batch else ()
    x = array(data, (*lead, classes, *(size if batch else ())), dtype)
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    target = np.asarray(rng.integers(0, classes, (*lead, *(size if batch else ()))))
    target.flat[0] = 1
    options = {"reduction": reduction}
    soft = soft and name == "CrossEntropyLoss"
    if soft:
        target = np.abs(array(data, x.shape, dtype, stream=1))
    elif ignore:
        options["ignore_index"] = 0
    if name == "CrossEntropyLoss":
        options["label_smoothing"] = smoothing
    weight = rng.uniform(0.5, 2, classes).astype(dtype) if weighted else None
    theirs = getattr(torch.nn, name)(None if weight is None else torch.tensor(weight), **options)
    same(close, getattr(nn, name)(weight, **options), theirs, x, target)


def test_all_targets_ignored_give_nan_as_in_pytorch_and_no_gradient():
    for name in ("CrossEntropyLoss", "NLLLoss"):
        loss, x, target = getattr(nn, name)(), np.ones((2, 3)), np.array([-100, -100])
        expected = getattr(torch.nn, name)()(torch.tensor(x), torch.tensor(target))
        assert np.isnan(expected.item())
        assert np.isnan(loss(x, target))
        assert not loss.backward().any()


def test_an_ignored_row_of_infinities_does_no_harm():
    x = np.array([[np.inf, 1.0], [0.0, 2.0]])
    with np.errstate(invalid="ignore"):
        value = nn.CrossEntropyLoss(reduction="sum")(x, np.array([-100, 1]))
    assert value == pytest.approx(np.log1p(np.exp(-2)))


@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    shape=st.lists(st.integers(1, 4), max_size=3).map(tuple),
    name=st.sampled_from(["BCELoss", "BCEWithLogitsLoss"]),
    weighted=st.booleans(),
    positive=st.booleans(),
    reduction=REDUCTIONS,
)
def test_binary_cross_entropies_with_weights_are_pytorchs(
    close, array, data, dtype, shape, name, weighted, positive, reduction
):
    x, rng = array(data, shape, dtype), np.random.default_rng(0)
    target = np.asarray(rng.random(shape), dtype)
    weights = {}
    if weighted:
        weights["weight"] = np.asarray(rng.uniform(0.5, 2, shape[-1:]), dtype)
    if name == "BCELoss":
        x = np.asarray(rng.uniform(0.01, 0.99, shape), dtype)
    elif positive:
        weights["pos_weight"] = np.asarray(rng.uniform(0.5, 2, shape), dtype)
    theirs = {key: torch.tensor(value) for key, value in weights.items()}
    ours = getattr(nn, name)(**weights, reduction=reduction)
    same(close, ours, getattr(torch.nn, name)(**theirs, reduction=reduction), x, target)


@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    n=st.integers(1, 4),
    features=st.integers(2, 5),  # with one, gradients cancel
    p=st.sampled_from([1.0, 2.0, 3.0, float("inf")]),
    swap=st.booleans(),
    margin=st.floats(0.1, 2),
    reduction=REDUCTIONS,
)
def test_triplet_margin_and_all_three_gradients_are_pytorchs(
    close, array, data, dtype, n, features, p, swap, margin, reduction
):
    inputs = [array(data, (n, features), dtype, stream=stream) for stream in range(3)]
    options = {"margin": margin, "p": p, "swap": swap, "reduction": reduction}
    ours, theirs = nn.TripletMarginLoss(**options), torch.nn.TripletMarginLoss(**options)
    same(close, ours, theirs, *inputs, differentiated=2)


@pytest.mark.parametrize("swap", [False, True])
def test_a_triplet_whose_two_distances_are_equal_has_pytorchs_gradients(close, swap):
    """Anchor and positive are mirror images of each other about the negative, so that swapping changes nothing."""
    anchor, positive, negative = np.array([[1.0, 2.0]]), np.array([[1.0, -2.0]]), np.array([[0.5, 0.0]])
    options = {"margin": 1.0, "swap": swap, "eps": 0.0, "reduction": "sum"}
    ours, theirs = nn.TripletMarginLoss(**options), torch.nn.TripletMarginLoss(**options)
    same(close, ours, theirs, anchor, positive, negative, differentiated=2)


def test_weights_belong_to_the_state_and_move_with_the_loss():
    loss = nn.CrossEntropyLoss(np.array([1, 2, 3]))
    assert set(loss.state_dict()) == {"weight"}
    assert loss.weight.dtype == np.float32
    assert loss.to(float).weight.dtype == np.float64


IMPOSSIBLE = [
    (
        lambda: nn.CrossEntropyLoss(np.ones(3))(np.zeros((2, 4)), np.array([0, 1])),
        r"weight of shape \(3,\): build it",
    ),
    (
        lambda: nn.CrossEntropyLoss(ignore_index=0)(np.zeros((2, 4)), np.zeros((2, 4))),
        "soft targets and has ignore_index",
    ),
    (lambda: nn.NLLLoss()(np.zeros((2, 4, 3)), np.zeros((2, 2), int)), r"expected class indices of shape \(2, 3\)"),
    (lambda: nn.CrossEntropyLoss(reduction="none")(np.zeros((2, 4)), np.array([0, 4])), "expected 0 to 3"),
    (lambda: nn.BCELoss()(np.array([0.5, 1.5]), np.ones(2)), "from 0.5 to 1.5: expected probabilities from 0 to 1"),
    (lambda: nn.BCELoss(np.ones(3))(np.array([0.5, 0.5]), np.ones(2)), r"has weight of shape \(3,\): build it"),
    (lambda: nn.HuberLoss(delta=0), "delta=0: expected a number above 0"),
    (lambda: nn.MultiMarginLoss(3), "p=3: expected 1 or 2"),
    (lambda: nn.MultiMarginLoss()(np.zeros((2, 3, 4)), np.zeros(2, int)), r"expected \(N, C\), or \(C,\)"),
    (lambda: nn.MultiLabelMarginLoss()(np.zeros((2, 3)), np.full((2, 3), 3)), "expected class indices from 0 to 2"),
    (lambda: nn.TripletMarginLoss(0), "margin=0, p=2.0: expected numbers above 0"),
    (
        lambda: nn.TripletMarginLoss()(*map(np.zeros, [(2, 3), (2, 4), (2, 3)])),
        r"anchor \(2, 3\), positive \(2, 4\)",
    ),
    (
        lambda: nn.CosineEmbeddingLoss()(np.zeros((2, 3)), np.zeros((2, 3)), np.ones(3)),
        r"expected \(2,\); reshape it",
    ),
    (lambda: nn.GaussianNLLLoss()(np.zeros(3), np.zeros(3), -np.ones(3)), "negative variance"),
    (lambda: nn.GaussianNLLLoss()(np.zeros(3), np.zeros(3), np.ones(4)), r"var of shape \(4,\): expected the same"),
    (lambda: nn.PairwiseDistance(0), "p=0: expected a number other than 0"),
    (lambda: nn.CosineSimilarity(3)(np.zeros((2, 3)), np.zeros((2, 3))), "have no axis 3: build it with another dim"),
    (lambda: nn.KLDivLoss(reduction="max"), "expected 'none', 'mean', 'sum' or 'batchmean'"),
]


@pytest.mark.parametrize(("build", "message"), IMPOSSIBLE)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("loss", [nn.MSELoss(reduction="none"), nn.CrossEntropyLoss(reduction="none")])
def test_backward_of_unreduced_terms_needs_the_gradient_of_each(loss):
    target = np.zeros((2, 3)) if isinstance(loss, nn.MSELoss) else np.array([0, 1])
    y = loss(np.ones((2, 3)), target)
    with pytest.raises(TypeError, match=r"got a float as the gradient: expected an array of shape \(2"):
        loss.backward()
    loss(np.ones((2, 3)), target)
    assert loss.backward(np.ones(y.shape)).shape == (2, 3)


def test_reductions_and_what_follows_them_are_keywords():
    for name in ("MSELoss", "BCELoss", "CrossEntropyLoss", "NLLLoss", "TripletMarginLoss"):
        with pytest.raises(TypeError, match="unexpected keyword argument 'size_average'"):
            getattr(nn, name)(size_average=True)
