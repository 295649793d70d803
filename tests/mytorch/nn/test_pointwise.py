"""The activations of one formula per element, RReLU and GLU."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mytorch
from mytorch import nn

FLOATS = st.sampled_from([np.float64, np.float32])
SHAPES = st.lists(st.integers(1, 5), max_size=4).map(tuple)

KINDS = {
    "CELU": [(), (0.5,), (-2.0,)],
    "ELU": [(), (0.3,), (-1.0,)],
    "Hardshrink": [(), (1.0,), (0.0,), (-1.0,)],
    "Hardsigmoid": [()],
    "Hardswish": [()],
    "Hardtanh": [(), (-2.0, 1.0), (0.5, 0.75)],
    "LogSigmoid": [()],
    "Mish": [()],
    "ReLU6": [()],
    "SELU": [()],
    "Softplus": [(), (2.0, 3.0), (-1.0,)],
    "Softshrink": [(), (1.0,), (0.0,)],
    "Softsign": [()],
    "Tanhshrink": [()],
    "Threshold": [(1.0, -20.0), (-1.0, 0.0)],
}
CASES = [(name, arguments) for name, each in KINDS.items() for arguments in each]


@settings(max_examples=200)
@given(data=st.data(), dtype=FLOATS, shape=SHAPES, case=st.sampled_from(CASES), at_kinks=st.booleans())
def test_it_is_pytorchs_at_kinks_and_without_axes_too(agree, data, dtype, shape, case, at_kinks):
    name, arguments = case
    agree(data, getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments), shape, dtype, whole=at_kinks)


@pytest.mark.parametrize(("name", "arguments"), CASES)
@pytest.mark.parametrize("dtype", ["f", "d"])
def test_large_inputs_neither_overflow_nor_lose_their_limits(name, arguments, dtype):
    x = np.array([-1e30, -800, -89, -40, -3, 0, 3, 6, 40, 89, 800, 1e30], dtype)
    ours, theirs = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments)
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor)
    tolerance = {"rtol": 1e-12 if dtype == "d" else 2e-6, "atol": 1e-14 if dtype == "d" else 1e-30}
    np.testing.assert_allclose(ours(x), expected.detach(), **tolerance)
    expected.sum().backward()
    np.testing.assert_allclose(ours.backward(np.ones_like(x)), tensor.grad, rtol=tolerance["rtol"], atol=1e-6)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_nan_stays_nan(name, arguments):
    x = np.array([np.nan, 1.0])
    assert np.isnan(getattr(nn, name)(*arguments)(x)).tolist() == [True, False]


@pytest.mark.parametrize("name", ["ReLU", "LeakyReLU", "ELU", "Hardswish", "ReLU6", "SiLU", "Dropout", "RReLU"])
def test_inplace_is_accepted_shown_and_leaves_the_input(name):
    layer, x = getattr(nn, name)(inplace=True), np.linspace(-4, 4, 9)
    before = x.copy()
    layer.backward(layer(input=x))
    np.testing.assert_array_equal(x, before)
    assert "inplace=True" in repr(layer)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.Hardtanh(1, 0), "min_val=1, max_val=0: expected the smaller number first"),
        (lambda: nn.CELU(0), "alpha=0: CELU divides by it"),
        (lambda: nn.Softplus(0), "beta=0: Softplus divides by it"),
        (lambda: nn.Softshrink(-1), "lambd=-1: expected a number of at least 0"),
        (lambda: nn.ELU(np.nan), "ELU got alpha=nan: expected a finite number"),
        (lambda: nn.RReLU(0.5, 0.2), r"lower=0.5, upper=0.2: expected 0 <= lower <= upper <= 1"),
        (lambda: nn.GLU()(np.zeros((2, 3))), r"GLU got an input of shape \(2, 3\): expected an axis -1 of even length"),
        (lambda: nn.GLU(2)(np.zeros((2, 4))), r"GLU got an input of shape \(2, 4\): expected an axis 2"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@settings(max_examples=60)
@given(data=st.data(), dtype=FLOATS, shape=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_glu_along_any_axis_is_pytorchs(agree, data, dtype, shape):
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    shape[dim] *= 2
    agree(data, nn.GLU(dim), torch.nn.GLU(dim), tuple(shape), dtype)


def test_rrelu_draws_slopes_in_training_and_takes_their_mean_in_evaluation(close):
    layer, x = nn.RReLU(0.2, 0.6), -np.ones(10_000)
    slopes = -layer(x)
    assert 0.2 <= slopes.min() < 0.205
    assert 0.595 < slopes.max() <= 0.6
    assert abs(slopes.mean() - 0.4) < 5 * 0.4 / np.sqrt(12 * x.size)
    np.testing.assert_array_equal(layer.backward(np.ones_like(x)), slopes)
    mytorch.manual_seed(0)
    first = layer(x)
    mytorch.manual_seed(0)
    np.testing.assert_array_equal(layer(x), first)
    close("evaluation", layer.eval()(x), torch.nn.RReLU(0.2, 0.6).eval()(torch.tensor(x)))
