"""Batch normalization against PyTorch, and dropout against the draws that the contract names."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import course

CASES = [
    ("BatchNorm1d", torch.nn.BatchNorm1d, lambda N, C, H, W: (N, C)),
    ("BatchNorm2d", torch.nn.BatchNorm2d, lambda N, C, H, W: (N, C, H, W)),
]
sizes = st.tuples(st.integers(2, 5), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))


@pytest.mark.parametrize(("name", "reference", "shape"), CASES)
@settings(max_examples=40, deadline=None)
@given(sizes, st.floats(0.1, 0.9), st.integers(0, 99))
def test_training_evaluating_and_gradients_are_pytorchs(name, reference, shape, sizes, alpha, seed):
    rng = np.random.default_rng(seed)
    C, shape = sizes[1], shape(*sizes)
    layer = getattr(course, name)(C, alpha)
    layer.BW, layer.Bb = rng.standard_normal(layer.BW.shape), rng.standard_normal(layer.Bb.shape)
    right = reference(C, eps=1e-8, momentum=1 - alpha, dtype=torch.float64)
    right.weight.data, right.bias.data = torch.tensor(layer.BW.ravel()), torch.tensor(layer.Bb.ravel())
    m = np.prod(shape) // C
    running_V = np.ones(C)
    for _ in range(2):
        Z = 2 + 3 * rng.standard_normal(shape)
        tZ = torch.tensor(Z, requires_grad=True)
        expected = right(tZ)
        np.testing.assert_allclose(layer(Z), expected.detach(), rtol=1e-8, atol=1e-8)
        unbiased = (right.running_var.numpy() - alpha * running_V) / (1 - alpha)
        running_V = alpha * running_V + (1 - alpha) * unbiased * (m - 1) / m  # ours is biased, PyTorch's is not
        right.running_var = torch.tensor(running_V)
    np.testing.assert_allclose(layer.running_M.ravel(), right.running_mean, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(layer.running_V.ravel(), running_V, rtol=1e-8, atol=1e-12)

    gradient = rng.standard_normal(shape)
    expected.backward(torch.tensor(gradient))
    scale = 1 + np.abs(tZ.grad.numpy()).max()  # a channel of near-equal values divides rounding by a tiny deviation
    np.testing.assert_allclose(layer.backward(gradient), tZ.grad, rtol=1e-8, atol=1e-8 * scale)
    np.testing.assert_allclose(layer.dLdBW.ravel(), right.weight.grad, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(layer.dLdBb.ravel(), right.bias.grad, rtol=1e-8, atol=1e-8)

    right.eval()
    np.testing.assert_allclose(layer(Z, eval=True), right(tZ).detach(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("name", "reference", "shape"), CASES)
def test_an_eval_forward_before_backward_changes_nothing(name, reference, shape):
    rng, shape = np.random.default_rng(0), shape(4, 3, 5, 2)
    Z, gradient = rng.standard_normal(shape), rng.standard_normal(shape)
    layer, disturbed = getattr(course, name)(3), getattr(course, name)(3)
    layer(Z)
    disturbed(Z)
    statistics = disturbed.running_M.copy(), disturbed.running_V.copy()
    disturbed(10 * Z[:2], True)
    np.testing.assert_array_equal(disturbed.backward(gradient), layer.backward(gradient))
    np.testing.assert_array_equal(disturbed.dLdBW, layer.dLdBW)
    np.testing.assert_array_equal(disturbed.dLdBb, layer.dLdBb)
    np.testing.assert_array_equal(disturbed.running_M, statistics[0])
    np.testing.assert_array_equal(disturbed.running_V, statistics[1])


@pytest.mark.parametrize(
    ("name", "shape", "mask_shape"),
    [
        ("Dropout", (5, 4), (5, 4)),
        ("Dropout", (2, 3, 4, 5), (2, 3, 4, 5)),
        ("Dropout2d", (2, 3, 4, 5), (2, 3, 1, 1)),
    ],
)
def test_dropout_is_one_draw_of_the_global_generator_scaled_up(name, shape, mask_shape):
    p, Z, gradient = 0.3, np.random.default_rng(0).standard_normal(shape), np.random.default_rng(1).random(shape)
    layer = getattr(course, name)(p)
    np.random.seed(11)
    answer = layer(Z)
    after = np.random.random()
    np.random.seed(11)
    mask = np.random.binomial(1, 1 - p, mask_shape)
    assert after == np.random.random()
    np.testing.assert_allclose(answer, Z * mask / (1 - p), rtol=1e-12)
    np.testing.assert_array_equal(layer(Z, True), Z)
    np.testing.assert_allclose(layer.backward(gradient), gradient * mask / (1 - p), rtol=1e-12)


def test_dropout_keeps_the_mean():
    np.random.seed(0)
    assert abs(course.Dropout(0.7)(np.ones(100_000)).mean() - 1) < 0.02
