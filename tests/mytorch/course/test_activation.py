"""Activations, the linear layer and the losses equal PyTorch's, and do not overflow where exp would."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import course

drawn = settings(max_examples=40, deadline=None)
ACTIVATIONS = {
    "Identity": lambda z: z * 1,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "ReLU": torch.relu,
    "GELU": F.gelu,
    "Swish": F.silu,
    "Softmax": lambda z: torch.softmax(z, 1),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@drawn
@given(st.integers(1, 4), st.integers(1, 6), st.sampled_from([0.1, 1.0, 10.0]), st.integers(0, 99))
def test_activations_are_pytorchs(name, N, C, scale, seed):
    rng = np.random.default_rng(seed)
    Z, gradient = scale * rng.standard_normal((N, C)), rng.standard_normal((N, C))
    tZ = torch.tensor(Z, requires_grad=True)
    right = ACTIVATIONS[name](tZ)
    right.backward(torch.tensor(gradient))
    layer = getattr(course, name)()
    np.testing.assert_allclose(layer(Z), right.detach(), rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(layer.backward(gradient), tZ.grad, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_extreme_inputs_give_finite_outputs_without_a_warning(name):
    Z = np.array([[-1e3, -800.0, -40.0, 0.0, 40.0, 800.0, 1e3]])
    layer = getattr(course, name)()
    assert np.isfinite(layer(Z)).all()
    assert np.isfinite(layer.backward(np.ones_like(Z))).all()


def test_sigmoid_is_precise_far_below_zero():
    np.testing.assert_allclose(course.Sigmoid()(np.array([-300.0])), np.exp(-300.0), rtol=1e-12)


def test_relu_is_flat_at_zero():
    layer = course.ReLU()
    layer(np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(layer.backward(np.ones(3)), [0, 0, 1])


@drawn
@given(st.floats(-3, 3), st.integers(0, 99))
def test_swish_learns_beta(beta, seed):
    rng = np.random.default_rng(seed)
    Z, gradient = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 4))
    tZ, tbeta = torch.tensor(Z, requires_grad=True), torch.tensor(beta, dtype=torch.float64, requires_grad=True)
    right = tZ * torch.sigmoid(tbeta * tZ)
    right.backward(torch.tensor(gradient))
    layer = course.Swish()
    layer.beta = beta
    np.testing.assert_allclose(layer(Z), right.detach(), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(layer.backward(gradient), tZ.grad, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(layer.dLdbeta, tbeta.grad, rtol=1e-8, atol=1e-12)
    assert course.Swish().beta == 1.0


def test_softmax_backward_is_each_rows_jacobian():
    rng = np.random.default_rng(0)
    Z, gradient = rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    layer = course.Softmax()
    A = layer(Z)
    rows = [g @ (np.diag(a) - np.outer(a, a)) for g, a in zip(gradient, A, strict=True)]
    np.testing.assert_allclose(layer.backward(gradient), rows, rtol=0, atol=1e-15)


@drawn
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_linear_is_pytorchs_with_gradients_summed_over_the_batch(N, C, out, seed):
    rng = np.random.default_rng(seed)
    layer = course.Linear(C, out)
    A, gradient = rng.standard_normal((N, C)), rng.standard_normal((N, out))
    layer.W, layer.b = rng.standard_normal((out, C)), rng.standard_normal((out, 1))
    tA, tW, tb = (torch.tensor(array, requires_grad=True) for array in (A, layer.W, layer.b))
    right = F.linear(tA, tW, tb[:, 0])
    right.backward(torch.tensor(gradient))
    np.testing.assert_allclose(layer(A), right.detach(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(layer.backward(gradient), tA.grad, rtol=0, atol=1e-12)
    np.testing.assert_allclose(layer.dLdW, tW.grad, rtol=0, atol=1e-12)
    np.testing.assert_allclose(layer.dLdb, tb.grad, rtol=0, atol=1e-12)


@drawn
@given(st.integers(1, 5), st.integers(1, 6), st.sampled_from([1.0, 30.0]), st.integers(0, 99))
def test_losses_are_pytorchs(N, C, scale, seed):
    rng = np.random.default_rng(seed)
    A, labels = scale * rng.standard_normal((N, C)), np.eye(C)[rng.integers(0, C, N)]
    for loss, reference in [(course.MSELoss(), F.mse_loss), (course.CrossEntropyLoss(), F.cross_entropy)]:
        tA = torch.tensor(A, requires_grad=True)
        right = reference(tA, torch.tensor(labels))
        right.backward()
        np.testing.assert_allclose(loss.forward(A, labels), right.detach(), rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(loss.backward(), tA.grad, rtol=1e-8, atol=1e-12)


def test_cross_entropy_of_huge_logits_is_finite():
    loss = course.CrossEntropyLoss()
    assert loss(np.array([[1e4, 0.0]]), np.array([[0.0, 1.0]])) == 1e4
    np.testing.assert_array_equal(loss.backward(), [[1, -1]])


@pytest.mark.parametrize("name", ["MSELoss", "CrossEntropyLoss"])
def test_losses_keep_float32_and_leave_their_inputs(name):
    A, Y = np.ones((2, 3), np.float32), np.eye(3)[:2]  # the labels are float64
    A.flags.writeable = Y.flags.writeable = False
    loss = getattr(course, name)()
    assert loss(A, Y).dtype == np.float32
    assert loss.backward().dtype == np.float32


@pytest.mark.parametrize("name", ["MSELoss", "CrossEntropyLoss"])
def test_losses_say_what_is_wrong(name):
    loss = getattr(course, name)()
    with pytest.raises(RuntimeError, match="call forward first"):
        loss.backward()
    with pytest.raises(ValueError, match=r"labels in the shape of the outputs, \(2, 3\), got \(2,\)"):
        loss(np.zeros((2, 3)), np.array([0, 1]))
