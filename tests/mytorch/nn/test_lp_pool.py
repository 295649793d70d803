import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mytorch
from mytorch import nn


@pytest.mark.parametrize("axes", [1, 2, 3])
@settings(max_examples=60)
@given(data=st.data(), p=st.sampled_from([1, 2, 3, 4, 1.5, -2, np.inf, -np.inf]), ceil_mode=st.booleans())
def test_power_average_pooling_is_pytorchs(axes, agree, data, p, ceil_mode):
    def some(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(axes))

    kernel = some(1, 3)
    stride = data.draw(st.none() | st.just(some(1, 4)))
    size = tuple(k + e for k, e in zip(kernel, some(0, 4), strict=True))
    arguments = (kernel[0], stride and stride[0]) if axes == 1 else (kernel, stride)  # PyTorch's takes no tuple for one
    ours, theirs = (getattr(at, f"LPPool{axes}d")(p, *arguments, ceil_mode) for at in (nn, torch.nn))
    positive = _positive(ours), torch.nn.Sequential(Positive(), theirs)  # the root of a negative sum is NaN
    agree(data, *positive, (2, 3, *size))


def _positive(layer):
    return nn.Sequential(nn.Sigmoid(), layer)


class Positive(torch.nn.Module):
    def forward(self, x):
        return x.sigmoid()


def test_even_powers_of_negative_values_are_pytorchs():
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 6))
    layer, tensor = nn.LPPool2d(2, 2), torch.tensor(x, requires_grad=True)
    expected = torch.nn.LPPool2d(2, 2)(tensor)
    np.testing.assert_allclose(layer(x), expected.detach(), rtol=1e-12)
    expected.sum().backward()
    np.testing.assert_allclose(layer.backward(np.ones(expected.shape)), tensor.grad, rtol=1e-10)


def test_a_window_of_zeros_has_a_gradient_of_zero():
    layer, x = nn.LPPool1d(2, 2), np.array([[[0.0, 0.0, 3.0, 4.0]]])
    np.testing.assert_array_equal(layer(x), [[[0, 5]]])
    np.testing.assert_allclose(layer.backward(np.ones((1, 1, 2))), [[[0, 0, 0.6, 0.8]]], rtol=1e-12)


def test_a_single_image_and_its_gradient():
    x = np.random.default_rng(0).uniform(0.5, 1, (3, 4, 6))
    np.testing.assert_array_equal(nn.LPPool2d(3, 2)(x), nn.LPPool2d(3, 2)(x[None])[0])
    mytorch.gradcheck(nn.LPPool2d(3, 2), x)


@pytest.mark.parametrize("p", [np.inf, -np.inf])
def test_an_infinite_power_of_mixed_signs_is_pytorchs(agree, p):
    @given(data=st.data())
    def check(data):
        agree(data, nn.LPPool2d(p, 2, 3), torch.nn.LPPool2d(p, 2, 3), (2, 3, 5, 8))

    check()


@pytest.mark.parametrize("p", [0, np.nan])
def test_a_power_of_zero_is_refused(p):
    with pytest.raises(ValueError, match=f"norm_type={p}: give another number than 0, such as 2"):
        nn.LPPool1d(p, 2)
