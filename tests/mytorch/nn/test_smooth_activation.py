"""Sigmoid, Tanh, SiLU, GELU, PReLU, Softmax and LogSoftmax."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4)
KINDS = [("Sigmoid", ()), ("Tanh", ()), ("SiLU", ()), ("GELU", ()), ("GELU", ("tanh",)), ("Identity", ())]


@settings(max_examples=150)
@given(data=st.data(), dtype=FLOATS, shape=SHAPES, kind=st.sampled_from(KINDS))
def test_activation_is_pytorchs(agree, data, dtype, shape, kind):
    name, arguments = kind
    ours = getattr(nn, name)(*arguments)
    theirs = torch.nn.GELU(approximate="tanh") if arguments else getattr(torch.nn, name)()
    agree(data, ours, theirs, tuple(shape), dtype)


@pytest.mark.parametrize(("name", "arguments"), KINDS)
def test_activation_of_large_inputs_neither_overflows_nor_loses_its_limits(name, arguments):
    x = np.array([-1e4, -800.0, -40.0, 40.0, 800.0, 1e4])
    ours, theirs = getattr(nn, name)(*arguments), getattr(torch.nn, name)()
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor)
    np.testing.assert_allclose(ours(x), expected.detach(), rtol=1e-12, atol=1e-300)
    expected.sum().backward()
    np.testing.assert_allclose(ours.backward(np.ones(6)), tensor.grad, rtol=1e-12, atol=1e-14)


@settings(max_examples=100)
@given(
    data=st.data(),
    dtype=FLOATS,
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    each=st.booleans(),
    ties=st.booleans(),
)
def test_prelu_is_pytorchs_at_zero_too(agree, data, dtype, shape, each, ties):
    count = shape[1] if each else 1
    theirs = torch.nn.PReLU(count)
    torch.nn.init.uniform_(theirs.weight, -1, 1)
    agree(data, nn.PReLU(count), theirs, tuple(shape), dtype, whole=ties)


def test_prelu_with_slopes_for_other_channels_is_refused():
    for shape in [(2, 4), (3,)]:
        with pytest.raises(ValueError, match=r"PReLU got .* shape .*: expected \(N, 3, \*\), for its 3 slopes"):
            nn.PReLU(3)(np.zeros(shape, "f"))


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Softmin"])
@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (2, 3, 4), (2, 3, 4, 5)])
def test_softmax_along_no_named_axis_is_pytorchs(name, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_allclose(getattr(nn, name)()(x), getattr(torch.nn, name)()(torch.tensor(x)), rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 4, 5)])
def test_softmax_over_channels_is_pytorchs(shape):
    x = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_allclose(nn.Softmax2d()(x), torch.nn.Softmax2d()(torch.tensor(x)), rtol=1e-12)
    with pytest.raises(ValueError, match=r"Softmax2d got .* expected 4 axes, \(N, C, H, W\)"):
        nn.Softmax2d()(x[..., 0][..., 0])


@settings(max_examples=100)
@given(data=st.data(), dtype=FLOATS, shape=SHAPES, name=st.sampled_from(["Softmax", "LogSoftmax", "Softmin"]))
def test_softmax_along_any_axis_is_pytorchs(agree, data, dtype, shape, name):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    shape[dim] += 1
    agree(data, getattr(nn, name)(dim), getattr(torch.nn, name)(dim), tuple(shape), dtype)


def test_softmax_of_large_logits_and_minus_infinities_is_pytorchs():
    x = np.array([[1e4, -1e4, 1e4 - 1], [0.0, -np.inf, 3.0]])
    for name in ("Softmax", "LogSoftmax"):
        expected = getattr(torch.nn, name)(1)(torch.tensor(x))
        np.testing.assert_allclose(getattr(nn, name)(1)(x), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
def test_axis_that_does_not_exist_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name} got .* no axis 2: build it with dim from -2 to 1"):
        getattr(nn, name)(2)(np.zeros((2, 3)))


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Softmin"])
def test_softmax_of_nothing_is_nothing(name):
    layer, x = getattr(nn, name)(1), np.zeros((2, 0))
    assert layer(x).shape == layer.backward(x).shape == (2, 0)


def test_unknown_approximation_is_refused():
    with pytest.raises(ValueError, match="approximate='erf': expected 'none' or 'tanh'"):
        nn.GELU("erf")


@pytest.mark.parametrize("layer", [nn.GELU(), nn.Sigmoid(), nn.SiLU(), nn.PReLU(5, dtype=float), nn.Softmax(1)])
def test_memory_stays_channels_last(layer):
    x = np.moveaxis(np.random.default_rng(0).standard_normal((2, 4, 3, 5)), -1, 1)
    y = layer(x)
    for array in (y, layer.backward(y.copy(order="K"))):
        assert np.moveaxis(array, 1, -1).flags.c_contiguous
