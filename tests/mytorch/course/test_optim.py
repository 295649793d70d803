"""Optimizers follow PyTorch's, step for step."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import course

rates = st.floats(1e-3, 0.5)
shares = st.floats(0, 0.95)
drawn = settings(max_examples=30, deadline=None)


def follow(make, make_torch, seed=0):
    """Ten steps of random gradients, ours and PyTorch's, over layers of which some have no W."""
    rng = np.random.default_rng(seed)
    layers = [course.Linear(3, 4), course.ReLU(), course.Conv2d_stride1(2, 3, 2)]
    layers[0].b = rng.standard_normal((4, 1))
    optimizer = make(SimpleNamespace(layers=layers))
    held = [(layer, name) for layer in (layers[0], layers[2]) for name in ("W", "b")]
    tensors = [torch.tensor(getattr(layer, name), requires_grad=True) for layer, name in held]
    reference = make_torch(tensors)
    for _ in range(10):
        for (layer, name), tensor in zip(held, tensors, strict=True):
            gradient = rng.standard_normal(tensor.shape)
            setattr(layer, f"dLd{name}", gradient)
            tensor.grad = torch.tensor(gradient)
        optimizer.step()
        reference.step()
        for (layer, name), tensor in zip(held, tensors, strict=True):
            np.testing.assert_allclose(getattr(layer, name), tensor.detach(), rtol=1e-8, atol=1e-12)


@drawn
@given(rates, shares)
def test_sgd(lr, momentum):
    follow(lambda m: course.SGD(m, lr, momentum), lambda p: torch.optim.SGD(p, lr, momentum))


@drawn
@given(rates, shares, shares, st.sampled_from([1e-8, 1e-3]))
def test_adam(lr, beta1, beta2, eps):
    follow(
        lambda m: course.Adam(m, lr, beta1, beta2, eps),
        lambda p: torch.optim.Adam(p, lr, (beta1, beta2), eps),
    )


@drawn
@given(rates, shares, shares, st.floats(0, 0.5))
def test_adamw(lr, beta1, beta2, decay):
    follow(
        lambda m: course.AdamW(m, lr, beta1, beta2, 1e-8, decay),
        lambda p: torch.optim.AdamW(p, lr, (beta1, beta2), 1e-8, decay),
    )


def test_defaults_are_pytorchs_where_it_has_them():
    follow(course.SGD, lambda p: torch.optim.SGD(p, 0.1))
    follow(lambda m: course.Adam(m, 0.01), lambda p: torch.optim.Adam(p, 0.01))
    follow(lambda m: course.AdamW(m, 0.01), lambda p: torch.optim.AdamW(p, 0.01))


def test_a_step_does_not_write_into_old_arrays():
    layer = course.Linear(2, 3)
    layer.W = given = np.ones((3, 2))
    layer.dLdW = np.ones((3, 2))
    course.SGD(SimpleNamespace(layers=[layer])).step()
    assert (given == 1).all()
    assert (layer.W == 0.9).all()


def test_a_network_of_these_layers_learns():
    np.random.seed(0)
    draw = np.random.standard_normal
    layers = [course.Linear(2, 8, lambda *s: draw(s)), course.Tanh(), course.Linear(8, 2, lambda *s: draw(s))]
    loss, optimizer = course.CrossEntropyLoss(), course.Adam(SimpleNamespace(layers=layers), 0.05)
    x, labels = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.eye(2)[[0, 1, 1, 0]]
    for _ in range(200):
        A = x
        for layer in layers:
            A = layer(A)
        value = loss(A, labels)
        gradient = loss.backward()
        for layer in reversed(layers):
            gradient = layer.backward(gradient)
        optimizer.step()
    assert value < 0.05


def test_a_model_without_parameters_is_refused():
    with pytest.raises(ValueError, match=r"no layer in model\.layers has W"):
        course.SGD(SimpleNamespace(layers=[course.ReLU(), course.Conv2d(1, 1, 1, 1)]))
